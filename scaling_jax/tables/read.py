"""The table's door: a frame becomes plain float64 arrays, or one clear sentence.

Everything is checked here, in NumPy, before anything compiles. What is dropped is counted and recorded.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeAlias, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import one_line, shown
from scaling_jax.core.curves import CurveColumn
from scaling_jax.core.law import Law, must_be_law
from scaling_jax.tables.expression import rows_where
from scaling_jax.tables.frames import TableLike, as_columns, as_frame, in_floats
from scaling_jax.tables.names import guessed
from scaling_jax.tables.rates import Named, curve_column, is_one_curve, taken_apart
from scaling_jax.tables.runs import DataError, Runs, run_weights
from scaling_jax.tables.scale import size_weights
from scaling_jax.tables.written import TWO_MEANINGS, as_written

__all__ = [
    "Column",
    "Reading",
    "Weights",
    "aligned",
    "described",
    "floats",
    "input_columns",
    "key_of_rows",
    "names_columns",
    "no_numbers",
    "read_inputs",
    "read_runs",
    "rows_chosen",
    "same_columns",
    "values_of",
]

LONG_CURVE, SMALL_STEP, MOSTLY = 8, 1.5, 0.8  # rows; ratio of neighbours; share
MOST_ROWS_NAMED = 5
DATES, SPANS = "dates", "spans of time"
NO_NUMBERS: dict[tuple[type, ...], str] = {
    (bool, np.bool_): "true/false values",
    (complex, np.complexfloating): "complex numbers",
    (datetime.date, np.datetime64, pd.Period): DATES,
    (datetime.timedelta, np.timedelta64): SPANS,
}

Column: TypeAlias = str | ArrayLike | Callable[[pd.DataFrame], ArrayLike]
"""Where values come from: a column\'s name, an array, or a function of the table."""
Weights: TypeAlias = Column | Mapping[str, float]
"""What multiplies each row's term: values, "runs", "size", or a power per input."""
Keys: TypeAlias = Column | Sequence[str]
"""What tells groups apart: a column, or the names of several."""


@dataclass(frozen=True, eq=False)
class Reading:
    """How a table is to be read: those words of `sj.fit` that concern its columns and rows.

    Args:
        inputs: law input -> column name, array or function of the table.
        target, run, where, missing, weights, target_se: as in `sj.fit`.
    """

    inputs: Mapping[str, Column] | None = None
    target: Column | None = None
    run: Column | None = None
    where: Column | None = None
    missing: str = "raise"
    weights: Weights | None = None
    target_se: Column | None = None

    def read(
        self,
        law: Law,
        table: TableLike,
        *,
        by: Keys | None = None,
        on_log: bool = True,
        trials: str | float | None = None,
    ) -> Runs:
        """The table's rows as arrays; see `read_runs`."""
        words = {f.name: getattr(self, f.name) for f in fields(self)}
        return read_runs(law, table, by=by, on_log=on_log, trials=trials, **words)

    def in_order(self, table: pd.DataFrame) -> Reading:
        """The same with every Series as plain values in the order of the table's rows."""

        def plain(source: Column | None, argument: str) -> Column | None:
            return aligned(table, source, argument).to_numpy() if isinstance(source, pd.Series) else source

        given = self.inputs if isinstance(self.inputs, Mapping) else {}  # what is none is refused by `read`
        inputs = {name: plain(source, "inputs") for name, source in given.items()}
        return replace(
            self,
            inputs={name: source for name, source in inputs.items() if source is not None} or self.inputs,
            target=plain(self.target, "target"),
            run=plain(self.run, "run"),
            weights=self.weights if isinstance(self.weights, Mapping) else plain(self.weights, "weights"),
            target_se=plain(self.target_se, "target_se"),
        )

    @property
    def runs_alike(self) -> bool:
        """Whether every run is to count the same."""
        return _named(self.weights, "runs")


