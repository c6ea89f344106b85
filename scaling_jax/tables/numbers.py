"""The cells of a column become float64 numbers, or one sentence that names the rows where they do not."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np
import pandas as pd

from scaling_jax.core.checked import one_line, shown
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.written import TWO_MEANINGS, as_written

__all__ = ["as_numbers", "floats", "no_numbers", "rows_at"]

MOST_ROWS_NAMED = 5
DATES, SPANS = "dates", "spans of time"
NO_NUMBERS: dict[tuple[type, ...], str] = {
    (bool, np.bool_): "true/false values",
    (complex, np.complexfloating): "complex numbers",
    (datetime.date, np.datetime64, pd.Period): DATES,
    (datetime.timedelta, np.timedelta64): SPANS,
}


def floats(values: pd.Series) -> np.ndarray:
    """Numbers as float64, NaN for what is none."""
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):  # what pandas refuses in spite of "coerce": lists, signaling NaN
        return np.full(len(values), np.nan)
    if pd.api.types.is_numeric_dtype(values.dtype) or not np.isnan(numbers).any():
        return numbers
    return np.where(np.isnan(numbers), as_written(values)[0], numbers)


def no_numbers(values: pd.Series) -> str:
    """What a column holds, in words, where pandas would make numbers of it that nobody meant."""
    kinds = pd.api.types
    dtype = values.dtype
    if kinds.is_object_dtype(dtype):
        held = set(map(type, values))
        return next(
            (words for kind, words in NO_NUMBERS.items() if any(issubclass(t, kind) for t in held)), ""
        )
    if kinds.is_bool_dtype(dtype):
        return NO_NUMBERS[bool, np.bool_]
    if kinds.is_complex_dtype(dtype):
        return NO_NUMBERS[complex, np.complexfloating]
    dated = kinds.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype)
    return DATES if dated else SPANS if kinds.is_timedelta64_dtype(dtype) else ""


def as_numbers(values: pd.Series, title: str, rows: np.ndarray, missing: str, said: list[str]) -> np.ndarray:
    """A column as float64; what was not plain in it is `said`."""
    if pd.api.types.is_bool_dtype(values.dtype):
        raise DataError(
            f"{title} holds true/false values, not numbers: convert it, for example with .astype(float)."
        )
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        raise DataError(f"{title} holds dates, not numbers: convert it to a number first.")
    if pd.api.types.is_complex_dtype(values.dtype):
        raise DataError(f"{title} holds complex numbers: give real ones.")
    if kind := no_numbers(values):
        raise DataError(f"{title} holds {kind}, not numbers: convert it to numbers first.")
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        text = np.zeros(len(values), dtype=bool)
    else:
        numbers = pd.to_numeric(values.map(_big_number), errors="coerce").to_numpy(
            dtype=np.float64, na_value=np.nan
        )
        written, example = as_written(values)
        numbers = np.where(np.isnan(numbers), written, numbers)
        if example:
            said.append(f"{example} in {shown(values.name)}")
        text = (
            np.isnan(numbers)
            & ~pd.isna(values).to_numpy()
            & (values.astype(str).str.lower() != "nan").to_numpy()
        )
    if text.any():
        example = values[text].iloc[0]
        doubt = "thousands or decimals? Write" if TWO_MEANINGS.fullmatch(str(example)) else "write"
        raise DataError(
            f"{title} holds text in {rows_at(rows, text)}, for example {shown(example)}: {doubt} plain "
            "numbers (1e9)."
        )
    bad = ~np.isfinite(numbers)
    if bad.any() and missing == "raise":
        kind = "missing or not finite"
        raise DataError(
            f"{title} is {kind} in {rows_at(rows, bad)}: fix the values, or pass missing='drop' to leave "
            "those rows out."
        )
    return numbers


def _big_number(value: object) -> object:
    """Python integers as floats, infinite beyond the largest; everything else passes."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return np.copysign(np.inf, value > 0 or -1)


def rows_at(rows: Sequence[object] | np.ndarray, which: np.ndarray) -> str:
    named = [one_line(r) for r in np.asarray(rows)[which][:MOST_ROWS_NAMED]]
    more = int(which.sum()) - len(named)
    return f"row{'s' if which.sum() > 1 else ''} {', '.join(named)}" + (f" and {more} more" if more else "")
