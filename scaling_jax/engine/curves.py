"""Views of schedules as the engine's programs take them: of one width, in numbers that near counts share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scaling_jax.core.arrays import Numbers
from scaling_jax.core.curves import Curve, CurveColumn, Rates
from scaling_jax.core.law import Law
from scaling_jax.engine.padding import bucket, padded

__all__ = ["curves_of", "example_curves"]

EXAMPLES = (
    (0.5, 0.9, 0.7, 0.7, 0.5, 0.3, 0.3, 0.2),
    (0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.1, 0.1),
    (0.9, 0.6, 0.6, 0.5, 0.4, 0.35, 0.3, 0.2),
)


def curves_of(law: Law, inputs: Mapping[str, Numbers]) -> dict[str, Curve[Numbers]]:
    """What the columns of a law's inputs that are curves point at, by input, fields (views, knots).

    Raises:
        TypeError: where a column of numbers stands for one of curves.
    """
    return {name: _padded(_views(law, name, inputs[name])) for name in law.curves}


def example_curves(law: Law, inputs: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Inputs that were made without a table, with a schedule for whatever number stands for one."""
    made = {name: _example(inputs[name], inputs[law.along]) for name in law.curves}
    return {**inputs, **made}


def _example(which: Numbers, steps: Numbers) -> CurveColumn:
    views = [Rates(rates).seen_from(np.maximum(steps, 2.0)) for rates in EXAMPLES]
    chosen = np.abs(which).astype(np.int64) % len(EXAMPLES) * len(steps) + np.arange(len(steps))
    return CurveColumn(chosen, Curve.joined(views))


def _views(law: Law, name: str, column: Numbers) -> Curve[Numbers]:
    if not isinstance(column, CurveColumn):
        raise TypeError(
            f"Input {name} of law '{law.name}' is a curve per run, and this asks for numbers: ask predict, "
            "with steps and curves."
        )
    return column.views


def _padded(views: Curve[Numbers]) -> Curve[Numbers]:
    wide = Curve.joined([views], bucket(views.fallen.shape[1]))
    return Curve(*(padded(part, bucket(len(part))) for part in wide.parts))
