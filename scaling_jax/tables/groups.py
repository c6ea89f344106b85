"""A table read in groups: one that cannot be read is named, with its reason, and never stops the others."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from scaling_jax.core.law import Law
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.read import Reading
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.tables.sources import Keys, described, key_of_rows, rows_chosen

__all__ = ["read_groups"]

NOTHING_LEFT = "None of its rows is left: each has a missing value."


def read_groups(
    reading: Reading, law: Law, table: TableLike, by: Keys, on_log: bool, trials: str | float | None = None
) -> tuple[Runs, dict[Hashable, str]]:
    """The groups that can be read, and why each of the others cannot, by key.

    Raises:
        DataError: what concerns the whole table, or every group of it.
    """
    frame = as_frame(table)
    reasons: dict[Hashable, str] = {}
    try:
        runs = reading.read(law, frame, by=by, on_log=on_log, trials=trials)
    except DataError as error:
        runs, reasons = _Apart.of(reading, law, frame, by, on_log, trials).read(error)
    return runs, reasons | _emptied(reading, frame, by, {*runs.group_labels, *reasons})


def _emptied(reading: Reading, frame: pd.DataFrame, by: Keys, known: set[Hashable]) -> dict[Hashable, str]:
    """The groups of which missing values leave nothing."""
    if reading.missing != "drop":
        return {}
    asked = key_of_rows(frame, by)[_kept(frame, reading)].dropna().unique().tolist()
    return {key: NOTHING_LEFT for key in asked if key not in known}


@dataclass(frozen=True, eq=False)
class _Apart:
    """A table some of whose groups cannot be read.

    code: (rows,) the group of each row, -1 where it has none or `where` leaves it out; keys: what groups are
    called.
    """

    reading: Reading
    law: Law
    frame: pd.DataFrame
    by: Keys
    on_log: bool
    trials: str | float | None
    code: np.ndarray
    keys: list[Hashable]

    @classmethod
    def of(
        cls,
        reading: Reading,
        law: Law,
        frame: pd.DataFrame,
        by: Keys,
        on_log: bool,
        trials: str | float | None,
    ) -> _Apart:
        code, keys = pd.factorize(key_of_rows(frame, by).where(_kept(frame, reading)))
        return cls(reading, law, frame, by, on_log, trials, np.asarray(code), keys.tolist())

    def read(self, error: DataError) -> tuple[Runs, dict[Hashable, str]]:
        """What can be read, and why the rest cannot; the whole table's own error where no group can."""
        reasons = self._reasons(np.arange(len(self.keys)))
        if not reasons or len(reasons) == len(self.keys):
            raise error
        good = [code for code, key in enumerate(self.keys) if key not in reasons]
        kept = np.isin(self.code, good)
        runs = replace(self.reading, where=kept).read(
            self.law, self.frame, by=self.by, on_log=self.on_log, trials=self.trials
        )
        words = None if self.reading.where is None else described(self.reading.where)
        filtered = int((~_kept(self.frame, self.reading)).sum())
        return replace(runs, record=runs.record | {"where": words, "dropped_where": filtered}), reasons

    def _reasons(self, codes: np.ndarray) -> dict[Hashable, str]:
        """Why groups cannot be read, the few bad ones of many found by halving."""
        rows = np.isin(self.code, codes)
        try:
            replace(self.reading, where=rows).read(
                self.law, self.frame, on_log=self.on_log, trials=self.trials
            )
        except DataError as error:
            if len(codes) == 1:
                return {self.keys[codes[0]]: str(error)}
            first, second = np.array_split(codes, 2)
            return self._reasons(first) | self._reasons(second)
        return {}


def _kept(frame: pd.DataFrame, reading: Reading) -> np.ndarray:
    if reading.where is None:
        return np.ones(len(frame), dtype=bool)
    return rows_chosen(frame, reading.where, "where")
