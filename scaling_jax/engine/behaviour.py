"""What a law does, found by evaluating it: its linear parameters, those it tells apart, and its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import jax
import numpy as np

from scaling_jax.core.arrays import Array, Columns, Named, Numbers
from scaling_jax.core.curves import seen
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.curves import curves_of, example_curves
from scaling_jax.engine.predict import predict
from scaling_jax.engine.traced import as_bytes, told

__all__ = [
    "behaviour_of",
    "confounded",
    "digest",
    "law_as_written",
    "linear_parameters",
    "loose_direction",
    "probed",
    "rank_of",
    "same_values",
]

STRAIGHT = 1e-11  # of the values whose second difference is taken
MOST_LINEAR = 5
# where a law is tried that a file must know again, with no generator whose stream may change
POINTS = 16
DECADES = 13.0  # of the inputs: from one run to as many tokens as anybody has
GOLDEN = 0.5 * (1 + 5**0.5)
TINY, SINGULAR = 1e-12, 1e-9  # a slope that is none; of the largest singular value, what is rounding
SAME = 1e-6  # relative: powers differ from machine to machine in their last digits


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits of what the parts say."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part if isinstance(part, bytes) else str(part).encode()) + b"|")
    return digest.hexdigest()[:16]


def behaviour_of(law: Law, inputs: Columns, target: Numbers) -> dict[str, str]:
    """A law on a table by what it says, computes and proposes: two laws that differ there differ here.

    The steps of the computation are written down as JAX traces them, so a branch that no value tried here
    reaches counts too; values are taken as well, for a trace does not show what a callback computes. A law
    that is only written otherwise may count as another one.

    Args:
        law: the law.
        inputs: the table's inputs, each (rows,).
        target: (rows,), natural units.
    """
    return {
        "law": f"{law.name} {digest(law.labels, law.label_domains, law.input_domains, law.ranges)}",
        "law as written": law_as_written(law),
        "law's values": _values(law, inputs),
        "law's starts": _proposals(law, inputs, target),
    }


def law_as_written(law: Law) -> str:
    """The steps and constants of one run's value, without the addresses that differ between processes."""
    one = jax.ShapeDtypeStruct((), np.float64)
    params = {p.name: jax.ShapeDtypeStruct(p.shape, np.float64) for p in law.parameters}
    with own_settings():  # a function of its own for every call: JAX would give an older trace again
        traced = jax.make_jaxpr(lambda *values: law.apply(*values))(params, law.one_row(one))
    return digest(*told(traced))


def _values(law: Law, inputs: Columns) -> str:
    """Values where each input is smallest, in the middle and largest.

    Computed on the processor and to twelve digits, since a study may go on on another machine, whose `pow`
    differs in the last; what is smaller than that the law's steps tell.
    """
    rows = [pick(column) for column in inputs.values() for pick in (np.argmin, _middle, np.argmax)]
    some = {name: column[np.unique(rows)] for name, column in inputs.items()}
    numbers = _some_numbers(law, 4, np.random.default_rng(0))
    with np.errstate(all="ignore"), jax.default_device(jax.local_devices(backend="cpu")[0]):
        return digest(" ".join(f"{value:.12g}" for value in predict(law, numbers, some).ravel()))


