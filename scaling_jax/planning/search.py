"""Choosing runs under a budget: greedy purchases, exchanges of runs, and the bound of what any choice can do.

What a choice is worth is for a `Judge` to say: the variance that so many runs at every place leave. In the
numbers of runs, whole or not, that variance is convex, so that the slope at any choice bounds all others
(the equivalence theorem of designs, Kiefer and Wolfowitz 1960).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

__all__ = ["Judge", "Purse", "Relaxed", "relaxed", "search", "simplest"]

POWERS = (1.0, 0.7, 0.4, 0.0)  # of the price that a gain is divided by
MOST_RUNS = 400
MOST_SWAPS = 60
STARTS = 3  # greedy choices whose runs are exchanged
GAIN = 1e-4  # share of the variance below which further runs do not help
LOOKS, STEPS = 20, 16  # at all places, and between two looks among those that are used
CLOSE = 0.01  # of the variance, that the bound lies below it
TOLLS, FINEST = 3.0, 0.6  # decades of a run's mean price in which its toll is searched, and how closely
UNUSED = 1e-3  # of the largest share, below which a place is given up
ROUNDING = 1e-9


class Judge(Protocol):
    """What is known after some runs, and what others would do to it."""

    def value(self) -> float:
        """The variance that these runs leave; infinite where they leave the answer open."""

    def after(self, counts: np.ndarray) -> Self:
        """What is known after (places,) runs and no others, whole or not."""

    def plus(self, place: int, runs: float) -> Self:
        """What is known after some runs more at one place, or fewer."""

    def added(self, more: np.ndarray) -> np.ndarray:
        """(places,) the variance with more[i] further runs at place i alone."""

    def without(self, out: np.ndarray, fewer: np.ndarray) -> np.ndarray:
        """(ways,) the variance with fewer[w] runs less at place out[w]."""

    def swapped(self, out: np.ndarray, fewer: np.ndarray, more: np.ndarray) -> np.ndarray:
        """(ways, places) the same with, besides, more[w, i] further runs at place i alone."""


class Sloped(Judge, Protocol):
    """What parts of runs are worth too."""

    def fall(self, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """The variance after (places,) runs and no others, and (places,) how fast it falls with runs at each
        place."""

    def among(self, places: np.ndarray) -> Self:
        """A judge of choices that have runs at these places alone."""


@dataclass(frozen=True, eq=False)
class Purse:
    """What may be bought.

    Args:
        prices: (places,) of one run at each.
        budget: for all.
        most: runs at one place, a finite number.
        room: runs in all.
        least: (places,) runs that are bought whatever happens.
    """

    prices: np.ndarray
    budget: float
    most: float
    room: float
    least: np.ndarray

    def affordable(self, counts: np.ndarray) -> np.ndarray:
        """(places,) how many further runs of each kind, and of no other, there is money and room for."""
        left = self.budget * (1 + ROUNDING) - float(counts @ self.prices)
        fit = np.floor(left / np.maximum(self.prices, 1e-300) + ROUNDING)
        return np.clip(np.minimum(np.minimum(fit, self.most - counts), self.room - counts.sum()), 0.0, None)


def search(judge: Judge, purse: Purse, starts: Sequence[np.ndarray] = ()) -> np.ndarray:
    """(places,) how many runs of each kind: the best greedy choice, then runs exchanged while that helps.

    Args:
        judge, purse: what choices are worth, and what may be bought.
        starts: (places,) choices to begin at, each filled up greedily; without them at nothing, greedy by
            several powers of the price.
    """
    begun = [_Choice(judge.after(start), start) for start in starts]
    found = [_greedy(purse, one, POWERS[1]) for one in begun]
    if not found:
        nothing = _Choice(judge.after(purse.least), purse.least)
        found = [_greedy(purse, nothing, power) for power in POWERS]
    distinct = {one.counts.tobytes(): one for one in sorted(found, key=_variance)[:STARTS]}
    return min((_exchanged(purse, one) for one in distinct.values()), key=_variance).counts


@dataclass(frozen=True, eq=False)
class _Choice:
    """Runs at every place, and what is known after them."""

    known: Judge
    counts: np.ndarray

    def plus(self, place: int, runs: float) -> _Choice:
        counts = self.counts.copy()
        counts[place] += runs
        return _Choice(self.known.plus(place, runs), counts)


def _variance(one: _Choice) -> float:
    return one.known.value()


def _greedy(purse: Purse, one: _Choice, power: float, shut: int | None = None) -> _Choice:
    """Always the run that takes most from the variance per cost to this power, until none helps; none at a
    place that is shut."""
    scale, value = np.maximum(purse.prices, 1e-300) ** power, _variance(one)
    for _ in range(MOST_RUNS):
        more = np.minimum(purse.affordable(one.counts), 1.0)
        if shut is not None:
            more[shut] = 0.0
        if not more.any():
            break
        values = one.known.added(more)
        gain = np.where(np.isfinite(values), value - values, -np.inf)
        if not gain.max() > GAIN * value:
            break
        i = int(np.argmax(gain / scale))
        one, value = one.plus(i, 1.0), float(values[i])
    return one


def _exchanged(purse: Purse, one: _Choice) -> _Choice:
    """Runs given for others while that helps: one place for one other, else one place for whatever is bought
    greedily of what it cost."""
    for _ in range(MOST_SWAPS):
        found = _best_swap(purse, one)
        found = _best_refill(purse, one) if found is None else found
        if found is None:
            break
        one = _greedy(purse, found, POWERS[1])
    return one


def _ways_out(purse: Purse, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every place with one or all of its runs away: the places, and how many."""
    out = np.flatnonzero(counts > purse.least)
    every = counts[out] - purse.least[out]
    several = every > 1
    return np.append(out, out[several]), np.append(np.ones(len(out)), every[several])