def read_runs(
    law: Law,
    table: TableLike,
    *,
    inputs: Mapping[str, Column] | None = None,
    target: Column | None = None,
    run: Column | None = None,
    by: Keys | None = None,
    where: Column | None = None,
    missing: str = "raise",
    weights: Weights | None = None,
    target_se: Column | None = None,
    on_log: bool = True,
    trials: str | float | None = None,
) -> Runs:
    """Reads the columns a fit needs out of a table; arguments are those of `sj.fit`.

    With `trials`, a column or a number, the target counts successes: its share of them is kept, with one over
    the root of the trials as `target_se`.

    Raises:
        DataError: one sentence naming column, rows and remedy.
    """
    must_be_law(law)
    table, beside = taken_apart(law, table)
    frame = as_frame(table)
    if str(missing) not in ("raise", "drop"):
        raise DataError(f"missing={shown(missing)}: use 'raise' or 'drop'.")
    if not len(frame):
        raise DataError("The table has no rows.")
    if beside:
        inputs = {**beside, **(inputs or {})}
    sources = input_columns(law, frame, inputs)
    given = {*(inputs or {}), *([] if target is None else [law.target])}
    if target is None:
        own = law.target in frame.columns
        target = law.target if own else guessed(law.target, frame.columns) or law.target
    taken = {name: column for name, column in {**sources, law.target: target}.items() if name not in given}
    guesses = [
        f"column {shown(column)} as {name}" for name, column in taken.items() if not _named(column, name)
    ]
    said = [*frame.attrs.get("read_as", ()), *guesses]
    columns = {
        name: _resolve(frame, source, f"input '{name}'", "inputs")
        for name, source in sources.items()
        if name not in law.curves
    }
    columns["target"] = _resolve(frame, target, "the target", "target")
    if target_se is not None:
        columns["target_se"] = _resolve(frame, target_se, "target_se", "target_se")
    if trials is not None:
        if target_se is not None:
            raise DataError("target_se= has no place beside counts: the trials say how sure a row is.")
        each = trials if isinstance(trials, str) else np.full(len(frame), float(trials))
        columns["trials"] = _resolve(frame, each, "the trials", "trials")
    if weights is not None and not isinstance(weights, Mapping) and not _named(weights, "runs", "size"):
        columns["weights"] = _resolve(frame, weights, "weights", "weights")
    labels = {
        name: _resolve(frame, source, name, name)
        for name, source in (("run", run), ("by", by))
        if source is not None
    }
    labels |= {f"input {name}": _cells(frame, sources[name], name, run) for name in law.curves}

    keep, record = _selected(frame, where)
    titles = {name: described(source) for name, source in {**sources, "target": target}.items()}
    numbers = {}
    finite = np.ones(int(keep.sum()), dtype=bool)
    rows = frame.index.to_numpy()[keep]
    for name, values in columns.items():
        numbers[name] = _as_numbers(values[keep], _title(name, titles), rows, missing, said)
        finite &= np.isfinite(numbers[name])
    for name, values in labels.items():
        lost = pd.isna(values[keep]).to_numpy()
        if lost.any() and missing == "raise":
            raise DataError(f"{name} is missing in {_rows(rows, lost)}: fill it, or pass missing='drop'.")
        finite &= ~lost
    record["dropped_missing"] = int((~finite).sum())
    rows, numbers = rows[finite], {name: values[finite] for name, values in numbers.items()}
    labels = {name: values[keep][finite] for name, values in labels.items()}
    if not len(rows):
        raise DataError(f"Nothing is left of {len(frame)} rows after where and missing='drop': loosen them.")

    if trials is not None:
        numbers |= _shares(numbers.pop("trials"), numbers["target"], _title("target", titles), rows)
    _check_domains(law, numbers, titles, rows, on_log)
    for name in law.curves:
        source: object = sources[name]
        cells = labels[f"input {name}"].set_axis(rows)
        named: Named = source if isinstance(source, Mapping) else {}
        numbers[name] = curve_column(law, name, cells, numbers[law.along], named)
    run_codes, run_labels = _codes(labels.get("run"))
    group_codes, group_labels = _codes(labels.get("by"))
    weight = numbers.get("weights", np.ones(len(rows)))
    if isinstance(weights, Mapping) or _named(weights, "size"):
        weight = size_weights(numbers, law, weights if isinstance(weights, Mapping) else None)
    if _named(weights, "runs"):
        if run_codes is None:
            raise DataError(
                "weights='runs' needs run=, the column that says which rows are one training run."
            )
        weight = run_weights(run_codes)
    record |= {"rows_in_table": len(frame), "rows_used": len(rows)}
    if unit := _unit_of(frame, titles["target"]):
        record["unit"] = unit
    if said:
        record["read_as"] = said
    runs = Runs(
        inputs={name: numbers[name] for name in law.inputs},
        target=numbers["target"],
        weight=weight,
        target_se=numbers.get("target_se"),
        run=run_codes,
        run_labels=run_labels,
        group=group_codes if group_codes is not None else np.zeros(len(rows), dtype=int),
        group_labels=group_labels or [None],
        rows=rows,
        sources=titles | ({"run": described(run)} if run is not None else {}),
        record=record,
    )
    runs.warnings.extend(_table_warnings(runs))
    return runs