def _middle(column: Numbers) -> np.intp:
    return np.argsort(column, kind="stable")[len(column) // 2]


def _proposals(law: Law, inputs: Columns, target: Numbers) -> str:
    """What the law's own starts give on the table; where they fail on all of it, how."""
    if law.starts is None:
        return "none"
    own = {name: column.copy() for name, column in inputs.items()}  # a user's function may sort in place
    try:
        with np.errstate(all="ignore"):
            proposed = sorted(law.starts(own, target.copy()).items())
        return digest(*((name, as_bytes(np.asarray(values, dtype=np.float64))) for name, values in proposed))
    except Exception as error:  # it may serve single groups all the same
        return type(error).__name__


def probed(law: Law, numbers: Numbers) -> list[float]:
    """The law's values at its fitted numbers (labels,), and at numbers between .3 and .9.

    Inputs are spread over thirteen decades, each another way; what a domain leaves out moves to its edge.
    """
    rows = np.arange(1, POINTS + 1)
    inputs = {
        name: np.clip(10 ** (DECADES * (rows * GOLDEN ** (1 / (k + 1)) % 1)), domain.lower, domain.upper)
        for k, (name, domain) in enumerate(law.input_domains.items())
    }
    usual = np.clip(0.3 + 0.6 * (np.arange(1, len(law.labels) + 1) * GOLDEN % 1), *_bounds(law.label_domains))
    with np.errstate(all="ignore"):
        values = predict(law, np.stack([numbers, usual]), example_curves(law, inputs)).ravel()
    return [float(value) for value in values]


def same_values(found: Sequence[float], stored: Sequence[float]) -> bool:
    """Whether values are those that were stored, as far as these are finite."""
    if len(found) != len(stored):
        return False
    known = np.isfinite(stored)
    return bool(np.allclose(np.asarray(found)[known], np.asarray(stored)[known], rtol=SAME, atol=0))


@lru_cache(maxsize=256)
def rank_of(law: Law, single: tuple[str, ...], tie: bytes, free: tuple[int, ...], fixed: bytes) -> int:
    """How many directions of the free coordinates a law tells apart where `single` inputs have one value."""
    return _rank(_slopes(law, single, tie, free, fixed))


@lru_cache(maxsize=256)
def confounded(law: Law, tie: bytes, free: tuple[int, ...], fixed: bytes) -> tuple[int, ...]:
    """Free coordinates that a law does not tell apart, or does not depend on, whatever the table.

    `fixed` holds the values of numbers that do not move, (labels,) in natural units, NaN for the others.
    """
    slopes = _slopes(law, (), tie, free, fixed)
    if not np.isfinite(slopes).all() or (rank := _rank(slopes)) == len(free):
        return ()
    return tuple(c for i, c in enumerate(free) if _rank(np.delete(slopes, i, axis=1)) == rank)


@lru_cache(maxsize=256)
def loose_direction(law: Law, tie: bytes, free: tuple[int, ...], fixed: bytes) -> tuple[float, ...]:
    """The one move of the free coordinates that changes no value of a law on any table, its largest part one.

    Empty where there is none or more than one, or where it differs from place to place.
    """
    moves = []
    for seed in (0, 1):
        slopes = _slopes(law, (), tie, free, fixed, seed)
        if not np.isfinite(slopes).all() or _rank(slopes) != len(free) - 1:
            return ()
        size = np.maximum(np.abs(slopes).max(axis=0), TINY)
        move = np.linalg.svd(slopes / size)[2][-1] / size
        move[np.abs(move) < 1e-9 * np.abs(move).max()] = 0.0
        first = np.flatnonzero(move)[0]
        moves.append(move * np.sign(move[first]) / np.abs(move).max())
    same = np.allclose(moves[0], moves[1], rtol=1e-6, atol=1e-9)
    return tuple(moves[0].tolist()) if same else ()


def _slopes(
    law: Law, single: tuple[str, ...], tie: bytes, free: tuple[int, ...], fixed: bytes, seed: int = 0
) -> Numbers:
    """(points, free) slopes of a law's values in its free search coordinates."""
    rng = np.random.default_rng(seed)
    k, points = len(law.labels), 4 * len(law.labels) + 8
    numbers, inputs = _some_numbers(law, 1, rng)[0], example_curves(law, _some_runs(law, points, rng, single))
    held = np.frombuffer(fixed)
    numbers = np.where(np.isnan(held), numbers, held)

    def value(numbers: Array, row: Named) -> Array:
        return law.apply(law.unflatten(numbers), row)

    with own_settings():
        slope = jax.vmap(jax.jacfwd(value), (None, 0))(numbers, seen(inputs, curves_of(law, inputs)))
    per_coordinate = np.array([n if d.log else 1.0 for n, d in zip(numbers, law.label_domains, strict=True)])
    slope = np.concatenate([slope, np.eye(k)[k - law.of_scatter :]])  # rows tell scatter apart from the rest
    return slope * per_coordinate @ np.frombuffer(tie).reshape(k, k)[:, free]


def _rank(slopes: Numbers) -> int:
    """The rank of slopes (points, free); all of it where they are not finite, of which LAPACK would print."""
    if not np.isfinite(slopes).all():
        return slopes.shape[1]
    scaled = slopes / np.maximum(np.abs(slopes).max(axis=0), TINY)
    return int(np.linalg.matrix_rank(scaled, tol=SINGULAR)) if slopes.size else 0


@lru_cache(maxsize=256)
def linear_parameters(law: Law) -> tuple[int, ...]:
    """Indices (into `law.labels`) of numbers a law is jointly linear in, by second differences."""
    bends = _bends(law)
    chosen: list[int] = []
    for i in range(len(bends)):
        if not bends[i, i] and not any(bends[i, j] for j in chosen) and len(chosen) < MOST_LINEAR:
            chosen.append(i)
    return tuple(chosen)


def _bends(law: Law) -> Numbers:
    """(labels, labels) whether a law bends as two numbers move together; all do where it is not finite."""
    rng = np.random.default_rng(0)
    k, points = len(law.labels), 4
    inputs = _some_runs(law, points, rng)
    lower, upper = _bounds(law.label_domains)
    low = np.maximum(lower, np.minimum(0.3, upper - 0.6))
    high = np.minimum(upper, np.maximum(0.9, lower + 0.6))
    numbers = low + (high - low) * rng.uniform(0.0, 0.5, (points, k))
    steps = np.diag((high - low) / 4)
    first, second = np.triu_indices(k)
    corners = np.array([np.zeros((len(first), k)), steps[first], steps[second], steps[first] + steps[second]])
    values = predict(law, (numbers[:, None, None] + corners).reshape(-1, k), example_curves(law, inputs))
    values = values.reshape(points, 4, len(first), points)
    if not np.all(np.isfinite(values)):
        return np.ones((k, k), dtype=bool)
    gap = np.abs(values[:, 0] - values[:, 1] - values[:, 2] + values[:, 3])
    bent = gap > STRAIGHT * np.abs(values).max(axis=1)
    bends = np.zeros((k, k), dtype=bool)
    bends[first, second] = bends[second, first] = bent.any(axis=(0, 2))
    bends[k - law.of_scatter :] = bends[:, k - law.of_scatter :] = True
    return bends


def _bounds(domains: Sequence[Domain]) -> tuple[Numbers, Numbers]:
    """Lower and upper bounds in natural units."""
    lower, upper = np.array([(d.lower, d.upper) for d in domains]).T
    return lower, upper


def _some_numbers(law: Law, vectors: int, rng: np.random.Generator) -> Numbers:
    """Parameter vectors inside the law's domains, (vectors, labels)."""
    return np.clip(rng.uniform(0.3, 0.9, (vectors, len(law.labels))), *_bounds(law.label_domains))


def _some_runs(law: Law, rows: int, rng: np.random.Generator, single: Sequence[str] = ()) -> Columns:
    """Inputs inside the law's domains, each (rows,); those that are `single` have one value.

    Shares of a whole are what is left of it by the single ones, in varying parts.
    """
    inputs = {
        name: _within(domain, rng.uniform(2.0, 9.0, rows)) for name, domain in law.input_domains.items()
    }
    inputs |= {name: np.full(rows, inputs[name][0]) for name in single}
    held = [name for name in law.simplex if name in single]
    inputs |= {name: inputs[name] / len(law.simplex) for name in held}
    left = 1.0 - sum((inputs[name] for name in held), np.zeros(rows))
    parts = [name for name in law.simplex if name not in single]
    total = sum((inputs[name] for name in parts), np.zeros(rows))
    return inputs | {name: left * inputs[name] / total for name in parts}


def _within(domain: Domain, values: Numbers) -> Numbers:
    """Values between 2 and 9, or as far along an interval that ends before."""
    if domain.upper >= 9.0:
        return np.maximum(values, domain.lower)
    low = max(domain.lower, domain.upper - 7.0)
    return np.asarray(low + (domain.upper - low) * values / 10.0)
