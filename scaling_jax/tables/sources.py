"""Where values come from: a column by name, an array, or a function of the table, as one value per row.

Nothing is made of the values here; `tables.numbers` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import one_line, shown
from scaling_jax.core.law import Law
from scaling_jax.tables.expression import rows_where
from scaling_jax.tables.frames import in_floats
from scaling_jax.tables.names import guessed
from scaling_jax.tables.rates import is_one_curve
from scaling_jax.tables.runs import DataError

__all__ = [
    "Column",
    "Keys",
    "aligned",
    "check_columns",
    "curves_of",
    "described",
    "input_columns",
    "key_of_rows",
    "names_columns",
    "resolve",
    "rows_chosen",
    "same_columns",
    "selected",
    "values_of",
]

Column: TypeAlias = str | ArrayLike | Callable[[pd.DataFrame], ArrayLike]
"""Where values come from: a column\'s name, an array, or a function of the table."""
Keys: TypeAlias = Column | Sequence[str]
"""What tells groups apart: a column, or the names of several."""


def input_columns(law: Law, frame: pd.DataFrame, inputs: Mapping[str, Column] | None) -> dict[str, Column]:
    """Law input -> column, array or function; same-named columns need no entry, nor one of a usual name."""
    if inputs is not None and not isinstance(inputs, Mapping):
        raise DataError(
            f"inputs={shown(inputs)}: give a mapping of law input to column, such as {{'N': 'n_params'}}."
        )
    given = dict(inputs or {})
    if unknown := set(given) - set(law.inputs):
        raise DataError(
            f"inputs names {sorted(unknown)}, but law '{law.name}' has the inputs {list(law.inputs)}."
        )
    named = {name: name if name in frame.columns else guessed(name, frame.columns) for name in law.inputs}
    found = {name: column for name, column in named.items() if column is not None} | given
    absent = [name for name in law.inputs if name not in found]
    if absent:
        raise DataError(
            f"Law '{law.name}' needs the input{'s' if len(absent) > 1 else ''} {', '.join(absent)}, and the "
            "table has no such column: "
            f"say inputs={{{', '.join(f'{shown(n)}: {_asked(law, n)}' for n in absent)}}} with one of "
            f"{_columns(frame)}."
        )
    return {name: found[name] for name in law.inputs}


def same_columns(law: Law, frame: pd.DataFrame, sources: Mapping[str, str]) -> dict[str, str]:
    """Law input -> the column it was read from before, where this table has that column and none of the
    input's own name."""
    return {
        name: sources[name]
        for name in law.inputs
        if name not in frame.columns and sources.get(name) in frame.columns
    }


def _asked(law: Law, name: str) -> str:
    """What a law takes for an input, in a sentence."""
    return "{run: one rate per update}" if name in law.curves else "column"


def key_of_rows(frame: pd.DataFrame, by: Keys) -> pd.Series:
    """The key of each row's group: a value, or a tuple where several columns tell groups apart."""
    return resolve(frame, by, "by", "by")


def values_of(frame: pd.DataFrame, source: Column, what: str) -> pd.Series:
    """The values of a target: a column, an array, or a function of the table."""
    return resolve(frame, source, what, "target")


def check_columns(frame: pd.DataFrame, *names: str) -> None:
    """Refuses a table that lacks one of these columns."""
    if absent := [name for name in names if name not in frame.columns]:
        raise DataError(f"There is no column {shown(absent[0])}: the table has {_columns(frame)}.")


def resolve(frame: pd.DataFrame, source: object, what: str, argument: str) -> pd.Series:
    """A column by name (for runs and groups also several), an array of the table's length, or a function of
    the table."""
    if isinstance(source, str):
        if source not in frame.columns:
            raise DataError(
                f"There is no column {shown(source)} for {what}: the table has {_columns(frame)}."
            )
        return frame[source]
    if argument in ("run", "by") and names_columns(source):
        parts = [resolve(frame, name, what, argument) for name in source]
        together = pd.Series(list(zip(*parts, strict=True)), index=frame.index, dtype=object)
        return together.mask(pd.concat(parts, axis=1).isna().any(axis=1))
    if callable(source):
        try:
            source = source(in_floats(frame))
        except Exception as error:
            raise DataError(
                f"The function given for {what} failed on the table ({type(error).__name__}: {error})."
            ) from error
    if isinstance(source, pd.Series):
        values = aligned(frame, source, argument).to_numpy()
    else:
        values = _array(source, argument)
    whose = "" if what == argument else f" for {what}"
    if values.ndim == 0:
        raise DataError(
            f"{argument}={whose} is {shown(source)}: give the name of a column, one value per row, or a "
            "function of the table; leave it out where the column has that name."
        )
    if values.ndim != 1 or len(values) != len(frame):
        raise DataError(
            f"{argument}={whose} has shape {values.shape}, the table has {len(frame)} rows: give one value "
            "per row of the whole table."
        )
    return pd.Series(values, index=frame.index)


