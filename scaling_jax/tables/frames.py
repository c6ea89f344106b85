"""Whatever table a user has, as a pandas frame, or one clear sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.core.optional import needs
from scaling_jax.tables.files import read_file
from scaling_jax.tables.runs import DataError

__all__ = ["TableLike", "as_columns", "as_frame", "in_floats"]

FOREIGN = ("pyarrow", "duckdb", "_duckdb", "modin", "cudf", "ibis")
"""Libraries whose frames come through narwhals."""


class PolarsFrame(Protocol):
    """What is asked of a polars frame."""

    @property
    def schema(self) -> object: ...

    def to_dict(self, *, as_series: bool = True) -> Any: ...


TableLike: TypeAlias = (
    pd.DataFrame | Mapping[str, Any] | PolarsFrame | Sequence[Mapping[str, Any]] | str | Path
)
"""A table: a pandas or polars frame, a mapping of column names to equally long arrays (or numbers), a list of
one mapping per row, or the path of a file."""


def as_frame(table: TableLike) -> pd.DataFrame:
    """A pandas frame from pandas, polars, a mapping of equally long arrays, a list of one mapping per row, or
    the path of a file.

    Raises:
        DataError: for anything else, columns of different lengths, or text that is none.
    """
    try:
        return _as_frame(table)
    except UnicodeError as error:  # pandas keeps text in Arrow, which holds whole characters only
        raise DataError(f"The table holds text that is not Unicode ({error}): correct it.") from error


def _as_frame(table: TableLike) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        frame = table.copy(deep=False)
    elif hasattr(table, "collect") and hasattr(table, "lazy"):
        return as_frame(table.collect())
    elif hasattr(table, "to_dict") and hasattr(table, "schema"):
        frame = pd.DataFrame(table.to_dict(as_series=False))
    elif isinstance(table, Mapping):
        if flat := [name for name, values in table.items() if np.ndim(values) > 1]:
            raise DataError(
                f"Column {shown(flat[0])} has {np.ndim(table[flat[0]])} dimensions: give one value per row."
            )
        lengths = {name: np.ndim(values) and len(values) for name, values in table.items()}
        if len({n for n in lengths.values() if n}) > 1:
            said = ", ".join(f"{k}: {v}" for k, v in lengths.items())
            raise DataError(f"The columns have different lengths ({said}): give arrays of equal length.")
        rows = max(lengths.values(), default=0) or 1
        frame = pd.DataFrame(
            {name: values if np.ndim(values) else [values] * rows for name, values in table.items()}
        )
    elif isinstance(table, str | Path):
        frame = read_file(table)
    elif type(table).__module__.partition(".")[0] in FOREIGN:
        frame = _out_of(table)
    elif isinstance(table, list | tuple) and table and all(isinstance(row, Mapping) for row in table):
        frame = pd.DataFrame.from_records(list(table))
    else:
        raise DataError(
            "A table is a DataFrame of pandas, polars, pyarrow or DuckDB, a mapping of column names to "
            f"arrays, a list of one mapping per row, or the path of a file, not {type(table).__name__}."
        )
    if frame.columns.has_duplicates:
        twice = sorted({str(c) for c in frame.columns[frame.columns.duplicated()]})
        raise DataError(f"Column names {twice} occur more than once: rename or drop the copies.")
    return frame


def _out_of(table: object) -> pd.DataFrame:
    """A pandas frame out of another library's, or of a query that is run for it."""
    narwhals = needs("narwhals", "data", "Frames of pyarrow and DuckDB need")
    try:
        held = narwhals.from_native(table)
        eager = held.collect("pyarrow") if isinstance(held, narwhals.LazyFrame) else held
        return pd.DataFrame(eager.to_pandas())
    except TypeError as error:
        raise DataError(f"{shown(type(table).__name__)} is no table: give a frame or a query.") from error


def as_columns(table: TableLike) -> TableLike:
    """The numbers of a mapping as columns of equal length; any other table as it is."""
    if not isinstance(table, Mapping):
        return table
    try:
        size = max((np.size(v) for v in table.values()), default=1)
        return {k: np.broadcast_to(v, size).copy() if np.ndim(v) == 0 else v for k, v in table.items()}
    except Exception as error:  # lists in lists, and whatever an object's own conversion does
        raise DataError(f"The table {shown(table)} holds what is no column.") from error


def in_floats(frame: pd.DataFrame) -> pd.DataFrame:
    """Whole-number columns as float64, so that a user's function of them (6 * N * D) cannot overflow."""
    whole = [
        c
        for c in frame.columns
        if pd.api.types.is_integer_dtype(frame[c].dtype) and not frame[c].isna().any()
    ]
    return frame.astype(dict.fromkeys(whole, np.float64))
