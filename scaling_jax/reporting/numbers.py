"""Numbers as people write them: 7B, 1.4T, 1e24, 2.5, and an estimate with its interval beside it."""

from __future__ import annotations

import numpy as np

__all__ = ["COUNT", "FLOP", "PLAIN", "between", "kind_of", "written"]

COUNT, FLOP, PLAIN = "count", "flop", "plain"
"""Kinds of numbers: parameters and tokens; compute; everything else."""
FEW = 1e4  # below it compute is a ratio, or GPU-hours
LETTERS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
COUNTED = {"N", "D", "U", "tokens", "n_params", "params", "unique_tokens", "N_equal", "D_equal"}
SPENT = {"C", "flops", "flop", "compute", "spent", "cost", "budget", "run_at"}


def kind_of(column: str) -> str:
    """How the numbers of a column are written.

    >>> kind_of("N"), kind_of("flops"), kind_of("loss")
    ('count', 'flop', 'plain')
    """
    return COUNT if column in COUNTED else FLOP if column in SPENT else PLAIN


def written(value: float, kind: str = PLAIN, digits: int = 4) -> str:
    """A number as people write it.

    Args:
        value: the number.
        kind: "count" for 7B and 1.4T, "flop" for 3e22, "plain" for 2.5.
        digits: significant ones, at most three of counts and compute.

    >>> written(7e9, "count"), written(1.4e12, "count"), written(1e24, "flop"), written(2.49962)
    ('7B', '1.4T', '1e24', '2.5')
    >>> written(float("inf")), written(float("nan"))
    ('infinite', '')
    """
    if np.isnan(value):
        return ""
    if np.isinf(value):
        return "infinite" if value > 0 else "-infinite"
    size, few = abs(value), min(digits, 3)
    if kind == COUNT and 1e3 <= float(f"{size:.{few}g}") < 1e15:
        at, letter = next((at, letter) for at, letter in LETTERS if float(f"{size:.{few}g}") >= at)
        return f"{float(f'{value / at:.{few}g}'):g}{letter}"
    if value == 0 or 1e-4 <= size < (FEW if kind == FLOP else 1e5):
        return f"{float(f'{value:.{digits}g}'):g}"
    mantissa, power = f"{value:.{few - 1}e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


def between(lower: float, upper: float, kind: str = PLAIN, digits: int = 4) -> str:
    """An interval.

    >>> between(1.2177, 1.3006), between(6.9e9, 7.3e9, "count")
    ('1.218 to 1.301', '6.9B to 7.3B')
    """
    return f"{written(lower, kind, digits)} to {written(upper, kind, digits)}"
