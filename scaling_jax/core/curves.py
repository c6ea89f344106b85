"""A learning-rate curve: what a law sees of a run's schedule from a checkpoint, and columns that hold that.

From a checkpoint a schedule is a few stretches of falling rate, narrow where they are near and wide where
they are far: what a fall still releases changes with the logarithm of its distance. A schedule of few steps
is exact. Each distinct view is kept once; a table's column holds positions among them, and the views go where
the column goes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Generic

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Leaf, Numbers
from scaling_jax.core.checked import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["KNOTS", "Curve", "CurveColumn", "Rates", "seen"]

KNOTS = 24
"""Stretches of a view of a schedule that changes at more updates."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Curve(Generic[Leaf]):
    r"""The schedule of a run as it is seen from a checkpoint: the annotation of an input that is a curve.

    Sums over stretches are sums over updates:
    $\sum_{k \le s} (\eta_{k-1} - \eta_k)\,f(S(s) - S(k-1), \eta_k)$ is `sum(fallen * f(since, rate))`.

    Args:
        total: () the sum S of all rates so far.
        fallen: (knots,) by how much the rate has fallen over each stretch; 0 where there is none.
        since: (knots,) the sum of rates since then.
        updates_since: (knots,) the updates since then, that of the fall included.
        rate: (knots,) what the rate fell to.
    """

    total: Leaf
    fallen: Leaf
    since: Leaf
    updates_since: Leaf
    rate: Leaf

    @property
    def parts(self) -> tuple[Leaf, ...]:
        """The fields, in their order."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @staticmethod
    def joined(views: Sequence[Curve[Numbers]], knots: int = 0) -> Curve[Numbers]:
        """Views (rows, knots) of several schedules, one after the other, with as many knots or more."""
        width = max(knots, *(view.fallen.shape[1] for view in views))
        parts = zip(*(_widened(view, width).parts for view in views), strict=True)
        return Curve(*(np.concatenate(part) for part in parts))


class Rates:
    """A schedule as it is given: the rate of every update.

    Args:
        rates: (updates,) absolute, finite and not negative.
        warmup: updates whose changes of rate are no annealing; by default all before the rate first falls. 0
            counts every change, the first rise from zero too.
        knots: stretches of a view; a schedule with no more changes is exact.

    Raises:
        ValueError: for rates that are none.
    """

    def __init__(self, rates: ArrayLike, warmup: int | None = None, knots: int = KNOTS):
        self.rates = _checked(rates)
        self.warmup, self.knots = warmup, int(knots)

    def __len__(self) -> int:
        return len(self.rates)

    def __repr__(self) -> str:
        return f"<curve of {len(self)} updates>"

    def seen_from(self, steps: ArrayLike) -> Curve[Numbers]:
        """Views from checkpoints (rows,), fields (rows, knots); none lies beyond the last update."""
        at = np.clip(np.asarray(steps, dtype=np.float64), 0, len(self)).astype(np.int64)
        fall = -np.diff(self.rates, prepend=0.0)
        fall[: _risen(fall) if self.warmup is None else self.warmup] = 0.0
        summed = np.append(0.0, np.cumsum(self.rates))
        kinds = [np.maximum(fall, 0.0)] + ([np.minimum(fall, 0.0)] if (fall < 0).any() else [])
        views = [self._stretches(part, summed, at) for part in kinds]
        joined = (np.concatenate(part, axis=1) for part in zip(*views, strict=True))
        return Curve(summed[at], *joined)

    def _stretches(
        self, fall: Numbers, summed: Numbers, at: Numbers
    ) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Falls that are all of one sign, by stretches: by how much, the area and updates since, the rate."""
        changes = np.flatnonzero(fall)
        if len(changes) <= self.knots:
            over = changes < at[:, None]
            area, updates = summed[at][:, None] - summed[changes], at[:, None] - changes
            rate = np.broadcast_to(self.rates[changes], over.shape)
            return np.where(over, fall[changes], 0.0), np.where(over, area, 0.0), over * updates, rate
        edges = _distances(len(self), self.knots)
        low, high = (np.maximum(at[:, None] + 1 - edge, 0) for edge in (edges[1:], edges[:-1]))

        def within(values: Numbers) -> Numbers:
            running = np.append(0.0, np.cumsum(fall * values))
            return np.asarray(running[high] - running[low])

        fallen = within(np.ones(len(self)))
        there = fallen != 0
        size = np.where(there, fallen, 1.0)
        area = np.maximum(summed[at][:, None] - within(summed[:-1]) / size, 0.0)
        since = at[:, None] - within(np.arange(len(self), dtype=np.float64)) / size
        rate = np.maximum(within(self.rates) / size, self.rates[self.rates > 0].min())
        return fallen, there * area, there * since, np.where(there, rate, 1.0)