def _unit_of(frame: pd.DataFrame, column: str) -> str:
    """The unit that a table states of a column, as the loaders of data sets do."""
    said = frame.attrs.get("columns")
    words = said.get(column, "") if isinstance(said, Mapping) else ""
    found = re.search(r"\[([^\[\]]{1,40})\]$", words) if isinstance(words, str) else None
    return found[1] if found else ""


def _named(given: object, *names: str) -> bool:
    """Whether it is one of these words."""
    return isinstance(given, str) and given in names


def key_of_rows(frame: pd.DataFrame, by: Keys) -> pd.Series:
    """The key of each row's group: a value, or a tuple where several columns tell groups apart."""
    return _resolve(frame, by, "by", "by")


def values_of(frame: pd.DataFrame, source: Column, what: str) -> pd.Series:
    """The values of a target: a column, an array, or a function of the table."""
    return _resolve(frame, source, what, "target")


def same_columns(law: Law, frame: pd.DataFrame, sources: Mapping[str, str]) -> dict[str, str]:
    """Law input -> the column it was read from before, where this table has that column and none of the
    input's own name."""
    return {
        name: sources[name]
        for name in law.inputs
        if name not in frame.columns and sources.get(name) in frame.columns
    }


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


def _asked(law: Law, name: str) -> str:
    """What a law takes for an input, in a sentence."""
    return "{run: one rate per update}" if name in law.curves else "column"


def read_inputs(
    law: Law,
    table: TableLike,
    sources: Mapping[str, str] | None = None,
    curves: Mapping[str, Named] | None = None,
) -> dict[str, np.ndarray]:
    """A law's inputs at places to predict: columns of its own names, or those that `sources` gives for them;
    `curves` by input that go by a name.

    Raises:
        DataError: if one is missing, holds no numbers, or lies outside the input's domain.
    """
    if isinstance(table, Mapping):
        table = {k: v for k, v in table.items() if v is not None}
    table, beside = taken_apart(law, table)
    frame = as_frame(as_columns(table))
    found: dict[str, np.ndarray] = {
        name: column for name, column in beside.items() if isinstance(column, CurveColumn)
    }
    cells = {
        name: _cells_ahead(frame, beside.get(name), name, (sources or {}).get("run"), curves or {})
        for name in law.curves
        if name not in found
    }
    beside |= {name: name for name in law.curves}
    for name, column in input_columns(law, frame, same_columns(law, frame, sources or {}) | beside).items():
        if name in law.curves:
            continue
        if kind := no_numbers(frame[column]):
            raise DataError(
                f"Input {name} holds {kind}, not numbers: convert it to numbers to predict with law "
                f"'{law.name}'."
            )
        found[name], domain = floats(frame[column]), law.input_domains[name]
        if not domain.contains(found[name]).all():
            raise DataError(
                f"Input {name} must be {domain.name} and finite to predict with law '{law.name}'."
            )
    for name, (of_rows, named) in cells.items():
        found[name] = curve_column(law, name, of_rows, found[law.along], named)
    if (off := law.off_simplex(found)).any():
        raise DataError(_shares_words(law, found, np.arange(len(off)), off))
    return {name: found[name] for name in law.inputs}


def _cells_ahead(
    frame: pd.DataFrame, given: object, name: str, run: str | None, known: Mapping[str, Named]
) -> tuple[pd.Series, Named]:
    """(rows,) what stands for a curve at places to predict, and the curves that go by a name there.

    A column of the curve's own name counts before the names of runs, unless it logs one rate per row.
    """
    named = known.get(name, {})
    if isinstance(given, Mapping):
        return _cells(frame, given, name, run), given
    if given is not None:
        single = isinstance(given, str) and given in named
        return _cells(frame, [given] * len(frame) if single else given, name, run), named
    if name in frame.columns and not pd.api.types.is_numeric_dtype(frame[name].dtype):
        return frame[name], named
    if run in frame.columns and named:
        return frame[run], named
    raise DataError(
        f"Input {name} is a curve, and the table has no column of curves: give {{{name!r}: one rate per "
        "update, ...}, or the names of runs that were fitted."
    )


