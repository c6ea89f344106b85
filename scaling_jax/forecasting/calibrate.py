"""`calibrate`: a user's own past families teach the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_jax.core.checked import checked
from scaling_jax.forecasting.calibration import Calibration, shipped
from scaling_jax.forecasting.lessons import Past, learn
from scaling_jax.forecasting.reading import read_table
from scaling_jax.forecasting.rows import FEWEST_ROWS, Known
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import Column

__all__ = ["calibrate"]

FACTORS = (3.0, 10.0, 30.0, 100.0)  # of compute, from the rows to the run that is predicted


@checked
def calibrate(
    families: Mapping[Any, TableLike],
    target: str | None = None,
    *,
    inputs: Mapping[str, Column] | None = None,
    run: Column | None = None,
    suites: Mapping[Any, str] | None = None,
    base: Calibration | None = None,
    version: str = "own",
) -> Calibration:
    """Teaches the forecast what your own past families had in common, and how far it missed them.

    Each family is cut off below 1/3, 1/10, 1/30 and 1/100 of its largest run's compute, wherever enough is
    left to fit, and that run is predicted. What is learned starts from what ships, which counts as the suites
    it was learned from; every suite of yours counts as one more.

    Args:
        families: name -> table of one family's runs, the largest included.
        target: the column to predict; default "loss".
        inputs: law input -> column, in every table: {"N": ..., "D": ...}, or {"x": ...} for one input.
        run: column naming the training run a row belongs to.
        suites: family -> what shares code, data or authors with others; default: every family is its own.
        base: what to start from; default: what ships.
        version: what to call it.

    Returns:
        A `Calibration` for `sj.forecast(..., calibration=)`; `.to_json()` keeps it.

    Raises:
        DataError: for a table that cannot be read, or where no family has a cut with enough rows.

    >>> import scaling_jax as sj
    >>> x = np.geomspace(1e6, 1e9, 13)
    >>> floors = {"a": 2.0, "b": 1.5}
    >>> past = {name: {"x": x, "loss": floor + 300 / x**0.35} for name, floor in floors.items()}
    >>> sj.calibrate(past, inputs={"x": "x"}, version="ours")
    <Calibration ours: 16 suites, 3 laws>
    """
    past: list[Past] = []
    for name, table in families.items():
        known = Known.of(read_table(table, target, inputs or {"N": "N", "D": "D"}, run))
        suite = str((suites or {}).get(name, name))
        past += [_past(known, suite, str(name), limit) for limit in _limits(known)]
    if not past:
        raise DataError(
            f"None of {len(families)} families has {FEWEST_ROWS} rows below a third of its largest run's "
            "compute: give tables that reach further down."
        )
    return learn(past, shipped() if base is None else base, version)


def _limits(known: Known) -> list[float]:
    """Log computes below which rows are kept, each leaving fewer than the one before."""
    limits = {}
    for factor in FACTORS:
        limit = known.compute.max() - np.log(factor)
        if (left := int((known.compute <= limit).sum())) >= FEWEST_ROWS:
            limits[left] = limit
    return list(limits.values())


def _past(known: Known, suite: str, family: str, limit: float) -> Past:
    last = int(np.argmax(known.compute))
    rows = known.take(known.compute <= limit)
    return Past(suite, family, family, rows, known.inputs[last], float(known.target[last]))
