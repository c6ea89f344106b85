"""What a law does, found by evaluating it: which parameters are linear, which it can tell apart, and whether
two laws agree."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.predict import predict

__all__ = ["behaviour_of", "digest", "linear_parameters", "rank_of"]

STRAIGHT = 1e-11  # of the values whose second difference is taken
MOST_LINEAR = 5


def digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part if isinstance(part, bytes) else str(part).encode()) + b"|")
    return digest.hexdigest()[:16]


def behaviour_of(law: Law) -> str:
    """A law by its name, parameters, and values at a few points: what it computes, however it is written."""
    rng = np.random.default_rng(0)
    bounds = np.array([(d.lower, d.upper) for d in law.label_domains])
    numbers = np.clip(rng.uniform(0.3, 0.9, (4, len(law.labels))), bounds[:, 0], bounds[:, 1])
    inputs = {
        name: np.clip(rng.uniform(2.0, 9.0, 8), d.lower, d.upper) for name, d in law.input_domains.items()
    }
    with np.errstate(all="ignore"):
        values = " ".join(f"{v:.5g}" for v in predict(law, numbers, inputs).ravel())
    return f"{law.name} {digest(law.labels, law.label_domains, law.ranges, values)}"


@lru_cache(maxsize=256)
def rank_of(law: Law, single: tuple[str, ...], tie: bytes, free: tuple[int, ...]) -> int:
    """How many directions of the free coordinates a law can tell apart where some inputs have one value
    each."""
    rng = np.random.default_rng(0)
    k, points = len(law.labels), 4 * len(law.labels) + 8
    bounds = np.array([(d.lower, d.upper) for d in law.label_domains])
    numbers = np.clip(rng.uniform(0.3, 0.9, k), bounds[:, 0], bounds[:, 1])
    inputs = {
        name: np.clip(rng.uniform(2.0, 9.0, points), d.lower, d.upper)
        for name, d in law.input_domains.items()
    }
    inputs |= {name: np.full(points, inputs[name][0]) for name in single}
    step = 1e-6 * np.eye(k)
    both = predict(law, np.concatenate([numbers + step, numbers - step]), inputs)
    slopes = (both[:k] - both[k:]).T @ np.frombuffer(tie).reshape(k, k)[:, free] / 2e-6
    return int(np.linalg.matrix_rank(slopes / np.maximum(np.abs(slopes).max(axis=0), 1e-12), tol=1e-5))


@lru_cache(maxsize=256)
def linear_parameters(law: Law) -> tuple[int, ...]:
    """Indices (into `law.labels`) of numbers the law is jointly linear in, judged by second differences at
    random points."""
    rng = np.random.default_rng(0)
    k, points = len(law.labels), 4
    bounds = np.array([(d.lower, d.upper) for d in law.label_domains])
    inputs = {
        name: np.clip(rng.uniform(2.0, 9.0, points), d.lower, d.upper)
        for name, d in law.input_domains.items()
    }
    low, high = (
        np.maximum(bounds[:, 0], np.minimum(0.3, bounds[:, 1] - 0.6)),
        np.minimum(bounds[:, 1], np.maximum(0.9, bounds[:, 0] + 0.6)),
    )
    numbers = low + (high - low) * rng.uniform(0.0, 0.5, (points, k))
    steps = np.diag((high - low) / 4)
    first, second = np.triu_indices(k)
    corners = [np.zeros((len(first), k)), steps[first], steps[second], steps[first] + steps[second]]
    values = predict(law, (numbers[:, None, None] + np.array(corners)).reshape(-1, k), inputs)
    values = values.reshape(points, 4, len(first), points)
    if not np.all(np.isfinite(values)):
        return ()
    bent = np.abs(values[:, 0] - values[:, 1] - values[:, 2] + values[:, 3]) > STRAIGHT * np.abs(values).max(
        axis=1
    )
    bends = np.zeros((k, k), dtype=bool)
    bends[first, second] = bends[second, first] = bent.any(axis=(0, 2))
    chosen: list[int] = []
    for i in range(k):
        if not bends[i, i] and not any(bends[i, j] for j in chosen) and len(chosen) < MOST_LINEAR:
            chosen.append(i)
    return tuple(chosen)