def _shares_words(law: Law, numbers: Mapping[str, np.ndarray], rows: np.ndarray, off: np.ndarray) -> str:
    """That shares do not add up to one, with the rows."""
    total = sum(numbers[name][off][0] for name in law.simplex)
    return (
        f"The shares {', '.join(law.simplex)} must add up to 1 for law '{law.name}', and add up to "
        f"{total:.4g} in {_rows(rows, off)}: give every domain of the mixture, as fractions of the whole."
    )


def floats(values: pd.Series) -> np.ndarray:
    """Numbers as float64, NaN for what is none."""
    try:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):  # what pandas refuses in spite of "coerce": lists, signaling NaN
        return np.full(len(values), np.nan)
    if pd.api.types.is_numeric_dtype(values.dtype) or not np.isnan(numbers).any():
        return numbers
    return np.where(np.isnan(numbers), as_written(values)[0], numbers)


def _resolve(frame: pd.DataFrame, source: object, what: str, argument: str) -> pd.Series:
    """A column by name (for runs and groups also several), an array of the table's length, or a function of
    the table."""
    if isinstance(source, str):
        if source not in frame.columns:
            raise DataError(
                f"There is no column {shown(source)} for {what}: the table has {_columns(frame)}."
            )
        return frame[source]
    if argument in ("run", "by") and names_columns(source):
        parts = [_resolve(frame, name, what, argument) for name in source]
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
    if values.ndim != 1 or len(values) != len(frame):
        whose = "" if what == argument else f" for {what}"
        raise DataError(
            f"{argument}={whose} has shape {values.shape}, the table has {len(frame)} rows: give one value "
            "per row of the whole table."
        )
    return pd.Series(values, index=frame.index)


def _cells(frame: pd.DataFrame, source: object, name: str, run: Column | None) -> pd.Series:
    """(rows,) for an input that is a curve: curves, rates, or the names of runs where curves go by these."""
    if isinstance(source, Mapping):
        if run is None:
            raise DataError(
                f"inputs gives the curves of {name} by the names of runs: say run=, their column."
            )
        return _resolve(frame, run, "run", "run")
    source = source(frame) if callable(source) else source
    if is_one_curve(source):
        source = [source] * len(frame)
    if isinstance(source, list | tuple) and len(source) == len(frame):
        return pd.Series(list(source), index=frame.index, dtype=object)
    return _resolve(frame, source, f"input '{name}'", "inputs")


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


def _selected(frame: pd.DataFrame, where: Column | None) -> tuple[np.ndarray, dict[str, object]]:
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