def curves_of(frame: pd.DataFrame, source: object, name: str, run: Column | None) -> pd.Series:
    """(rows,) for an input that is a curve: curves, rates, or the names of runs where curves go by these."""
    if isinstance(source, Mapping):
        if run is None:
            raise DataError(
                f"inputs gives the curves of {name} by the names of runs: say run=, their column."
            )
        return resolve(frame, run, "run", "run")
    source = source(frame) if callable(source) else source
    if source is None or (np.isscalar(source) and not isinstance(source, str)):
        raise DataError(
            f"inputs= for input {shown(name)} is {shown(source)}, and it is the curve of each run: give "
            f"{{run: one rate per update}} with run=, the rates of one schedule, or a column of curves "
            "(sj.schedules.from_table makes one of a log)."
        )
    if is_one_curve(source):
        source = [source] * len(frame)
    if isinstance(source, list | tuple) and len(source) == len(frame):
        return pd.Series(list(source), index=frame.index, dtype=object)
    return resolve(frame, source, f"input '{name}'", "inputs")


def _array(source: object, argument: str) -> np.ndarray:
    try:
        return np.asarray(source)
    except Exception as error:  # lists in lists, and whatever an object's own conversion does
        raise DataError(
            f"{argument}={shown(source)}: give a column, an array, or a function of the table."
        ) from error


def names_columns(source: object) -> TypeGuard[Sequence[str]]:
    """Whether this is a short list of names, columns that together tell groups or runs apart."""
    return (
        isinstance(source, list | tuple)
        and 0 < len(source) < 8
        and all(isinstance(name, str) for name in source)
    )


def selected(frame: pd.DataFrame, where: Column | None) -> tuple[np.ndarray, dict[str, object]]:
    if where is None:
        return np.ones(len(frame), dtype=bool), {"where": None, "dropped_where": 0}
    mask = rows_chosen(frame, where, "where")
    if not mask.any():
        raise DataError(f"where={described(where)!r} leaves none of {len(frame)} rows: loosen it.")
    return mask, {"where": described(where), "dropped_where": int((~mask).sum())}


def rows_chosen(frame: pd.DataFrame, chosen: Column, argument: str) -> np.ndarray:
    """(rows,) booleans out of a condition in words (`tables.expression`), a mask, or a function of the
    table."""
    if isinstance(chosen, str):
        return rows_where(frame, chosen, argument)
    if callable(chosen):
        try:
            chosen = chosen(in_floats(frame))
        except Exception as error:
            raise DataError(
                f"{argument}={described(chosen)!r} does not work on this table ({type(error).__name__}: "
                f"{error}): it has "
                f"{_columns(frame)}."
            ) from error
    mask = _array(aligned(frame, chosen, argument) if isinstance(chosen, pd.Series) else chosen, argument)
    if mask.dtype == object and set(map(type, mask.ravel())) <= {bool, np.bool_}:
        mask = mask.astype(bool)
    if mask.dtype != bool or mask.shape != (len(frame),):
        raise DataError(
            f"{argument}= must give one true or false per row ({len(frame)} rows), got {mask.dtype} of "
            f"shape {mask.shape}."
        )
    return mask


def aligned(frame: pd.DataFrame, values: pd.Series, argument: str) -> pd.Series:
    """A Series in the order of the table's rows, by its labels.

    Raises:
        DataError: where its labels are not those of the table, each once.
    """
    if values.index.equals(frame.index):
        return values
    if len(values) == len(frame) and values.index.is_unique and frame.index.isin(values.index).all():
        return values.reindex(frame.index)
    raise DataError(
        f"{argument}= is a Series whose row labels are not the table's: give it the table's index, or pass "
        ".to_numpy() to take its values in order."
    )


def described(source: object) -> str:
    if isinstance(source, str):
        return source
    if callable(source):
        return "function" if (name := getattr(source, "__name__", "function")) == "<lambda>" else name
    return "array"


def _columns(frame: pd.DataFrame) -> str:
    names = [one_line(c) for c in frame.columns]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