class CurveColumn(np.ndarray):
    """(rows,) positions among distinct views of schedules, which every selection of rows takes along.

    Args:
        positions: (rows,).
        views: fields (views, knots).
        named: schedules by the names of runs, those without rows too: predictions may ask for them.
    """

    views: Curve[Numbers]
    named: dict[Hashable, Rates]

    def __new__(
        cls, positions: ArrayLike, views: Curve[Numbers], named: Mapping[Hashable, Rates] | None = None
    ) -> CurveColumn:
        column = np.asarray(positions, dtype=np.float64).view(cls)
        column.views, column.named = views, dict(named or {})
        return column

    def __array_finalize__(self, other: object) -> None:
        if isinstance(other, CurveColumn):
            self.views, self.named = other.views, other.named

    def __reduce__(self) -> tuple[Any, ...]:
        return CurveColumn, (np.asarray(self), self.views, self.named)

    def followed_by(self, other: Numbers) -> CurveColumn:
        """This column and the rows of another one."""
        assert isinstance(other, CurveColumn)
        places = np.append(np.asarray(self), np.asarray(other) + len(self.views.total))
        return CurveColumn(places, Curve.joined([self.views, other.views]), self.named | other.named)

    def tobytes(self, order: Any = "C") -> bytes:
        """What each row sees, wherever it stands among the views."""
        rows = np.asarray(self).ravel().astype(np.int64)
        return b"".join(np.ascontiguousarray(part[rows]).tobytes() for part in self.views.parts)


def seen(inputs: Mapping[str, Any], curves: Mapping[str, Curve[Any]]) -> dict[str, Any]:
    """Inputs with the views themselves in place of their positions: of one run, or of rows."""
    found = {
        name: jax.tree.map(lambda part, at=inputs[name]: jnp.asarray(part)[at.astype(int)], views)
        for name, views in curves.items()
    }
    return {**inputs, **found}


def _widened(view: Curve[Numbers], width: int) -> Curve[Numbers]:
    """Views with stretches in which nothing falls."""
    more = ((0, 0), (0, width - view.fallen.shape[1]))
    fallen, since, updates = (np.pad(part, more) for part in (view.fallen, view.since, view.updates_since))
    return Curve(view.total, fallen, since, updates, np.pad(view.rate, more, constant_values=1.0))


def _distances(updates: int, knots: int) -> Numbers:
    """Edges (knots + 1,) of stretches by distance: single updates at first, then in equal ratios."""
    for single in range(1, knots + 1):
        edges = np.geomspace(single, updates + 1, knots + 2 - single)
        if len(edges) < 2 or edges[1] - edges[0] >= 1:
            break
    near = np.arange(1, single + 1, dtype=np.int64)
    return np.asarray(np.unique(np.append(near, np.round(edges).astype(np.int64))))


def _checked(rates: ArrayLike) -> Numbers:
    found = np.asarray(rates, dtype=np.float64)
    if found.ndim != 1 or not found.size:
        raise ValueError(f"a curve is one rate per update, not an array of shape {found.shape}")
    bad = ~np.isfinite(found) | (found < 0)
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"the rate is {shown(float(found[first]))} at update {first + 1}, and rates are finite and not "
            "negative"
        )
    if not found.any():
        raise ValueError("all rates are zero")
    return found


def _risen(fall: Numbers) -> int:
    """Updates before the rate first falls."""
    falls = fall > 0
    return int(np.argmax(falls)) if falls.any() else len(fall)