def _as_numbers(values: pd.Series, title: str, rows: np.ndarray, missing: str, said: list[str]) -> np.ndarray:
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
            f"{title} holds text in {_rows(rows, text)}, for example {shown(example)}: {doubt} plain "
            "numbers (1e9)."
        )
    bad = ~np.isfinite(numbers)
    if bad.any() and missing == "raise":
        kind = "missing or not finite"
        raise DataError(
            f"{title} is {kind} in {_rows(rows, bad)}: fix the values, or pass missing='drop' to leave "
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


def _shares(trials: np.ndarray, successes: np.ndarray, title: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The share of successes, and one over the root of the trials."""
    for bad, words in (
        ((trials < 1) | (trials != np.round(trials)), "trials must be whole numbers, 1 or more, and are not"),
        (successes != np.round(successes), f"{title} counts successes and must be whole, and is not"),
        (successes < 0, f"{title} counts successes and must not be negative, and is"),
        (successes > trials, f"{title} counts more successes than there are trials"),
    ):
        if bad.any():
            raise DataError(f"{words} in {_rows(rows, bad)}: correct them, or remove them with where=.")
    return {"target": successes / trials, "target_se": 1 / np.sqrt(trials)}


def _check_domains(
    law: Law, numbers: dict[str, np.ndarray], described: dict[str, str], rows: np.ndarray, on_log: bool
) -> None:
    for name in (n for n in law.inputs if n in numbers):
        domain = law.input_domains[name]
        outside = ~domain.contains(numbers[name])
        if outside.any():
            raise DataError(
                f"{_title(name, described)} must be {domain.name} for law '{law.name}', and is "
                f"{numbers[name][outside][0]:g} in {_rows(rows, outside)}: remove them with where=, or "
                "correct them."
            )
    if (off := law.off_simplex(numbers)).any():
        raise DataError(_shares_words(law, numbers, rows, off))
    if on_log and (bad := numbers["target"] <= 0).any():
        raise DataError(
            f"{_title('target', described)} must be positive for residuals on logs, and is "
            f"{numbers['target'][bad][0]:g} in "
            f"{_rows(rows, bad)}: use an objective with on='raw', or remove them with where=."
        )
    if "target_se" in numbers and (bad := numbers["target_se"] <= 0).any():
        raise DataError(
            f"target_se must be positive, and is not in {_rows(rows, bad)}: standard errors of 0 cannot be "
            "weighed."
        )
    if "weights" in numbers:
        if (bad := numbers["weights"] < 0).any():
            raise DataError(
                f"weights must not be negative, and are in {_rows(rows, bad)}: use 0 to leave a row out."
            )
        if not numbers["weights"].any():
            raise DataError("All weights are zero: nothing would be fitted.")


def _table_warnings(runs: Runs) -> list[str]:
    found = []
    points = pd.DataFrame({**runs.inputs, "target": runs.target, "group": runs.group})
    if (twice := points.duplicated()).any():
        found.append(
            f"{int(twice.sum())} rows repeat another row exactly, first "
            f"{_rows(runs.rows, twice.to_numpy())}; they count twice."
        )
    if runs.run is None and _looks_like_checkpoints(runs):
        found.append(
            "Many rows share all inputs but one, which moves in small steps: this looks like "
            "checkpoints of one run. "
            "Pass run= so that later steps know; checkpoints from the middle of a decaying schedule are not "
            "runs of that length."
        )
    return found


def _looks_like_checkpoints(runs: Runs) -> bool:
    """Whether most rows lie on curves along which one input moves in many small steps and the target falls;
    in whatever order they stand. A sweep over a few lengths or ratios takes larger steps."""
    if len(runs.inputs) < 2:
        return False
    columns = [*runs.inputs.values(), runs.group.astype(float)]
    return any(_share_on_curves(columns, i, runs.target) > MOSTLY for i in range(len(runs.inputs)))


def _share_on_curves(columns: list[np.ndarray], moving: int, target: np.ndarray) -> float:
    """Share of the rows on such curves, in which all columns but one stay."""
    others = [column for i, column in enumerate(columns) if i != moving]
    order = np.lexsort([columns[moving], *others])
    same = np.all([np.diff(column[order]) == 0 for column in others], axis=0)
    along = columns[moving][order]
    small = same & (along[1:] > along[:-1]) & (along[1:] < SMALL_STEP * along[:-1])
    curve = np.concatenate([[0], np.cumsum(~same)])
    rows = np.bincount(curve)
    small, falling = (
        np.bincount(curve[1:], weights=steps, minlength=len(rows))
        for steps in (small, small & (np.diff(target[order]) < 0))
    )
    long = (rows >= LONG_CURVE) & (small > 0.5 * (rows - 1)) & (falling > MOSTLY * small)
    return float(rows[long].sum() / len(target))


def _codes(labels: pd.Series | None) -> tuple[np.ndarray | None, list[Hashable]]:
    if labels is None:
        return None, []
    codes, names = pd.factorize(labels, sort=False)
    return np.asarray(codes), [n.item() if hasattr(n, "item") else n for n in names]


def _rows(rows: Sequence[object] | np.ndarray, which: np.ndarray) -> str:
    named = [one_line(r) for r in np.asarray(rows)[which][:MOST_ROWS_NAMED]]
    more = int(which.sum()) - len(named)
    return f"row{'s' if which.sum() > 1 else ''} {', '.join(named)}" + (f" and {more} more" if more else "")


def _title(name: str, described: Mapping[str, str]) -> str:
    source = one_line(described.get(name, name))
    if name in ("target_se", "weights", "trials"):
        return name
    role = "target" if name == "target" else f"input {name}"
    return f"Column '{source}' ({role})" if source != name or name == "target" else f"Column '{name}'"


def described(source: object) -> str:
    if isinstance(source, str):
        return source
    if callable(source):
        return "function" if (name := getattr(source, "__name__", "function")) == "<lambda>" else name
    return "array"


def _columns(frame: pd.DataFrame) -> str:
    names = [one_line(c) for c in frame.columns]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
