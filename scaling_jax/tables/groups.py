"""A table read in groups: one that cannot be read is named, with its reason, and never stops the others."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
import pandas as pd

from scaling_jax.core.law import Law
from scaling_jax.tables.read import Keys, Reading, TableLike, as_frame, described, key_of_rows, rows_chosen
from scaling_jax.tables.runs import DataError, Runs

__all__ = ["read_groups"]

NOTHING_LEFT = "None of its rows is left: each has a missing value."


def read_groups(
    reading: Reading, law: Law, table: TableLike, by: Keys, on_log: bool
) -> tuple[Runs, dict[Hashable, str]]:
    """The groups that can be read, and why each of the others cannot, by key.

    Raises:
        DataError: what concerns the whole table, or every group of it.
    """
    frame = as_frame(table)
    reasons: dict[Hashable, str] = {}
    try:
        runs = reading.read(law, frame, by=by, on_log=on_log)
    except DataError as error:
        runs, reasons = _read_apart(reading, law, frame, by, on_log, error)
    asked = key_of_rows(frame, by)[_kept(frame, reading)].dropna().unique()
    known = {*runs.group_labels, *reasons}
    return runs, reasons | {key: NOTHING_LEFT for key in asked.tolist() if key not in known}


def _read_apart(
    reading: Reading, law: Law, frame: pd.DataFrame, by: Keys, on_log: bool, error: DataError
) -> tuple[Runs, dict[Hashable, str]]:
    keys, kept = key_of_rows(frame, by), _kept(frame, reading)
    groups = keys[kept].dropna().unique().tolist()
    alone = {key: kept & np.array([own == key for own in keys]) for key in groups}
    reasons: dict[Hashable, str] = {}
    for key, rows in alone.items():
        try:
            replace(reading, where=rows).read(law, frame, on_log=on_log)
        except DataError as own:
            reasons[key] = str(own)
    if not reasons or len(reasons) == len(groups):
        raise error
    for key in reasons:
        kept = kept & ~alone[key]
    runs = replace(reading, where=kept).read(law, frame, by=by, on_log=on_log)
    dropped = int((~_kept(frame, reading)).sum())
    words = None if reading.where is None else described(reading.where)
    return replace(runs, record=runs.record | {"where": words, "dropped_where": dropped}), reasons


def _kept(frame: pd.DataFrame, reading: Reading) -> np.ndarray:
    if reading.where is None:
        return np.ones(len(frame), dtype=bool)
    return rows_chosen(frame, reading.where, "where")
