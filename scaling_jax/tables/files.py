"""Tables out of files: comma- and tab-separated, Parquet, JSON lines.

What a spreadsheet exports in another language (columns separated by semicolons or tabs, decimal commas) is
read for what it is.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from scaling_jax.core.checked import one_line
from scaling_jax.core.optional import needs
from scaling_jax.tables.runs import DataError

__all__ = ["read_file"]

SEPARATORS = {";": "semicolons", "\t": "tabs"}
DECIMAL_COMMA = r"-?\d+(,\d+)?([eE][+-]?\d+)?"


def read_file(path: str | Path) -> pd.DataFrame:
    """The table in a file, by its ending: .csv (.csv.gz), .tsv, .parquet or .jsonl.

    `attrs["read_as"]` says what was not plain.

    Raises:
        DataError: where there is none, or it cannot be read.
    """
    path = Path(path)
    readers = {
        ".csv": _read_text,
        ".gz": _read_text,
        ".tsv": _read_text,
        ".parquet": _read_parquet,
        ".jsonl": _read_json_lines,
    }
    named = one_line(path)
    if path.suffix not in readers:
        raise DataError(f"{named} is none of {', '.join(readers)}: convert it first.")
    if not path.is_file():
        raise DataError(f"There is no file {named}.")
    try:
        return readers[path.suffix](path)
    except ValueError as error:
        raise DataError(f"{named} cannot be read as {path.suffix}: {error}") from error


def _read_text(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")
    if len(frame.columns) > 1 or path.suffix == ".tsv":
        return frame
    sign = next((sign for sign in SEPARATORS if sign in str(frame.columns[0])), None)
    return frame if sign is None else _separated_by(sign, path)


def _separated_by(sign: str, path: Path) -> pd.DataFrame:
    """Columns separated otherwise; decimal commas are read where every cell with a comma is such a number."""
    frame = pd.read_csv(path, sep=sign)
    said = [f"columns separated by {SEPARATORS[sign]}"]
    for name, column in frame.items():
        cells = column.dropna().astype(str).str.strip()
        if pd.api.types.is_numeric_dtype(column) or not cells.str.contains(",").any():
            continue
        if cells.str.fullmatch(DECIMAL_COMMA).all():
            frame[name] = pd.to_numeric(column.astype(str).str.strip().str.replace(",", "."))
            said.append(f"decimal commas in '{name}'")
    frame.attrs["read_as"] = said
    return frame


def _read_json_lines(path: Path) -> pd.DataFrame:
    return pd.read_json(path, lines=True)


def _read_parquet(path: Path) -> pd.DataFrame:
    needs("pyarrow", "data", "Reading .parquet needs")
    return pd.read_parquet(path)
