"""The table's door: a frame becomes plain float64 arrays, or one clear sentence.

Everything is checked here, in NumPy, before anything compiles. What is dropped is counted and recorded.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

import numpy as np
import pandas as pd

from scaling_jax.core.arrays import Columns
from scaling_jax.core.checked import one_line, shown
from scaling_jax.core.curves import CurveColumn
from scaling_jax.core.law import Law, must_be_law
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.names import guessed
from scaling_jax.tables.numbers import as_numbers, floats, no_numbers, rows_at
from scaling_jax.tables.rates import Named, curve_column, taken_apart
from scaling_jax.tables.runs import DataError, Runs, run_weights
from scaling_jax.tables.scale import size_weights
from scaling_jax.tables.sources import (
    Column,
    Keys,
    aligned,
    curves_of,
    described,
    input_columns,
    resolve,
    same_columns,
    selected,
)

__all__ = ["Reading", "Weights", "read_inputs", "read_runs"]

LONG_CURVE, SMALL_STEP, MOSTLY = 8, 1.5, 0.8  # rows; ratio of neighbours; share

Weights: TypeAlias = Column | Mapping[str, float]
"""What multiplies each row's term: values, "runs", "size", or a power per input."""


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
    plain = {name: source for name, source in sources.items() if name not in law.curves}
    columns = _columns(frame, plain, target, target_se, trials, weights)
    labels = {
        name: resolve(frame, source, name, name)
        for name, source in (("run", run), ("by", by))
        if source is not None
    }
    labels |= {f"input {name}": curves_of(frame, sources[name], name, run) for name in law.curves}

    keep, record = selected(frame, where)
    titles = {name: described(source) for name, source in {**sources, "target": target}.items()}
    numbers = {}
    finite = np.ones(int(keep.sum()), dtype=bool)
    rows = frame.index.to_numpy()[keep]
    for name, values in columns.items():
        numbers[name] = as_numbers(values[keep], _title(name, titles), rows, missing, said)
        finite &= np.isfinite(numbers[name])
    for name, values in labels.items():
        lost = pd.isna(values[keep]).to_numpy()
        if lost.any() and missing == "raise":
            raise DataError(f"{name} is missing in {rows_at(rows, lost)}: fill it, or pass missing='drop'.")
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
    record |= {"rows_in_table": len(frame), "rows_used": len(rows)}
    if unit := _unit_of(frame, titles["target"]):
        record["unit"] = unit
    if said:
        record["read_as"] = said
    runs = Runs(
        inputs={name: numbers[name] for name in law.inputs},
        target=numbers["target"],
        weight=_weight(law, numbers, weights, run_codes),
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


def _columns(
    frame: pd.DataFrame,
    inputs: Mapping[str, Column],
    target: Column,
    target_se: Column | None,
    trials: str | float | None,
    weights: Weights | None,
) -> dict[str, pd.Series]:
    """Everything that is to be a number, by what it is."""
    columns = {name: resolve(frame, at, f"input '{name}'", "inputs") for name, at in inputs.items()}
    columns["target"] = resolve(frame, target, "the target", "target")
    if target_se is not None:
        columns["target_se"] = resolve(frame, target_se, "target_se", "target_se")
    if trials is not None:
        if target_se is not None:
            raise DataError("target_se= has no place beside counts: the trials say how sure a row is.")
        each = trials if isinstance(trials, str) else np.full(len(frame), float(trials))
        columns["trials"] = resolve(frame, each, "the trials", "trials")
    if weights is not None and not isinstance(weights, Mapping) and not _named(weights, "runs", "size"):
        columns["weights"] = resolve(frame, weights, "weights", "weights")
    return columns


def _weight(law: Law, numbers: Columns, given: Weights | None, run: np.ndarray | None) -> np.ndarray:
    """(rows,) what each row's term is multiplied by."""
    if isinstance(given, Mapping) or _named(given, "size"):
        return size_weights(numbers, law, given if isinstance(given, Mapping) else None)
    if not _named(given, "runs"):
        return numbers.get("weights", np.ones(len(numbers["target"])))
    if run is None:
        raise DataError("weights='runs' needs run=, the column that says which rows are one training run.")
    return run_weights(run)


def _unit_of(frame: pd.DataFrame, column: str) -> str:
    """The unit that a table states of a column, as the loaders of data sets do."""
    said = frame.attrs.get("columns")
    words = said.get(column, "") if isinstance(said, Mapping) else ""
    found = re.search(r"\[([^\[\]]{1,40})\]$", words) if isinstance(words, str) else None
    return found[1] if found else ""


def _named(given: object, *names: str) -> bool:
    """Whether it is one of these words."""
    return isinstance(given, str) and given in names


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
        return curves_of(frame, given, name, run), given
    if given is not None:
        single = isinstance(given, str) and given in named
        return curves_of(frame, [given] * len(frame) if single else given, name, run), named
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
        f"{total:.4g} in {rows_at(rows, off)}: give every domain of the mixture, as fractions of the whole."
    )


def _shares(trials: np.ndarray, successes: np.ndarray, title: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The share of successes, and one over the root of the trials."""
    for bad, words in (
        ((trials < 1) | (trials != np.round(trials)), "trials must be whole numbers, 1 or more, and are not"),
        (successes != np.round(successes), f"{title} counts successes and must be whole, and is not"),
        (successes < 0, f"{title} counts successes and must not be negative, and is"),
        (successes > trials, f"{title} counts more successes than there are trials"),
    ):
        if bad.any():
            raise DataError(f"{words} in {rows_at(rows, bad)}: correct them, or remove them with where=.")
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
                f"{numbers[name][outside][0]:g} in {rows_at(rows, outside)}: remove them with where=, or "
                "correct them."
            )
    if (off := law.off_simplex(numbers)).any():
        raise DataError(_shares_words(law, numbers, rows, off))
    if on_log and (bad := numbers["target"] <= 0).any():
        raise DataError(
            f"{_title('target', described)} must be positive for residuals on logs, and is "
            f"{numbers['target'][bad][0]:g} in "
            f"{rows_at(rows, bad)}: use an objective with on='raw', or remove them with where=."
        )
    if "target_se" in numbers and (bad := numbers["target_se"] <= 0).any():
        raise DataError(
            f"target_se must be positive, and is not in {rows_at(rows, bad)}: standard errors of 0 cannot be "
            "weighed."
        )
    if "weights" in numbers:
        if (bad := numbers["weights"] < 0).any():
            raise DataError(
                f"weights must not be negative, and are in {rows_at(rows, bad)}: use 0 to leave a row out."
            )
        if not numbers["weights"].any():
            raise DataError("All weights are zero: nothing would be fitted.")


def _table_warnings(runs: Runs) -> list[str]:
    found = []
    points = pd.DataFrame({**runs.inputs, "target": runs.target, "group": runs.group})
    if (twice := points.duplicated()).any():
        found.append(
            f"{int(twice.sum())} rows repeat another row exactly, first "
            f"{rows_at(runs.rows, twice.to_numpy())}; they count twice."
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


def _title(name: str, described: Mapping[str, str]) -> str:
    source = one_line(described.get(name, name))
    if name in ("target_se", "weights", "trials"):
        return name
    role = "target" if name == "target" else f"input {name}"
    return f"Column '{source}' ({role})" if source != name or name == "target" else f"Column '{name}'"
