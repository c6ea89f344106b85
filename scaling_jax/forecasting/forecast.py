"""`forecast`: a table of runs in, a calibrated distribution of what larger runs will show out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.law import Law
from scaling_jax.forecasting.calibration import Calibration, shipped
from scaling_jax.forecasting.defaults import CURVE, default_laws
from scaling_jax.forecasting.members import fit_members
from scaling_jax.forecasting.reading import read_table
from scaling_jax.forecasting.result import Forecast, log_points
from scaling_jax.forecasting.rows import FEWEST_ROWS, Known, cutoffs
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import Column

__all__ = ["forecast"]

Inputs: TypeAlias = Mapping[str, Column]


@checked
def forecast(
    runs: TableLike,
    target: str | None = None,
    at: TableLike | None = None,
    laws: Sequence[Law] | None = None,
    *,
    inputs: Inputs | None = None,
    run: Column | None = None,
    where: Column | None = None,
    missing: str = "raise",
    calibration: Calibration | None = None,
) -> Forecast:
    r"""Predicts runs that nobody has trained, with a band that held what really happened.

    $$\log y(x) = \sum_m w_m \log L_m(x) + h(x)\,t_\nu / t_\nu(0.95)$$

    The members m are laws under three weightings of the rows (all alike, by size, the upper half), each drawn
    towards what families have in common, in one batch per law. Weights w come from back-tests inside the
    rows, those at the horizon asked for counting most, and from how members did on other families. The
    half-width h adds up residual scatter, open parameters, disagreement of members, the family's own
    back-tests and the distance beyond the data, as past families ask for.

    Args:
        runs: the table, one row per run or checkpoint.
        target: the column to predict; default "loss".
        at: table or mapping of the inputs of the runs to predict, such as {"N": 7e10, "D": 1.4e12}; one
            column alone, such as {"C": 1e24}, forecasts a learning curve or a frontier in it.
        laws: laws to use; default: by the inputs, those that were found to predict best. Laws that no past
            family is known of, a user's own, are fitted without borrowing.
        inputs: law input -> column; same-named columns need no entry.
        run: column naming the training run a row belongs to; rows that share it are checkpoints of one run,
            and every run counts the same.
        where: rows to use, as in `sj.fit`.
        missing: "raise", or "drop" rows with missing values.
        calibration: what was learned from past families; default: what ships, from public suites. See
            `sj.calibrate`.

    Returns:
        A `Forecast`: `.interval(level)`, `.quantile(...)`, `.cdf(...)`, `.draws(n)`, `.predict(other)`,
        `.weights`, `.members`, `.pooling`, `.backtest`, `.adequacy`, `.causes`, `.explanation`;
        printed, a report.

    Raises:
        DataError: bad input, in one sentence, before anything is compiled.
        ValueError: for inputs that no default law has.

    Source: mixed estimation, Theil and Goldberger 1961; back-tests on real extrapolations after Alabdulmohsin
    et al. 2022 (arXiv:2209.06640) and Choshen et al. 2024 (arXiv:2410.11840).

    >>> import numpy as np, scaling_jax as sj
    >>> x = np.geomspace(1e6, 1e9, 13)
    >>> ahead = sj.forecast({"C": x, "loss": 2 + 300 / x**0.35}, at={"C": 1e10})
    >>> ahead.interval().round(1).to_numpy().tolist()
    [[2.1, 2.0, 2.2, 1.0]]
    """
    if at is None:
        raise DataError("at= is missing: say which runs to predict, such as at={'N': 7e10, 'D': 1.4e12}.")
    asked = as_frame(as_columns(at))
    columns = _columns_of(asked, laws, inputs)
    used = default_laws(list(columns)) if laws is None else list(laws)
    table = read_table(runs, target, columns, run, where, missing)
    if len(table) < FEWEST_ROWS:
        raise DataError(f"{len(table)} rows are too few to forecast from: give {FEWEST_ROWS} or more.")
    known, named = Known.of(table), {name: table.sources[name] for name in columns}
    points = log_points(asked, named)
    learned = shipped() if calibration is None else calibration
    cuts = cutoffs(known, points)
    common = [learned.population(law) for law in used]
    batch = fit_members(used, [None if p is None else [p] * len(cuts) for p in common], cuts)
    return Forecast(named, table.sources["target"], batch, learned, points, table.warnings, table)


def _columns_of(asked: pd.DataFrame, laws: Sequence[Law] | None, inputs: Inputs | None) -> Inputs:
    """Input -> where it is read from: those of the laws, else those that are asked for."""
    if inputs is not None and not isinstance(inputs, Mapping):
        raise TypeError(f"inputs={shown(inputs)}: give a mapping of input to column, as in sj.fit.")
    given = dict(inputs or {})
    if laws is not None:
        names = list(dict.fromkeys(name for law in laws for name in law.inputs))
        if not names:
            raise ValueError("laws= is empty: give at least one law.")
        return {name: given.get(name, name) for name in names}
    if given:
        return {name: given[name] for name in ("N", "D")} if {*given} == {"N", "D"} else given
    if {"N", "D"} <= set(asked.columns):
        return {"N": "N", "D": "D"}
    if len(asked.columns) == 1:
        return {CURVE[0]: str(asked.columns[0])}
    raise DataError(
        f"at= has the columns {', '.join(map(str, asked.columns))}: give N and D, or one column alone, or "
        "say inputs={'N': column, 'D': column} or laws=[...]."
    )
