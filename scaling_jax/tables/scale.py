"""The scale of every run: what its compute is called, which rows are the largest, what they weigh, and where
a law will be used next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Columns
from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law
from scaling_jax.tables.runs import DataError, Runs

__all__ = ["TOKENS_FLOP", "beyond", "budgets_of", "scale_of", "size_weights", "sizes_in_runs", "top_rows"]

TOKENS_FLOP = 6.0
"""FLOP per parameter and training token, forward and backward."""

LEAST_LEFT = 0.6
LOSSES = ("loss", "L")  # as an input: larger runs have less of it, and a law of a metric is used there next
NEXT_LOSS = 0.9  # of the least loss


def scale_of(runs: Runs, law: Law) -> tuple[str, np.ndarray]:
    """Name and size (rows,) of each run's budget: 6ND where the law has N and D, else compute, else its first
    input, or that over one where it is a loss."""
    name, *_ = names = _budget(law)
    if len(names) == 2:
        return "6ND", TOKENS_FLOP * runs.inputs["N"] * runs.inputs["D"]
    if name in LOSSES:
        return f"1/{name}", 1 / runs.inputs[name]
    return name, runs.inputs[name]


def sizes_in_runs(runs: Runs, law: Law) -> tuple[np.ndarray, np.ndarray] | None:
    """Sizes (rows,), and the largest of each row's run; None where no run has several rows."""
    if runs.run is None or len(np.unique(runs.run)) == len(runs):
        return None
    size, largest = scale_of(runs, law)[1], np.full(runs.run.max() + 1, -np.inf)
    np.maximum.at(largest, runs.run, size)
    return size, largest[runs.run]


def _budget(law: Law) -> tuple[str, ...]:
    """The inputs whose product is a run's budget."""
    if {"N", "D"} <= set(law.inputs):
        return ("N", "D")
    return (next((n for n in ("C", "flops") if n in law.inputs), law.along),)


def size_weights(inputs: Columns, law: Law, powers: Mapping[str, float] | None = None) -> np.ndarray:
    """Weights (rows,) that grow as powers of inputs, the run's budget itself where none are named; their mean
    is one.

    Raises:
        DataError: for inputs that the law lacks, or that are not positive.
    """
    if powers is None:
        powers = {name: -1.0 if name in LOSSES else 1.0 for name in _budget(law)}
    if not powers or (unknown := set(powers) - set(law.inputs)):
        raise DataError(
            f"weights={dict(powers)}: give a power per input of law '{law.name}', which are "
            f"{', '.join(law.inputs)}" + (f", not {', '.join(map(repr, unknown))}." if powers else ".")
        )
    if low := [name for name in powers if np.min(inputs[name]) <= 0]:
        raise DataError(f"weights= is a power of '{low[0]}', which must be positive in every row for that.")
    logs = sum(power * np.log(inputs[name]) for name, power in powers.items())
    weight = np.exp(logs - np.max(logs))
    return weight / weight.mean()


def top_rows(runs: Runs, law: Law, free: int) -> tuple[str, np.ndarray] | None:
    """The largest budgets, in words and as a mask: the top decade, or half decade, or budget, whichever
    leaves enough to fit."""
    name, size = scale_of(runs, law)
    used = runs.weight > 0
    if size[used].min() <= 0:
        size = size + size[size > 0].min() / 2
    for words, factor in (
        (f"top decade of {name}", 10.0),
        (f"top half decade of {name}", 10**0.5),
        (f"lowest {name[2:]}" if name.startswith("1/") else f"largest {name}", 1.05),
    ):
        top = used & (size >= size[used].max() / factor)
        left = used & ~top
        if left.sum() >= LEAST_LEFT * used.sum() and _distinct(runs, left) > free:
            return words, top
    return None


def beyond(runs: Runs, law: Law, factor: float = 10.0) -> dict[str, ArrayLike]:
    """The run with the largest budget, grown: every input that spans a decade in the table is multiplied by
    the factor, save shares, and updates under a curve; a loss falls a little below the least."""
    largest = int(np.argmax(scale_of(runs, law)[1]))
    at: dict[str, ArrayLike] = {}
    for name, column in runs.inputs.items():
        if name in law.curves:
            at[name] = column[[largest]]
            continue
        if name in LOSSES:
            at[name] = NEXT_LOSS * float(column[largest])
            continue
        kept = name in law.simplex or law.curves
        spans = not kept and column.min() > 0 and column.max() >= 10 * column.min()
        at[name] = float(column[largest]) * (factor if spans else 1.0)
    return at


def budgets_of(flops: ArrayLike, what: str = "flops") -> np.ndarray:
    """Positive finite amounts as a flat float64 array."""
    try:
        values = np.atleast_1d(np.asarray(flops, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{what}={shown(flops)}: give numbers, for example [1e21, 1e24].") from error
    if values.ndim != 1 or not len(values) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"{what}={shown(flops)}: give positive, finite numbers in one dimension.")
    return values


def _distinct(runs: Runs, rows: np.ndarray) -> int:
    if runs.run is not None:
        return len(np.unique(runs.run[rows]))
    return len(np.unique(np.column_stack([column[rows] for column in runs.inputs.values()]), axis=0))
