"""Choosing runs under a budget: greedy purchases, exchanges of runs, and the bound of what any choice can do.

What a choice is worth is for a `Judge` to say: the variance that so many runs at every place leave. In the
numbers of runs, whole or not, that variance is convex, so that the slope at any choice bounds all others
(the equivalence theorem of designs, Kiefer and Wolfowitz 1960).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

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
    """What choices are worth."""

    def value(self, counts: np.ndarray) -> float:
        """The variance that these runs leave; infinite where they leave the answer open."""

    def added(self, counts: np.ndarray, more: np.ndarray) -> np.ndarray:
        """(places,) the same with more[i] further runs at place i alone."""

    def swapped(self, counts: np.ndarray, out: int, fewer: float, more: np.ndarray) -> np.ndarray:
        """(places,) the same with some runs fewer at one place and more[j] further runs at place j alone."""


class Sloped(Judge, Protocol):
    """What parts of runs are worth too."""

    def fall(self, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """The variance, and (places,) how fast it falls with runs at each place."""

    def among(self, places: np.ndarray) -> Sloped:
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
    found = [_greedy(judge, purse, start, POWERS[1]) for start in starts]
    found = found or [_greedy(judge, purse, purse.least, power) for power in POWERS]
    distinct = {one.tobytes(): one for one in sorted(found, key=judge.value)[:STARTS]}
    return min((_exchanged(judge, purse, one) for one in distinct.values()), key=judge.value)


def _greedy(
    judge: Judge, purse: Purse, counts: np.ndarray, power: float, shut: int | None = None
) -> np.ndarray:
    """Always the run that takes most from the variance per cost to this power, until none helps; none at a
    place that is shut."""
    counts = counts.copy()
    scale, value = np.maximum(purse.prices, 1e-300) ** power, judge.value(counts)
    for _ in range(MOST_RUNS):
        one = np.minimum(purse.affordable(counts), 1.0)
        if shut is not None:
            one[shut] = 0.0
        if not one.any():
            break
        values = judge.added(counts, one)
        gain = np.where(np.isfinite(values), value - values, -np.inf)
        if not gain.max() > GAIN * value:
            break
        i = int(np.argmax(gain / scale))
        counts[i], value = counts[i] + 1, float(values[i])
    return counts


def _exchanged(judge: Judge, purse: Purse, counts: np.ndarray) -> np.ndarray:
    """Runs given for others while that helps: one place for one other, else one place for whatever is bought
    greedily of what it cost."""
    value = judge.value(counts)
    for _ in range(MOST_SWAPS):
        found = _best_swap(judge, purse, counts, value)
        found = _best_refill(judge, purse, counts, value) if found is None else found
        if found is None:
            break
        counts = _greedy(judge, purse, found, POWERS[1])
        value = judge.value(counts)
    return counts


def _taken_out(purse: Purse, counts: np.ndarray) -> Iterator[tuple[int, float, np.ndarray]]:
    """Every place with one or all of its runs away: the place, how many, and what is kept."""
    for out in np.flatnonzero(counts > purse.least):
        for fewer in {1.0, float(counts[out] - purse.least[out])}:
            kept = counts.copy()
            kept[out] -= fewer
            yield int(out), fewer, kept


def _best_swap(judge: Judge, purse: Purse, counts: np.ndarray, value: float) -> np.ndarray | None:
    """Runs of one place for one or as many as can be paid of another; None where no swap helps."""
    best, found = value * (1 - GAIN), None
    for out, fewer, kept in _taken_out(purse, counts):
        able = purse.affordable(kept)
        able[out] = 0.0
        for more in (np.minimum(able, 1.0), able):
            values = judge.swapped(counts, out, fewer, more)
            j = int(np.argmin(values))
            if values[j] < best:
                best, found = float(values[j]), kept.copy()
                found[j] += more[j]
    return found


def _best_refill(judge: Judge, purse: Purse, counts: np.ndarray, value: float) -> np.ndarray | None:
    """What runs of one place cost, spent greedily on all others; None where that does not help."""
    best, found = value * (1 - GAIN), None
    for out, _, kept in _taken_out(purse, counts):
        for power in (POWERS[0], POWERS[-1]):
            filled = _greedy(judge, purse, kept, power, out)
            if (now := judge.value(filled)) < best:
                best, found = now, filled
    return found


def simplest(judge: Judge, purse: Purse, counts: np.ndarray, worse: float) -> np.ndarray:
    """The choice without the runs that hardly matter: the variance rises by at most this share."""
    limit = judge.value(counts) * (1 + worse)
    while (counts > purse.least).any():
        best, kept = np.inf, None
        value = judge.value(counts)
        for out in np.flatnonzero(counts > purse.least):
            spare = float(counts[out] - purse.least[out])
            for fewer in {spare, float(np.ceil(spare / 2)), max(1.0, float(np.floor(spare / 8)))}:
                left = counts.copy()
                left[out] -= fewer
                rise = judge.value(left)
                if rise <= limit and (rise - value) / fewer < best:
                    best, kept = (rise - value) / fewer, left
        if kept is None:
            break
        counts = kept
    return counts


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