def _best_swap(purse: Purse, one: _Choice) -> _Choice | None:
    """Runs of one place for one or as many as can be paid of another; None where no swap helps."""
    out, fewer = _ways_out(purse, one.counts)
    if not len(out):
        return None
    kept = np.tile(one.counts, (len(out), 1))
    kept[np.arange(len(out)), out] -= fewer
    able = np.array([purse.affordable(counts) for counts in kept])
    able[np.arange(len(out)), out] = 0.0
    more = np.vstack([np.minimum(able, 1.0), able])
    out, fewer = np.tile(out, 2), np.tile(fewer, 2)
    values = one.known.swapped(out, fewer, more)
    way, place = np.unravel_index(int(np.argmin(values)), values.shape)
    if not values[way, place] < _variance(one) * (1 - GAIN):
        return None
    return one.plus(int(out[way]), -float(fewer[way])).plus(int(place), float(more[way, place]))


def _best_refill(purse: Purse, one: _Choice) -> _Choice | None:
    """What runs of one place cost, spent greedily on all others; None where that does not help."""
    best, found = _variance(one) * (1 - GAIN), None
    for out, fewer in zip(*_ways_out(purse, one.counts), strict=True):
        kept = one.plus(int(out), -float(fewer))
        for power in (POWERS[0], POWERS[-1]):
            filled = _greedy(purse, kept, power, int(out))
            if (now := _variance(filled)) < best:
                best, found = now, filled
    return found


def simplest(judge: Judge, purse: Purse, counts: np.ndarray, worse: float) -> np.ndarray:
    """The choice without the runs that hardly matter: the variance rises by at most this share."""
    one = _Choice(judge.after(counts), counts)
    limit = _variance(one) * (1 + worse)
    while (one.counts > purse.least).any():
        at = np.flatnonzero(one.counts > purse.least)
        spare = one.counts[at] - purse.least[at]
        parts = [spare, np.ceil(spare / 2), np.maximum(1.0, np.floor(spare / 8))]
        out, fewer = np.tile(at, len(parts)), np.concatenate(parts)
        rise = one.known.without(out, fewer)
        per_run = np.where(rise <= limit, (rise - _variance(one)) / fewer, np.inf)
        way = int(np.argmin(per_run))
        if not np.isfinite(per_run[way]):
            break
        one = one.plus(int(out[way]), -float(fewer[way]))
    return one.counts


