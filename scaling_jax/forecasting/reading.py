"""The table a forecast is made from: its inputs, whatever the laws, all positive."""

from __future__ import annotations

from collections.abc import Mapping

from scaling_jax.core.arrays import Array
from scaling_jax.core.domains import POSITIVE, REAL
from scaling_jax.core.law import Law, Parameter
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.read import Reading
from scaling_jax.tables.runs import Runs
from scaling_jax.tables.sources import Column

__all__ = ["read_table"]


def read_table(
    runs: TableLike,
    target: Column | None,
    inputs: Mapping[str, Column],
    run: Column | None = None,
    where: Column | None = None,
    missing: str = "raise",
) -> Runs:
    """Rows with these inputs and a target, checked as those of a fit are."""
    return Reading(inputs, target, run, where, missing).read(_reader(tuple(inputs)), runs)


def _reader(names: tuple[str, ...]) -> Law:
    """What a table is read for: these inputs, all positive."""

    def every_law(*inputs: Array, level: Array) -> Array:
        return level

    inputs, level = dict.fromkeys(names, POSITIVE), Parameter("level", REAL)
    return Law(every_law, name="forecast", params=[level], inputs=inputs)
