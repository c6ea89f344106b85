"""A table with several targets: the rows of every output, one output's after another's, and their runs.

An output is read as a target alone is; rows in which it was not measured are not its own. What was measured
at the end of one run belongs together in every output.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set, Sized
from dataclasses import replace
from functools import reduce

import numpy as np
import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.core.curves import CurveColumn
from scaling_jax.core.law import Law
from scaling_jax.tables.frames import TableLike, as_frame
from scaling_jax.tables.read import Reading
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.tables.sources import Column, described, rows_chosen, values_of

__all__ = ["outputs_named", "read_outputs"]


def outputs_named(target: object) -> dict[str, Column] | None:
    """Outputs by name, where a target is a list of columns or a mapping to them, else None.

    Raises:
        DataError: for what is neither, nor one target.
    """
    if isinstance(target, Set) or (isinstance(target, list | tuple) and _is_no_target(target)):
        raise DataError(
            f"target={shown(target)}: give a column, a list of columns, or a mapping of outputs, by name, to "
            "columns."
        )
    if isinstance(target, Mapping):
        named = dict(target)
    elif isinstance(target, list | tuple) and target and all(isinstance(name, str) for name in target):
        named = {name: name for name in target}
        if len(named) < len(target):
            raise DataError(f"target={shown(target)} names an output twice: give each once.")
    else:
        return None
    if not named or not all(isinstance(name, str) for name in named):
        raise DataError(f"target={shown(target)}: give a mapping of outputs, by name, to columns.")
    return named


def _is_no_target(given: Sequence[object]) -> bool:
    """Whether a sequence is neither names of columns nor numbers, which are one target."""
    named = [isinstance(one, str) for one in given]
    whole = [isinstance(one, Sized) and not isinstance(one, str) for one in given]
    return not given or any(whole) or (any(named) and not all(named))


def read_outputs(
    reading: Reading,
    law: Law,
    table: TableLike,
    outputs: Mapping[str, Column],
    weights: Mapping[str, float],
    on_log: bool,
    trials: str | float | None = None,
) -> Runs:
    """The rows of all outputs, one group each, in the order of `outputs`.

    Args:
        reading: how the table is read, its target aside.
        law: what predicts each output.
        table: one row per run or checkpoint, a column per output, missing where it was not measured.
        outputs: name -> column, array or function of the table.
        weights: of some outputs, what multiplies their rows' terms.
        on_log: whether residuals are differences of logarithms.
        trials: column or number of the trials, where outputs count successes.

    Raises:
        DataError: as for one target, and for an output that no row has.
        ValueError: for weights of what is no output, or that are not positive.
    """
    frame = as_frame(table)
    factors = _factors(outputs, weights)
    kept = np.ones(len(frame), bool) if reading.where is None else rows_chosen(frame, reading.where, "where")
    rows = frame.index.to_numpy() if frame.index.is_unique else np.arange(len(frame))
    parts, unmeasured = [], {}
    for name, source in outputs.items():
        measured = ~pd.isna(values_of(frame, source, f"output '{name}'")).to_numpy()
        unmeasured[name] = int((kept & ~measured).sum())
        if not (kept & measured).any():
            raise DataError(f"Output '{name}' is measured in no row that is used: leave it out of target=.")
        own = replace(reading, target=source, where=kept & measured)
        found = own.read(law, frame, on_log=on_log, trials=trials)
        if reading.run is None:
            apart = replace(own, run=rows).read(law, frame, on_log=on_log, trials=trials)
            found = replace(apart, warnings=found.warnings)
        parts.append(replace(found, weight=found.weight * factors[name]))
    record = parts[0].record | {
        "where": None if reading.where is None else described(reading.where),
        "dropped_where": int((~kept).sum()),
        "not_measured": unmeasured,
    }
    return _one_after_another(parts, list(outputs), record)


def _factors(outputs: Mapping[str, Column], weights: Mapping[str, float]) -> dict[str, float]:
    if unknown := sorted(map(str, set(weights) - set(outputs))):
        raise ValueError(f"output_weights names {unknown}, and the outputs are {list(outputs)}.")
    factors = {name: weights.get(name, 1.0) for name in outputs}
    for name, factor in factors.items():
        if not (np.isfinite(factor) and factor > 0):
            raise ValueError(f"output_weights: {name} is {shown(factor)}: give a positive number.")
    return factors


def _one_after_another(parts: list[Runs], names: list[str], record: dict[str, object]) -> Runs:
    """Tables of one law as one, each a group, runs known by the same name the same run."""
    labels: dict[Hashable, int] = {}
    codes = []
    for part in parts:
        own = np.array([labels.setdefault(label, len(labels)) for label in part.run_labels], dtype=int)
        codes.append(own[part.run])
    first, sizes = parts[0], [len(part) for part in parts]
    errors = [part.target_se for part in parts if part.target_se is not None]
    return Runs(
        inputs={name: _joined([part.inputs[name] for part in parts]) for name in first.inputs},
        target=np.concatenate([part.target for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        target_se=np.concatenate(errors) if errors else None,
        run=np.concatenate(codes),
        run_labels=list(labels),
        group=np.repeat(np.arange(len(parts)), sizes),
        group_labels=list(names),
        rows=np.concatenate([part.rows for part in parts]),
        sources=first.sources,
        record=record | {"rows_used": sum(sizes)},
        warnings=list(dict.fromkeys(said for part in parts for said in part.warnings)),
    )


def _joined(columns: list[np.ndarray]) -> np.ndarray:
    """One column after the other; curves take along what they point at."""
    first, *others = columns
    if isinstance(first, CurveColumn):
        return reduce(CurveColumn.followed_by, others, first)
    return np.concatenate(columns)