@dataclass(frozen=True, eq=False)
class Relaxed:
    """The best choice where parts of runs could be bought.

    Args:
        counts: (places,) runs, in parts.
        bound: no choice leaves a smaller variance.
        toll: what a run costs beside its price so that there are no more of them than allowed.
    """

    counts: np.ndarray
    bound: float
    toll: float


def relaxed(judge: Sloped, purse: Purse, start: Relaxed | None = None) -> Relaxed:
    """The best choice of parts of runs, and the bound that it proves.

    A choice that pays a toll t for each of its R runs has a budget of B + t R: whatever is allowed is allowed
    then too, so that every toll gives a bound, and the best toll is that which leaves R runs.
    """
    usual = purse.budget / purse.room
    rough = None if start is None else start.counts
    if start is not None:
        return _relaxed(judge, purse, start.toll, rough)
    found = [_relaxed(judge, purse, 0.0, rough)]
    low, high = -TOLLS, TOLLS
    while found[0].counts.sum() > purse.room and high - low > FINEST:
        middle = 0.5 * (low + high)
        found.append(_relaxed(judge, purse, usual * 10**middle, found[-1].counts))
        low, high = (middle, high) if found[-1].counts.sum() > purse.room else (low, middle)
    best = max(found, key=lambda one: one.bound)
    return Relaxed(best.counts, best.bound, best.toll)


def _relaxed(judge: Sloped, purse: Purse, toll: float, start: np.ndarray | None) -> Relaxed:
    """Shares of the budget that go where the variance falls fastest per cost, until they do not move.

    A share grows with the root of that fall, which never worsens the choice (Torsney 1983).
    """
    prices = purse.prices + toll
    budget = purse.budget + (toll * purse.room if toll else 0.0)
    share = np.full(len(prices), 1 / len(prices))
    if start is not None and start.any():
        share = 0.5 * share + 0.5 * start * prices / (start @ prices)
    bound = 0.0
    for _ in range(LOOKS):
        counts = _capped(share, prices, budget, purse.most)
        value, fall = judge.fall(counts)
        if not np.isfinite(value):
            break
        bound = max(bound, value + float(fall @ counts) - _most_fall(fall, prices, budget, purse.most))
        if value - bound <= CLOSE * value:
            break
        share = share * np.sqrt(fall / prices)
        used = np.flatnonzero(share > UNUSED * share.max())
        some, own = judge.among(used), share[used] / share[used].sum()
        for _ in range(STEPS):
            fall = some.fall(_capped(own, prices[used], budget, purse.most))[1]
            own = own * np.sqrt(fall / prices[used])
            own = own / own.sum()
        share = np.zeros(len(prices))
        share[used] = own
    return Relaxed(counts, bound, toll)


def _capped(share: np.ndarray, prices: np.ndarray, budget: float, most: float) -> np.ndarray:
    """Runs for these shares of the budget, what a full place cannot take being given to the others."""
    full = np.zeros(len(share), dtype=bool)
    while True:
        left = budget - most * float(prices[full].sum())
        rest = np.where(full, 0.0, share)
        counts = np.where(full, most, rest / max(rest.sum(), 1e-300) * max(left, 0.0) / prices)
        over = ~full & (counts > most)
        if not over.any():
            return counts
        full |= over


def _most_fall(fall: np.ndarray, prices: np.ndarray, budget: float, most: float) -> float:
    """What runs could take from the variance at most, did its slope not flatten: the best places filled."""
    order = np.argsort(-fall / prices)
    full = np.minimum(most * prices[order], budget)
    taken = np.clip(budget - (np.cumsum(full) - full), 0.0, full)
    return float(taken @ (fall / prices)[order])
