r"""Which runs to train next, for the answer that is wanted.

Before the runs places and answers are jointly Gaussian (`planning/belief.py`), so that a run changes the
variance of an answer by a known amount, whatever it will show. Without an error of the law's own the best
design trusts the law: it buys hundreds of cheap runs; with it the runs that are near in scale are worth their
price.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, shown
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.answers import Answer, answer_of
from scaling_jax.planning.belief import Belief, Goal, Member, apart, believed, mixed_beliefs
from scaling_jax.planning.cost import Cost
from scaling_jax.planning.designed import NextRuns
from scaling_jax.planning.places import Places, places_of
from scaling_jax.planning.search import Purse, Relaxed, relaxed, search, simplest
from scaling_jax.planning.source import AsBelief, WithDraws, source_of
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.scale import budgets_of
from scaling_jax.uncertainty.ensemble import check_level, is_count
from scaling_jax.uncertainty.likelihood import information

__all__ = ["next_runs", "precision_for"]

MANY = 1e6  # repeats of every candidate, for the least that these sizes can reach
FINER = 2  # times that a region's grid is halved about the chosen
SIMPLER = 0.02  # of the variance, a per cent of the interval, that fewer runs may cost
WORTH = 1e-2  # share of the budget from which the relaxed design's places are looked at closer
ROOM = 1e9
MOST = 50  # runs that somebody might start

Ranges = Mapping[str, tuple[float, float]]


@checked
def next_runs(
    source: Any,
    budget: float,
    *,
    at: Mapping[str, ArrayLike] | None = None,
    flops: float | None = None,
    of: str = "loss",
    parameter: str | None = None,
    contrast: Sequence[Hashable] | None = None,
    candidates: TableLike | Ranges | None = None,
    cost: str | ArrayLike | Cost | None = None,
    replicate: bool = True,
    most: int | None = MOST,
    discrepancy: float | str = "table",
    run_sd: float | None = None,
    level: float = 0.9,
) -> NextRuns:
    r"""The runs, within a budget, after which the answer is known best.

    $$\min_n \operatorname{Var}[q \mid n \text{ runs}] \quad \text{where } \sum_i n_i k_i \le B$$

    of the answer q, k_i being the cost of a run at place i and B the budget; runs err by the
    law's own error, a walk of `discrepancy` per root decade of compute that ends at the answer, and by
    `run_sd`.

    Args:
        source: a fit (its runs count as made), draws of one, a forecast (its laws under their weights, its
            band as the laws' error), a published entry or `(law, params)` where no run exists yet. A list of
            these is several laws of one thing: runs that tell them apart count; fits of the same rows are
            weighed by AICc, others alike. A mapping, such as groups, is recipes that are trained apart.
        budget: what the runs may cost together, in the unit of the cost.
        at, flops, parameter: the answer: the loss at given inputs ({"N": 7e10, "D": 1.4e12}; arrays for the
            mean over several runs), something of the best run of a budget, or a parameter by name.
        of: what of a budget's best run is the answer: "loss", or an input, "N" or "D".
        contrast: names of two recipes of the mapping, whose difference is the answer. Without it the runs
            are for all recipes alike.
        candidates: places that may be trained: a table, the law's inputs as columns; or ranges, pairs of
            lower and upper end by input or formula ({"N": (1e7, 1e10), "D / N": (5, 100)}), which are
            searched by ever finer grids. By default runs that cost at most the budget and not much less than
            those of the fit, at the usual tokens per parameter.
        cost: column of the candidates or one number each, or one of `sj.cost`; 6 N D, or compute itself, by
            default.
        replicate: whether a candidate may be trained more than once (with other seeds).
        most: so many runs at most; None for any number.
        discrepancy: the law's own error, as a share of the loss per root decade of compute: "table" reads it
            off what a fit leaves unexplained, or a forecast's band (.001 without either); 0 trusts the law.
        run_sd: scatter of one run's log loss; what the fit leaves by default, .004 without one.
        level: of the interval.

    Returns:
        A `NextRuns`: `.table` (places and how many runs), `.before`, `.after`, `.bound` (what no choice gets
        below), `.floor`, `.halfwidth`, `.gap` (of a contrast); printed, sentences. Of choices within a per
        cent of the best interval it is one of few runs.

    Raises:
        ValueError: for an answer that is none or several, candidates or costs that make no sense, or a budget
            that pays for no candidate.

    Source: c-optimal design, Pukelsheim 1993; the discrepancy, Kennedy and O'Hagan 2001.

    >>> import scaling_jax as sj
    >>> plan = sj.next_runs(sj.published["besiroglu2024_huber"], 1e22, flops=1e24)
    >>> bool(plan.after < plan.before and plan.spent <= 1e22)
    True
    """
    words = (at, flops, of, parameter, contrast, candidates, cost, replicate, most, discrepancy, run_sd)
    question = _asked(source, *words, level)
    asked = float(budgets_of(budget, "budget")[0])
    return question.told(question.designed(asked, question.places((asked, asked))), asked)


@checked
def precision_for(source: Any, budgets: ArrayLike, **options: Any) -> pd.DataFrame:
    """What precision budgets buy: `sj.next_runs` for each, over the same places.

    Args:
        source: as in `next_runs`.
        budgets: what may be spent.
        **options: as in `next_runs`.

    Returns:
        A row per budget: budget, runs, sd (of the answer), halfwidth (of its interval), bound (sd that no
        choice gets below), floor (sd that no number of runs of at most that budget gets below), largest
        (cost of the dearest run), and advice: where sd comes near the floor, more runs of these sizes hardly
        help, and only larger ones do. What a smaller budget paid for a larger one pays for too, so that sd
        never rises.

    Raises:
        ValueError: as `next_runs`.

    >>> import scaling_jax as sj
    >>> bought = sj.precision_for(sj.published["besiroglu2024_huber"], [1e20, 1e22], flops=1e24)
    >>> bool(bought["sd"].is_monotonic_decreasing)
    True
    """
    words = {name: one.default for name, one in list(signature(next_runs).parameters.items())[2:]}
    if unknown := [name for name in options if name not in words]:
        raise TypeError(f"precision_for has no {unknown[0]!r}; it takes {', '.join(words)}.")
    question = _asked(source, **words | options)
    asked = budgets_of(budgets, "budgets")
    start = question.places((float(asked.min()), float(asked.max())))
    rows: dict[float, dict[str, Any]] = {}
    before: _Design | None = None
    for budget in np.unique(asked).tolist():
        before = question.designed(budget, start, before)
        rows[budget] = question.told(before, budget).bought
    return pd.DataFrame([rows[budget] for budget in asked.tolist()])


@dataclass(frozen=True, eq=False)
class _Design:
    """Places and how many runs at each, recipe by recipe."""

    places: Places
    counts: np.ndarray
    belief: Belief
    apart: np.ndarray | None
    loose: Relaxed

    @property
    def left(self) -> float:
        """The variance of the answer that the runs leave."""
        return self.belief.after(self.counts).value()


@dataclass(frozen=True, eq=False)
class _Question:
    """What is asked.

    Args:
        recipes: name -> the laws it may follow; the one name None where there are no recipes.
        goals: name -> the answer by each of these laws.
        answer: in words.
        contrast: the two recipes whose difference is wanted, or None.
    """

    recipes: dict[Hashable, list[Member]]
    goals: dict[Hashable, list[Goal]]
    answer: Answer
    contrast: tuple[Hashable, Hashable] | None
    candidates: TableLike | Ranges | None
    cost: str | ArrayLike | Cost | None
    replicate: bool
    most: float
    discrepancy: float | str
    run_sd: float | None
    level: float

    def places(self, budgets: tuple[float, float]) -> Places:
        """Where runs may be trained for budgets between these."""
        members = [one for members in self.recipes.values() for one in members]
        law, rows = members[0].source.law, members[0].source.rows
        return places_of(law, self.candidates, self.cost, budgets, rows)

    def designed(self, budget: float, given: Places, before: _Design | None = None) -> _Design:
        """The best choice for a budget, no worse than what a smaller one paid for."""
        places, counts = given.within(budget), None
        if before is not None:
            places, counts = _joined(places, before, len(self.recipes))
        found = self._searched(places, budget, counts, None)
        for _ in range(FINER):
            n, prices = len(found.places), np.tile(found.places.prices, len(self.recipes))
            used = (found.counts > 0) | (found.loose.counts * prices > WORTH * budget)
            finer = found.places.finer(np.unique(np.flatnonzero(used) % n), budget)
            if len(finer) == n:
                break
            rough = replace(found.loose, counts=_padded(found.loose.counts, n, len(finer)))
            found = self._searched(finer, budget, _padded(found.counts, n, len(finer)), rough)
        fewer = simplest(found.belief, self.purse(found.places, budget), found.counts, SIMPLER)
        if (
            before is not None
            and found.belief.after(fewer).value() > before.belief.after(before.counts).value()
        ):
            bound = min(before.loose.bound, found.loose.bound)
            return replace(before, loose=replace(before.loose, bound=bound))
        return replace(found, counts=fewer)

    def _searched(
        self, places: Places, budget: float, counts: np.ndarray | None, rough: Relaxed | None
    ) -> _Design:
        """The best choice among these places."""
        belief, differ = self.belief(places)
        purse = self.purse(places, budget)
        loose = relaxed(belief, purse, rough)
        starts = [] if counts is None else [counts]
        starts += [search(belief, purse)] if rough is None else []
        whole = np.minimum(np.floor(loose.counts + 1e-9), purse.most)
        starts += [whole] if whole.sum() <= purse.room else []
        return _Design(places, search(belief, purse, starts), belief, differ, loose)

    def purse(self, places: Places, budget: float) -> Purse:
        """What may be bought of them."""
        prices = np.tile(places.prices, len(self.recipes))
        return Purse(prices, budget, MANY if self.replicate else 1.0, self.most, np.zeros(len(prices)))

    def belief(self, places: Places) -> tuple[Belief, np.ndarray | None]:
        """What is believed of these places of every recipe and of the answer, and how far laws are apart."""
        parts, differ = {}, []
        for name, members in self.recipes.items():
            each = [
                believed(one, places.inputs, goal, self.discrepancy, self.run_sd)
                for one, goal in zip(members, self.goals[name], strict=True)
            ]
            weights = np.array([one.weight for one in members])
            parts[name] = mixed_beliefs(each, weights) if len(each) > 1 else each[0]
            differ.append(apart(each, weights)[: len(places)])
        several = any(len(members) > 1 for members in self.recipes.values())
        return _side_by_side(parts, len(places), self.contrast), np.concatenate(differ) if several else None

    def told(self, design: _Design, budget: float) -> NextRuns:
        """The design in a table and in numbers."""
        counts, places, belief = design.counts, design.places, design.belief
        n = len(places)
        chosen = np.flatnonzero(counts)
        where = chosen % n
        table = pd.DataFrame({name: column[where] for name, column in places.inputs.items()})
        if None not in self.recipes:
            names = list(self.recipes)
            table.insert(0, "recipe", [names[i] for i in chosen // n])
        table["runs"] = counts[chosen].astype(int)
        table["cost"] = counts[chosen] * places.prices[where]
        table["share"] = table["cost"] / budget
        if design.apart is not None:
            table["laws_apart"] = design.apart[chosen]
        prices = np.tile(places.prices, len(self.recipes))
        every = np.where(prices <= budget * (1 + 1e-9), MANY if self.replicate else 1.0, 0.0)
        answers = belief.mean[len(prices) :]
        return NextRuns(
            table=table.sort_values("cost", ascending=False, ignore_index=True),
            before=float(np.sqrt(belief.value())),
            after=float(np.sqrt(design.left)),
            floor=float(np.sqrt(belief.after(np.maximum(every, counts)).value())),
            spent=float(counts @ prices),
            budget=budget,
            answer=self.words,
            level=self.level,
            bound=float(np.sqrt(design.loose.bound)),
            gap=float(answers[0]) if self.contrast is not None else np.nan,
            names=self.contrast,
        )

    @property
    def words(self) -> str:
        """The answer in words."""
        if self.contrast is not None:
            return f"{self.contrast[1]} less {self.contrast[0]} in {self.answer.words}"
        return self.answer.words + (" of every recipe" if None not in self.recipes else "")


def _asked(
    source: object,
    at: Mapping[str, ArrayLike] | None,
    flops: float | None,
    of: str,
    parameter: str | None,
    contrast: Sequence[Hashable] | None,
    candidates: TableLike | Ranges | None,
    cost: str | ArrayLike | Cost | None,
    replicate: bool,
    most: int | None,
    discrepancy: float | str,
    run_sd: float | None,
    level: float,
) -> _Question:
    check_level(level)
    _check_discrepancy(discrepancy)
    if run_sd is not None and not 0 <= run_sd < np.inf:
        raise ValueError(f"run_sd={run_sd!r}: give a finite number, zero or more.")
    if most is not None and not (is_count(most)):
        raise ValueError(f"most={shown(most)}: give how many runs there may be, one or more.")
    answer = answer_of(at, flops, of, parameter)
    pair = _pair(source, contrast)
    recipes: dict[Hashable, list[Member]]
    if isinstance(source, Mapping):
        recipes = {name: _members(source[name]) for name in (pair or source)}
    else:
        recipes = {None: _members(source)}
    laws = {one.source.law.inputs for members in recipes.values() for one in members}
    if len(laws) > 1:
        listed = "; ".join(", ".join(inputs) for inputs in sorted(laws))
        raise ValueError(f"The laws take different inputs ({listed}): runs are chosen for laws of the same.")
    goals = {name: [answer.of_law(one.source) for one in members] for name, members in recipes.items()}
    room = ROOM if most is None else float(most)
    return _Question(
        recipes, goals, answer, pair, candidates, cost, replicate, room, discrepancy, run_sd, level
    )


def _check_discrepancy(given: object) -> None:
    if given == "table" or (
        isinstance(given, int | float | np.number) and not isinstance(given, bool) and 0 <= given < np.inf
    ):
        return
    raise ValueError(
        f"discrepancy={shown(given)}: give 'table', or a share of the loss per root decade such as 0.005."
    )


def _pair(source: object, contrast: Sequence[Hashable] | None) -> tuple[Hashable, Hashable] | None:
    if contrast is None:
        return None
    names = [] if isinstance(contrast, str) else list(contrast)
    if not isinstance(source, Mapping):
        raise ValueError("contrast= names two recipes: give a mapping from name to fit, such as groups.")
    if len(names) != 2 or names[0] == names[1] or not all(name in source for name in names):
        known = ", ".join(map(str, source))
        raise ValueError(f"contrast={shown(contrast)}: name two of the recipes, which are {known}.")
    return names[0], names[1]


def _members(what: object) -> list[Member]:
    """The laws that may be followed, with their weights."""
    if not isinstance(what, list):
        return [_member(what, 1.0)]
    if not what:
        raise ValueError("The list of laws is empty: give fits, entries or (law, params).")
    criteria = np.array([information(one).aicc if isinstance(one, Fitted) else np.nan for one in what])
    rows = {one.fingerprint if isinstance(one, Fitted) else None for one in what}
    weights = np.ones(len(what))
    if np.isfinite(criteria).all() and len(rows) == 1:
        weights = np.exp(-0.5 * (criteria - criteria.min()))
    return [_member(one, weight) for one, weight in zip(what, weights / weights.sum(), strict=True)]


def _member(what: object, weight: float) -> Member:
    if isinstance(what, AsBelief):
        return Member(what.as_belief(), None, weight)
    fit = what if isinstance(what, Fitted) else what.fit if isinstance(what, WithDraws) else None
    found = source_of(what if fit is None else fit, draws=False)
    return Member(found, fit if fit is not None and fit.runs is not None else None, weight)


def _side_by_side(
    parts: dict[Hashable, Belief], places: int, contrast: tuple[Hashable, Hashable] | None
) -> Belief:
    """Recipes whose runs say nothing of each other: places first, then answers or their difference."""
    if len(parts) == 1:
        return next(iter(parts.values()))
    size = [len(one.joint) for one in parts.values()]
    first = np.cumsum([0, *size[:-1]])
    joint, mean = np.zeros((sum(size), sum(size))), np.concatenate([one.mean for one in parts.values()])
    for start, one in zip(first, parts.values(), strict=True):
        joint[start : start + len(one.joint), start : start + len(one.joint)] = one.joint
    at = np.concatenate([start + np.arange(places) for start in first])
    goals = np.concatenate([start + np.arange(places, n) for start, n in zip(first, size, strict=True)])
    turn = np.zeros((len(at) + (1 if contrast else len(goals)), len(mean)))
    turn[np.arange(len(at)), at] = 1.0
    if contrast:
        turn[-1, goals] = [-1.0, 1.0]
    else:
        turn[len(at) + np.arange(len(goals)), goals] = 1.0
    return Belief(turn @ joint @ turn.T, np.concatenate([one.noise for one in parts.values()]), turn @ mean)


def _padded(counts: np.ndarray, old: int, new: int) -> np.ndarray:
    """Counts of places to which others were appended, recipe by recipe."""
    wide = np.zeros((len(counts) // old, new))
    wide[:, :old] = counts.reshape(-1, old)
    return wide.ravel()


def _joined(places: Places, before: _Design, recipes: int) -> tuple[Places, np.ndarray]:
    """Places and those of an earlier design, with its counts."""
    n = len(before.places)
    used = np.unique(np.flatnonzero(before.counts) % n)
    kept = before.places.taken(used)
    counts = np.zeros((recipes, len(places) + len(used)))
    counts[:, len(places) :] = before.counts.reshape(recipes, n)[:, used]
    return places.joined(kept), counts.ravel()
