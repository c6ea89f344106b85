"""Lanes of each fit by rank: which go on, which are one, for NumPy on the host and for JAX to trace."""

from __future__ import annotations

from typing import Generic, NamedTuple

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import AnyArray, Leaf, Numbers, namespace

__all__ = [
    "ROUNDS",
    "SAME_END",
    "Finished",
    "along",
    "best_first",
    "ends_first",
    "first",
    "leaders",
    "promising",
    "reordered",
    "survivors",
]

# of screening: steps, and of how many lanes one goes on
ROUNDS: tuple[tuple[int, int], ...] = ((1, 8), (5, 4), (12, 4))
SAME_END, SAME_PLACE = 1e-7, 1e-3


class Finished(NamedTuple, Generic[Leaf]):
    """Lanes run to their end: z (fits, lanes, k), value, status and steps (fits, lanes)."""

    z: Leaf
    value: Leaf
    status: Leaf
    steps: Leaf


def best_first(found: Finished[AnyArray]) -> Finished[AnyArray]:
    return reordered(found, _ranked(found.value))


def reordered(found: Finished[AnyArray], order: AnyArray) -> Finished[AnyArray]:
    """The lanes of each fit in an order of its own, (fits, lanes)."""
    return Finished(*(along(part, order) for part in found))


def first(found: Finished[AnyArray], n: int) -> Finished[AnyArray]:
    return Finished(*(part[:, :n] for part in found))


def along(part: AnyArray, order: AnyArray) -> AnyArray:
    """Lanes of each fit, (fits, lanes) or (fits, lanes, k), picked by (fits, picks)."""
    picks = order[..., None] if part.ndim == 3 else order
    found: AnyArray = namespace(part).take_along_axis(part, picks, axis=1)
    return found


def _ranked(values: AnyArray) -> AnyArray:
    """Positions along the second axis, least value first, equal ones as they stand."""
    xp = namespace(values)
    found: AnyArray = xp.argsort(values, axis=1) if xp is jnp else xp.argsort(values, axis=1, kind="stable")
    return found


def leaders(best: Finished[AnyArray], end: AnyArray | None = None) -> AnyArray:
    """(fits, lanes) for each lane the first one that ended where it did, itself if none: by their ends where
    these are known and lanes stand as `ends_first` has them, else by value and place."""
    xp, count = namespace(best.value), best.value.shape[1]
    if end is not None:
        led: AnyArray = xp.where(end[:, :count] >= 0, end[:, :count], np.arange(count))
        return led
    with np.errstate(invalid="ignore"):
        level = abs(best.value[:, :, None] - best.value[:, None]) <= SAME_END * abs(best.value[:, None])
        near = abs(best.z[:, :, None] - best.z[:, None]).max(axis=-1) <= SAME_PLACE
    found: AnyArray = xp.argmax((level & near) | np.eye(best.value.shape[1], dtype=bool), axis=2)
    return found


def survivors(value: AnyArray, z: AnyArray, keep: int) -> AnyArray:
    """Which lanes of each fit go on, (fits, keep): the best by value (fits, lanes), and a spread over the
    ranks of the rest; merged lanes rank last."""
    xp = namespace(value)
    values = xp.where(xp.isfinite(value), value, np.inf)
    order = _ranked(values)
    values, z = along(values, order), along(z, order)
    with np.errstate(invalid="ignore"):
        same = abs(xp.diff(values, axis=1)) <= 1e-9 * abs(values[:, 1:])
        merged = same & (abs(xp.diff(z, axis=1)).max(axis=-1) < 1e-3)
    merged = xp.concatenate([np.zeros((len(values), 1), bool), merged], axis=1) | ~xp.isfinite(values)
    order = along(order, _ranked(merged))
    best = keep - keep // 4
    rest = np.linspace(best, order.shape[1] - 1, keep - best).astype(int)
    return order[:, np.concatenate([np.arange(best), rest])]


def promising(available: int, keep: int) -> Numbers:
    """Which of so many ranks by misfit go on, (keep,): the best, a spread over those up to the median, and
    the last, where a term has vanished."""
    best = (keep + 1) // 2
    rest = np.linspace(best, (available - 1) // 2 + keep // 2, keep - best).astype(int)
    return np.concatenate([np.arange(best), rest[:-1], [available - 1]])


def ends_first(found: Finished[AnyArray], most: int) -> tuple[Finished[AnyArray], AnyArray]:
    """The first lane of each of the best `most` ends, then the rest; and each lane's end, or -1."""
    xp = namespace(found.value)
    with np.errstate(invalid="ignore"):
        apart = xp.diff(found.value, axis=1) > SAME_END * abs(found.value[:, 1:])
    n_fits = len(found.value)
    end = xp.concatenate([np.zeros((n_fits, 1), int), xp.cumsum(apart, axis=1)], axis=1)
    opens = xp.concatenate([np.ones((n_fits, 1), bool), apart], axis=1) & (end < most)
    order = _ranked(~opens)
    end = xp.where(xp.isfinite(found.value) & (end < most), end, -1)
    return reordered(found, order), along(end, order)
