"""Ticks of logarithmic axes as people write them: 7B, 1.4T, 1e24, 2.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COUNT", "FLOP", "PLAIN", "log_axis", "written"]

COUNT, FLOP, PLAIN = "count", "flop", "plain"
"""Kinds of numbers: parameters and tokens; compute; everything else."""
LETTERS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
NARROW, ROOMY, WIDE = 0.75, 2.3, 7.0  # decades
MOST = 7


def written(value: float, kind: str = PLAIN, digits: int = 4) -> str:
    """A number as people write it.

    Args:
        value: the number.
        kind: "count" for 7B and 1.4T, "flop" for 3e22, "plain" for 2.5.
        digits: that are kept, at most three of them for counts and compute.

    >>> written(7e9, "count"), written(1.4e12, "count"), written(1e24, "flop"), written(2.5)
    ('7B', '1.4T', '1e24', '2.5')
    """
    if not np.isfinite(value) or value == 0:
        return f"{value:g}"
    value = float(f"{value:.{min(digits, 4 if kind == PLAIN else 3)}g}")
    size = abs(value)
    if kind == COUNT and 1e3 <= size < 1e15:
        at, letter = next((at, letter) for at, letter in LETTERS if size >= at)
        return f"{value / at:.4g}{letter}"
    if kind != FLOP and 1e-4 <= size < 1e5:
        return f"{value:g}"
    mantissa, power = f"{value:.3e}".split("e")
    return f"{float(mantissa):g}e{int(power)}"


def log_axis(ax: Axes, which: str, kind: str = PLAIN) -> None:
    """Makes an axis logarithmic, with ticks that suit what it shows now.

    Args:
        ax: the axes, with everything drawn on them.
        which: "x" or "y".
        kind: of the numbers, as in `written`.
    """
    from matplotlib import ticker

    getattr(ax, f"set_{which}scale")("log")
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = sorted(getattr(ax, f"get_{which}lim")())
    decades = np.log10(high / low) if low > 0 else np.inf

    def words(value: float, _: object) -> str:
        return written(value, kind)

    axis.set_major_formatter(ticker.FuncFormatter(words))
    axis.set_minor_formatter(ticker.NullFormatter())
    axis.set_minor_locator(ticker.LogLocator(subs=range(2, 10), numticks=100))
    if decades < NARROW:
        axis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(ticker.NullLocator())
    elif decades < ROOMY:
        subs = (1.0, 2.0, 5.0) if decades < ROOMY / 1.5 else (1.0, 3.0)
        axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=100))
    else:
        every = int(np.ceil(decades / MOST)) if np.isfinite(decades) else 1
        axis.set_major_locator(ticker.LogLocator(base=10.0**every, numticks=100))
        if decades > WIDE:
            axis.set_minor_locator(ticker.LogLocator(numticks=100))
