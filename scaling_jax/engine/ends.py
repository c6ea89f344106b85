"""From where lanes ended to each fit's optimum: which go on, what polishing makes of them, which is best.

The same for NumPy, round by round, and for JAX to trace into one program; how lanes are moved is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple

import numpy as np

from scaling_jax.core.arrays import AnyArray, Leaf, namespace
from scaling_jax.engine.newton import RIVALS, Polished
from scaling_jax.engine.ranks import Finished, along, best_first, ends_first, first, leaders
from scaling_jax.engine.status import Status

__all__ = ["Extent", "Optima", "Way", "brought_home"]


class Extent(NamedTuple):
    """How far a search goes; see `solve`. `rounds` are those of screening, `corner` is the contrary of
    smooth, `thinned` says whether it was on fewer rows."""

    rounds: tuple[tuple[int, int], ...]
    keep: int
    patience: int
    polish: int
    polish_steps: int
    corner: bool
    linear: tuple[int, ...]
    thinned: bool


class Way(NamedTuple, Generic[Leaf]):
    """How lanes are moved.

    go_on: from points (fits, lanes, k), and which of these lanes are their own leaders, to where these end on
    all rows, with no corner left; None where the search has brought them there.
    polish: from the same and each lane's leader to what Newton's method makes of them.
    """

    go_on: Callable[[Leaf, Leaf], Leaf] | None
    polish: Callable[[Leaf, Leaf, Leaf], Polished[Leaf]]


class Optima(NamedTuple, Generic[Leaf]):
    """The best lane of each fit, (fits, ...), and every finished one, best first."""

    z: Leaf
    value: Leaf
    gradient: Leaf
    hessian: Leaf
    status: Leaf
    finished: Finished[Leaf]


def brought_home(
    found: Finished[AnyArray], extent: Extent, way: Way[AnyArray]
) -> tuple[Optima[AnyArray], AnyArray | int]:
    """The optimum of each fit, and how many lanes of each were polished, given where these ended: best first,
    or under `extent.corner` those that go on."""
    xp = namespace(found.value)
    count = found.value.shape[1] if extent.corner else min(extent.polish, found.value.shape[1])
    places, end = np.arange(count), None
    n_polished: AnyArray | int = count
    if extent.thinned:
        found, end = ends_first(best_first(found) if extent.corner else found, count)
        n_polished = end.max(initial=0) + 1
    best = first(found, count)
    leader = xp.broadcast_to(places, best.value.shape) if extent.corner else leaders(best, end)
    own = (leader == places) & (places < n_polished)
    if extent.linear and not extent.thinned:  # what is left to gain is far less than what parts rivals
        own = own & (best.value <= (1 + RIVALS) * best.value[:, :1])
    z = best.z if way.go_on is None else way.go_on(best.z, own)
    final = way.polish(z, own, leader)
    if end is not None:
        found = _as_polished(found, end, final, n_polished)
    return _optima(found, final, extent.corner), n_polished if extent.polish_steps else 0


def _as_polished(
    found: Finished[AnyArray], end: AnyArray, final: Polished[AnyArray], n_polished: AnyArray | int
) -> Finished[AnyArray]:
    """Lanes of a thinned search, each where its end was polished to; those of other ends count as dropped."""
    xp, at, known = namespace(found.value), end.clip(0), end >= 0
    value = along(final.value, at)
    value = xp.where(known & xp.isfinite(value), value, np.inf)
    # not yet compared with what polishing made of them
    value = xp.where(np.arange(value.shape[1]) < n_polished, np.inf, value)
    return Finished(
        xp.where(known[..., None], along(final.z, at), found.z),
        value,
        xp.where(known, along(final.status, at), int(Status.DROPPED)),
        found.steps,
    )


def _optima(found: Finished[AnyArray], final: Polished[AnyArray], corner: bool) -> Optima[AnyArray]:
    xp, count = namespace(found.value), final.value.shape[1]
    improved = _improved(first(found, count), final, corner)
    best = np.arange(len(found.value)), xp.argmin(improved.value, axis=1)
    whole = (xp.concatenate([a, b[:, count:]], axis=1) for a, b in zip(improved, found, strict=True))
    return Optima(
        improved.z[best],
        improved.value[best],
        final.gradient[best],
        final.hessian[best],
        improved.status[best],
        best_first(Finished(*whole)),
    )


def _improved(searched: Finished[AnyArray], final: Polished[AnyArray], corner: bool) -> Finished[AnyArray]:
    """Lanes where polishing brought them, or where the search had if that is lower.

    Under a corner the two have minimised different objectives, and the polished one is the sharper.
    """
    xp = namespace(final.value)
    usable = xp.isfinite(final.value) & ((final.value <= searched.value) | corner)
    # at machine precision no step improves an optimum
    settled = xp.where(final.status == Status.STALLED, int(Status.CONVERGED), final.status)
    return Finished(
        xp.where(usable[..., None], final.z, searched.z),
        xp.where(usable, final.value, searched.value),
        xp.where(usable, settled, searched.status),
        searched.steps,
    )
