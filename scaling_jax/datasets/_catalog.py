"""What a data set is: a record (where it comes from, what its columns mean) and a function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.datasets._fetch import Files

__all__ = ["Dataset", "Table"]


@dataclass(frozen=True)
class Table:
    """One table of a data set.

    Args:
        read: builds it from the original files.
        rows: the number of rows it must have; None for the one that ships with the package.
        columns: meaning and unit per column; a name may hold `*` for a group of columns.
    """

    read: Callable[[Files], pd.DataFrame]
    rows: int | None
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Dataset:
    """A public data set: its origin, its terms, its tables (the first is the one loaded by default)."""

    name: str
    what: str
    source: str
    commit: str
    licence: str
    citation: str
    size: str
    tables: Mapping[str, Table]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self) -> int | None:
        """Rows of the default table; None where it ships with the package and this installation lacks it."""
        table = next(iter(self.tables.values()))
        if table.rows is not None:
            return table.rows
        try:
            return len(table.read(Files()))
        except FileNotFoundError:
            return None

    def load(self, files: Files, table: str | None = None) -> pd.DataFrame:
        """A table as a frame, its number of rows checked, its origin and columns described in `attrs`."""
        key = table or next(iter(self.tables))
        if key not in self.tables:
            raise ValueError(
                f"Data set {shown(self.name)} has no table {shown(key)}: choose one of "
                f"{', '.join(self.tables)}."
            )
        spec = self.tables[key]
        frame = spec.read(files)
        self._check_rows(frame, key)
        frame.attrs = {
            "name": self.name,
            "table": key,
            "source": self.source,
            "commit": self.commit,
            "licence": self.licence,
            "citation": self.citation,
            "columns": dict(spec.columns),
            "missing": [*self.missing, *frame.attrs.get("missing", ())],
            "notes": list(self.notes),
        }
        return frame

    def _check_rows(self, frame: pd.DataFrame, key: str) -> None:
        known = self.tables[key].rows
        if known is None:
            return
        # A source that could not be fetched says how many rows it takes away.
        rows = known - frame.attrs.get("missing_rows", 0)
        if len(frame) != rows:
            raise ValueError(
                f"Table {shown(key)} of data set {shown(self.name)} has {len(frame)} rows instead of "
                f"{rows}: its files "
                "are not those that this version of scaling_jax knows. Please report it."
            )
