"""Every split of a table fitted in one batch, and how well each predicts its target."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.api.groups import FitGroups
from scaling_jax.api.result import FitResult
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective
from scaling_jax.diagnosis.measures import MEASURES, check_measures, log_rmse
from scaling_jax.engine.predict import predict_rows
from scaling_jax.evaluate.splits import Split
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.spec import asked, fixed_numbers
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.read import Reading
from scaling_jax.tables.runs import DataError, Runs, run_weights

__all__ = ["fit_splits", "score"]


@checked
def fit_splits(law: Law, runs: TableLike, splits: Sequence[Split], **options: Any) -> FitGroups:
    """Fits a law to the training rows of every split in one batch.

    Args:
        law: the law.
        runs: the table, as in `sj.fit`.
        splits: what to fit; labels must differ.
        **options: those of `sj.fit` but where=, which the splits replace; fixed= takes a mapping label ->
            value as well, so that parameters may be borrowed from other fits. weights="runs" counts the
            training rows of each split alone.

    Returns:
        A `FitGroups` keyed by label, without the splits that have no row to fit. Splits with the same rows
        share one result.

    Raises:
        DataError: bad input that concerns the whole table.
        ValueError: if two splits have the same label.

    >>> import scaling_jax as sj
    >>> table = {"x": [1.0, 10.0, 100.0, 1000.0], "loss": [8.0, 4.0, 2.0, 1.0]}
    >>> fits = sj.evaluate.fit_splits(sj.laws.power_law, table, sj.evaluate.by_size(table["x"]))
    >>> fits[3].params["A"].__round__(6)
    8.0
    """
    return solve_splits(law, runs, splits, options).fits


@checked
def score(
    law: Law,
    runs: TableLike,
    splits: Sequence[Split],
    *,
    measures: Sequence[str] = tuple(MEASURES),
    **options: Any,
) -> pd.DataFrame:
    """Fits every split in one batch and measures what it predicts of its target.

    Args:
        law: the law.
        runs: the table.
        splits: thousands are welcome.
        measures: names out of `MEASURES`.
        **options: as in `fit_splits`.

    Returns:
        One row per split: its info, n_train, n_test, the measures, in_sample (`log_rmse` of the fitted rows),
        status ("no rows" where there was nothing to fit), and the parameters.

    >>> import scaling_jax as sj
    >>> table = {"x": [1.0, 10.0, 100.0, 1000.0], "loss": [8.0, 4.0, 2.0, 1.0]}
    >>> sj.evaluate.score(sj.laws.power_law, table, sj.evaluate.by_size(table["x"]))["are"].round(6).tolist()
    [0.0, 0.0]
    """
    check_measures(measures)
    solved = solve_splits(law, runs, splits, options)
    target, inside, beyond = solved.runs.target, solved.inside, solved.beyond
    rows = []
    for split in splits:
        train, test = solved.members[split.label]
        row = {**split.info, "n_train": len(train), "n_test": len(test)}
        fit = solved.fits.get(split.label)
        if fit is not None:
            row |= {m: MEASURES[m](beyond[split.label], target[test]) for m in measures} if len(test) else {}
            row["in_sample"] = log_rmse(inside[split.label], target[train])
        row["status"] = "no rows" if fit is None else fit.status
        rows.append(row | ({} if fit is None else dict(zip(law.labels, fit.numbers, strict=True))))
    labels = pd.Index([split.label for split in splits], name="split", tupleize_cols=False)
    return pd.DataFrame(rows, index=labels)


Members = dict[Hashable, tuple[np.ndarray, np.ndarray]]
"""Label of a split -> positions of the rows to fit and to predict."""


@dataclass(frozen=True, eq=False)
class SplitFits:
    """The fits of all splits that have a row to fit.

    Args:
        runs: the rows that any split uses.
        members: for each split's label the positions of the rows to fit and to predict among them.
        fits: by label.
    """

    runs: Runs
    members: Members
    fits: FitGroups

    @cached_property
    def inside(self) -> dict[Hashable, np.ndarray]:
        """What each fit says of the rows it was fitted to."""
        return self._predictions({label: train for label, (train, _) in self.members.items()})

    @cached_property
    def beyond(self) -> dict[Hashable, np.ndarray]:
        """What each fit predicts of its target."""
        return self._predictions({label: test for label, (_, test) in self.members.items()})

    def _predictions(self, rows: dict[Hashable, np.ndarray]) -> dict[Hashable, np.ndarray]:
        """Predictions of every fit for its own rows, in one pass."""
        keys = [key for key in rows if key in self.fits]
        if not keys:
            return {}
        which = np.concatenate([rows[key] for key in keys])
        sizes = [len(rows[key]) for key in keys]
        numbers = np.repeat(np.stack([self.fits[key].numbers for key in keys]), sizes, axis=0)
        columns = {name: column[which] for name, column in self.runs.inputs.items()}
        found = predict_rows(self.fits[keys[0]].law, numbers, columns)
        return dict(zip(keys, np.split(found, np.cumsum(sizes)[:-1]), strict=True))


def solve_splits(law: Law, runs: TableLike, splits: Sequence[Split], options: Mapping[str, Any]) -> SplitFits:
    """Fits every split in one batch; splits with the same rows and fixed values share one fit."""
    if "where" in options:
        raise TypeError(
            "where= and splits both choose rows: leave where= out, or filter the table before splitting it."
        )
    reading, spec = asked(law, options, "fit_splits")
    table, members = _read_splits(law, runs, splits, reading, spec.objective)
    keys = [label for label, (train, _) in members.items() if len(train)]
    fixed = fixed_numbers(spec, keys)
    same = [members[key][0].tobytes() + held.tobytes() for key, held in zip(keys, fixed, strict=True)]
    first = {content: i for i, content in reversed(list(enumerate(same)))}
    once = sorted(first.values())
    rows = [members[keys[i]][0] for i in once]
    weights = [_each_run_alike(table, m) for m in rows] if reading.runs_alike else None
    task = Task(spec, table, rows, fixed[once], [keys[i] for i in once], weights)
    # as in a batch of many: what is scored is the law, and a second look costs several times the first
    fitted = dict(zip(once, map(FitResult.of, solve_members(task, look_again=False)), strict=True))
    fits = FitGroups({key: fitted[first[content]] for key, content in zip(keys, same, strict=True)})
    return SplitFits(table, members, fits)


def _read_splits(
    law: Law, runs: TableLike, splits: Sequence[Split], reading: Reading, objective: Objective
) -> tuple[Runs, Members]:
    """The rows that any split uses, and for each label the rows to fit and to predict among them."""
    if len({split.label for split in splits}) < len(splits):
        raise ValueError("Two splits have the same label: give each its own.")
    whole = as_frame(runs)
    reading, frame = reading.in_order(whole), whole.reset_index(drop=True)
    used = np.zeros(len(frame), dtype=bool)
    for split in splits:
        for rows in (split.train, split.test):
            if len(rows) and not 0 <= rows.min() <= rows.max() < len(frame):
                raise DataError(
                    f"Split {shown(split.label)} names row {int(rows.max())}, the table has "
                    f"{len(frame)} rows."
                )
            used[rows] = True
    weights = None if reading.runs_alike else reading.weights  # runs count alike within each split
    table = replace(reading, where=used, weights=weights).read(
        law, frame, on_log=objective.on_log, trials=objective.counts
    )
    place = np.full(len(frame), -1)
    place[table.rows.astype(np.intp)] = np.arange(len(table))
    return table, {s.label: tuple(p[p >= 0] for p in (place[s.train], place[s.test])) for s in splits}


def _each_run_alike(table: Runs, rows: np.ndarray) -> np.ndarray:
    """Weights of a split's rows under which each of its runs counts the same."""
    if table.run is None:
        raise DataError("weights='runs' needs run=, the column that says which rows are one training run.")
    return run_weights(np.unique(table.run[rows], return_inverse=True)[1])
