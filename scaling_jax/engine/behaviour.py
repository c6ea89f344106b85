"""What a law does, found by evaluating it: its linear parameters, those it tells apart, and its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from scaling_jax.core.arrays import Columns, Numbers
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law
from scaling_jax.engine.predict import predict

__all__ = ["behaviour_of", "digest", "linear_parameters", "rank_of"]

STRAIGHT = 1e-11  # of the values whose second difference is taken
MOST_LINEAR = 5


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits of what the parts say."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part if isinstance(part, bytes) else str(part).encode()) + b"|")
    return digest.hexdigest()[:16]


def behaviour_of(law: Law) -> str:
    """A law by its name, parameters, and values at a few points: what it computes, however it is written."""
    rng = np.random.default_rng(0)
    numbers, inputs = _some_numbers(law, 4, rng), _some_runs(law, 8, rng)
    with np.errstate(all="ignore"):
        values = " ".join(f"{v:.5g}" for v in predict(law, numbers, inputs).ravel())
    return f"{law.name} {digest(law.labels, law.label_domains, law.ranges, values)}"


@lru_cache(maxsize=256)
def rank_of(law: Law, single: tuple[str, ...], tie: bytes, free: tuple[int, ...]) -> int:
    """How many directions of the free coordinates a law tells apart where `single` inputs have one value."""
    rng = np.random.default_rng(0)
    k, points = len(law.labels), 4 * len(law.labels) + 8
    numbers, inputs = _some_numbers(law, 1, rng), _some_runs(law, points, rng)
    inputs |= {name: np.full(points, inputs[name][0]) for name in single}
    step = 1e-6 * np.eye(k)
    both = predict(law, np.concatenate([numbers + step, numbers - step]), inputs)
    slopes = (both[:k] - both[k:]).T @ np.frombuffer(tie).reshape(k, k)[:, free] / 2e-6
    return int(np.linalg.matrix_rank(slopes / np.maximum(np.abs(slopes).max(axis=0), 1e-12), tol=1e-5))


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
    values = predict(law, (numbers[:, None, None] + corners).reshape(-1, k), inputs)
    values = values.reshape(points, 4, len(first), points)
    if not np.all(np.isfinite(values)):
        return np.ones((k, k), dtype=bool)
    gap = np.abs(values[:, 0] - values[:, 1] - values[:, 2] + values[:, 3])
    bent = gap > STRAIGHT * np.abs(values).max(axis=1)
    bends = np.zeros((k, k), dtype=bool)
    bends[first, second] = bends[second, first] = bent.any(axis=(0, 2))
    return bends


def _bounds(domains: Sequence[Domain]) -> tuple[Numbers, Numbers]:
    """Lower and upper bounds in natural units."""
    lower, upper = np.array([(d.lower, d.upper) for d in domains]).T
    return lower, upper


def _some_numbers(law: Law, vectors: int, rng: np.random.Generator) -> Numbers:
    """Parameter vectors inside the law's domains, (vectors, labels)."""
    return np.clip(rng.uniform(0.3, 0.9, (vectors, len(law.labels))), *_bounds(law.label_domains))


def _some_runs(law: Law, rows: int, rng: np.random.Generator) -> Columns:
    """Inputs inside the law's domains, each (rows,)."""
    return {n: np.clip(rng.uniform(2.0, 9.0, rows), d.lower, d.upper) for n, d in law.input_domains.items()}
