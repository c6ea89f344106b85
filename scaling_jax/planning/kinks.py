"""Best runs that lie on a limit at which the law has a kink, as a law of repeats has where D = U.

There the slope that a descent from inside follows is not that of the limit itself, so that its first-order
conditions never hold. Where a descent got stuck, each limit is taken as an equality in turn, and the best run
of these faces is the answer as soon as relaxing its limit would help.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling_jax.core.arrays import Numbers
from scaling_jax.planning.cost import formula
from scaling_jax.planning.optimum import Lanes, Optimum, Shape, solve

__all__ = ["solve_on_faces"]

OUTSIDE = 1e-9  # of the limit: beyond it, where the law has the slope that a relaxed limit would meet
HELPS = -1e-9  # of the loss: what rounding leaves of a price that is zero


def solve_on_faces(
    shape: Shape, lanes: Lanes[Numbers], cost_numbers: Numbers, found: Optimum[Numbers]
) -> Optimum[Numbers]:
    """What was found, and for lanes that got stuck the best run on one of their limits, where that is one."""
    stuck = np.flatnonzero(np.isnan(found.loss) & found.feasible.astype(bool) & found.inside.astype(bool))
    if not len(stuck):
        return found
    limits = len(shape.limits)
    wide = replace(shape, limits=(*shape.limits, *(formula(name) for name in shape.free)))
    mine = Lanes(*(column[stuck] for column in lanes))
    least = np.hstack([mine.least, np.zeros_like(mine.low)])
    most = np.hstack([mine.most, np.full_like(mine.high, np.inf)])
    lower = np.hstack([mine.least, mine.low])
    upper = np.hstack([mine.most, mine.high])
    columns = [np.array(column, dtype=np.float64) for column in found]
    best = np.full(len(stuck), np.inf)
    for i in range(limits + len(shape.free)):
        for low_end, end in ((True, lower[:, i]), (False, upper[:, i])):
            there = np.isfinite(end) & (end > 0) & (lower[:, i] < upper[:, i])
            if not there.any():
                continue
            pinned = Lanes(*(np.array(c) for c in mine._replace(least=least, most=most)))
            beyond = end[there] * (1 - OUTSIDE if low_end else 1 + OUTSIDE)
            pinned.least[there, i] = pinned.most[there, i] = beyond
            if i >= limits:
                pinned.low[there, i - limits], pinned.high[there, i - limits] = 0.0, np.inf
            face = _priced(solve(wide, pinned, cost_numbers), i, low_end, limits)
            price = (face.price_least if low_end else face.price_most)[:, i]
            value = face.spent if shape.reach else shape.sign * face.loss
            better = there & (price >= HELPS) & (value < best)
            best = np.where(better, value, best)
            for column, own in zip(columns, _narrow(face, limits), strict=True):
                column[stuck[better]] = own[better]
    return Optimum(*columns)


def _priced(face: Optimum[Numbers], i: int, low_end: bool, limits: int) -> Optimum[Numbers]:
    """With the price of the equality at the end it stands for: the multiplier of an equality, whose sign is
    that of an upper end, is told at `most`."""
    price_least, price_most = face.price_least.copy(), face.price_most.copy()
    if low_end:
        price_least[:, i], price_most[:, i] = -face.price_most[:, i], 0.0
    price_low, price_high = face.price_low.copy(), face.price_high.copy()
    if i >= limits:
        price_low[:, i - limits] += price_least[:, i]
        price_high[:, i - limits] += price_most[:, i]
    return face._replace(
        price_least=price_least, price_most=price_most, price_low=price_low, price_high=price_high
    )


def _narrow(face: Optimum[Numbers], limits: int) -> Optimum[Numbers]:
    """Without the limits that are the inputs' own ends."""
    return face._replace(price_least=face.price_least[:, :limits], price_most=face.price_most[:, :limits])
