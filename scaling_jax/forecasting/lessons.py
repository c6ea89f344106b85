"""Learning from past families: what they have in common, which members err least, and how wide bands must be.

Fits are made once, under what was known before. What a suite's tasks teach about widths is what a forecast
would have shown that had never seen the suite, nor the one left out: no trace of that one stays behind.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.forecasting.calibration import Calibration, nothing_learned
from scaling_jax.forecasting.defaults import default_laws
from scaling_jax.forecasting.ensemble import Outlook
from scaling_jax.forecasting.members import Batch, fit_members
from scaling_jax.forecasting.mixed import Shrunk, shrink
from scaling_jax.forecasting.population import Population
from scaling_jax.forecasting.rows import WEIGHTINGS, Known, cutoffs
from scaling_jax.forecasting.widths import learned_degrees, learned_widths

__all__ = ["Lessons", "Past", "fit_tasks", "learn", "shares_of"]

VAGUE_SUITES = 3.0  # suites that the first belief in a spread is worth


@dataclass(frozen=True, eq=False)
class Past:
    """A family of the past, cut off, and the run that came later.

    Args:
        suite: what shares code, data or authors with it; suites count alike.
        family: runs of one recipe; families of a suite count alike.
        curve: names the table, of which there may be several cuts.
        known: the rows below the cut.
        point: (inputs,) logarithms of the later run's inputs.
        truth: logarithm of what it showed.
    """

    suite: str
    family: str
    curve: str
    known: Known
    point: np.ndarray
    truth: float


def learn(past: Sequence[Past], base: Calibration | None = None, version: str = "own") -> Calibration:
    """What past families teach, starting from a base, or from nothing."""
    return Lessons(list(past), nothing_learned() if base is None else base).learned(None, version)


def fit_tasks(past: Sequence[Past], known: Sequence[Calibration]) -> dict[int, Outlook]:
    """What a forecast says of every past task, each under its own calibration; by the task's place."""
    found: dict[int, Outlook] = {}
    for tasks in _by_inputs(past).values():
        batch, tables = _fitted([past[i] for i in tasks], [known[i] for i in tasks])
        found |= {i: known[i].outlook(batch, own) for i, own in zip(tasks, tables, strict=True)}
    return found


@dataclass(frozen=True, eq=False)
class Lessons:
    """Past tasks, fitted under what was known before, and what they teach with any suite left out.

    Args:
        past: the tasks.
        base: what was known before.
    """

    past: list[Past]
    base: Calibration

    @property
    def suites(self) -> list[str]:
        """All suites, in order."""
        return sorted({one.suite for one in self.past})

    def learned(self, left_out: str | None = None, version: str = "own") -> Calibration:
        """What all suites but one teach."""
        members = self._members({left_out})
        share = self._share({left_out})
        error, causes = np.zeros(len(self.past)), np.zeros((len(self.past), len(members.widths)))
        blind = {suite: self._members({left_out, suite}) for suite in self.suites}
        for kind in self._kinds:
            batch = kind.under([blind[one.suite] for one in kind.past])
            for i, own in zip(kind.tasks, kind.tables, strict=True):
                seen = blind[self.past[i].suite].outlook(batch, own)
                error[i], causes[i] = self.past[i].truth - seen.centre[0], seen.causes[0]
        widths = learned_widths(causes, error, share, self.base.widths, self.base.suites)
        degrees = learned_degrees(error / (causes @ widths), share)
        return replace(members, widths=widths, degrees=degrees, version=version)

    def _share(self, left_out: set[str | None]) -> np.ndarray:
        kept = np.array([one.suite not in left_out for one in self.past])
        return np.where(kept, shares_of(self.past), 0.0)

    def _members(self, left_out: set[str | None]) -> Calibration:
        """Populations and members' usual errors, the widths still those of the base."""
        populations, usual, share = dict(self.base.populations), dict(self.base.usual), self._share(left_out)
        for kind in self._kinds:
            populations |= kind.populations(share[kind.tasks], self.base)
            usual |= kind.usual(share[kind.tasks], self.base)
        taught = self.base.suites + len(set(self.suites) - left_out)
        return replace(self.base, populations=populations, usual=usual, suites=taught)

    @cached_property
    def _kinds(self) -> list[_Kind]:
        """The tasks by the inputs they have, fitted."""
        return [
            _Kind.of([self.past[i] for i in tasks], tasks, self.base)
            for tasks in _by_inputs(self.past).values()
        ]


@dataclass(frozen=True, eq=False)
class _Kind:
    """Tasks with the same inputs, fitted under a base.

    Args:
        past: the tasks; tasks: their places among all.
        whole: the places of the longest table of every curve.
        in_full: every law fitted to those, the later run included.
        batch: the tasks and their back-tests; tables: which cut-offs are whose, the task itself first.
    """

    past: list[Past]
    tasks: list[int]
    whole: list[int]
    in_full: list[Shrunk]
    batch: Batch
    tables: list[list[int]]

    @classmethod
    def of(cls, past: list[Past], tasks: list[int], base: Calibration) -> _Kind:
        longest = {past[i].curve: i for i in sorted(range(len(past)), key=lambda i: len(past[i].known))}
        whole = list(longest.values())
        pieces = [_completed(past[i]).piece(WEIGHTINGS[0]) for i in whole]
        laws = default_laws(past[0].known.names)
        in_full = [shrink(law, [_known(base, law)] * len(pieces), pieces) for law in laws]
        return cls(past, tasks, whole, in_full, *_fitted(past, [base] * len(past)))

    def populations(self, share: np.ndarray, base: Calibration) -> dict[str, dict[str, tuple[float, float]]]:
        """Mean and spread over families of each law's coordinates, moved from the base's by what suites
        say."""
        own = np.where(share[self.whole] > 0, shares_of([self.past[i] for i in self.whole]), 0.0)
        return {fit.law.name: _moved(fit, own, base) for fit in self.in_full}

    def under(self, known: Sequence[Calibration]) -> Batch:
        """The batch as it would be under a calibration for each task, by the conjugate step."""
        of_cut = [one for one, cuts in zip(known, self.tables, strict=True) for _ in cuts]
        return self.batch.under([[_known(one, fit.law) for one in of_cut] for fit in self.batch.fits])

    def usual(self, share: np.ndarray, base: Calibration) -> dict[str, float]:
        """Each member's error relative to the others', suites counting alike."""
        said = zip(self.tables, self.past, strict=True)
        error = np.stack([np.abs(self.batch.predicted[own[0]][:, 0] - one.truth) for own, one in said])
        suite = np.array([one.suite for one in self.past])
        known = base.usual_of(self.batch.members)
        taught = [error[suite == s].T @ share[suite == s] for s in np.unique(suite[share > 0])]
        total = base.suites * known + sum(one / one.mean() for one in taught)
        found = total / max(base.suites + len(taught), 1) if taught else known
        return {member.name: float(value) for member, value in zip(self.batch.members, found, strict=True)}


def _moved(fit: Shrunk, share: np.ndarray, base: Calibration) -> dict[str, tuple[float, float]]:
    prior, variance, suites = _known(base, fit.law), (fit.spread**2).sum(axis=2), share.sum()
    mean = (share @ fit.z + base.suites * prior.mean) / (suites + base.suites) if suites else prior.mean
    worth = max(base.suites, VAGUE_SUITES)
    sd = np.sqrt((share @ ((fit.z - mean) ** 2 + variance) + worth * prior.sd**2) / (suites + worth))
    pairs = zip(mean.round(4).tolist(), sd.round(4).tolist(), strict=True)
    return dict(zip(fit.law.labels, pairs, strict=True))


def _by_inputs(past: Sequence[Past]) -> dict[tuple[str, ...], list[int]]:
    names = dict.fromkeys(one.known.names for one in past)
    return {own: [i for i, one in enumerate(past) if one.known.names == own] for own in names}


def _fitted(past: Sequence[Past], known: Sequence[Calibration]) -> tuple[Batch, list[list[int]]]:
    """Tasks and their back-tests fitted in one batch per law; and which cut-offs are whose, the task itself
    first."""
    own = [cutoffs(one.known, one.point[None]) for one in past]
    ends = np.cumsum([0, *map(len, own)]).tolist()
    laws = default_laws(past[0].known.names)
    of_cut = [one for one, cuts in zip(known, own, strict=True) for _ in cuts]
    common = [[_known(one, law) for one in of_cut] for law in laws]
    batch = fit_members(laws, common, [cut for cuts in own for cut in cuts])
    return batch, [list(range(a, b)) for a, b in itertools.pairwise(ends)]


def shares_of(past: Sequence[Past]) -> np.ndarray:
    """(tasks,) weights under which suites count alike, families within suites, and tasks within families."""
    families: dict[str, set[str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for one in past:
        families.setdefault(one.suite, set()).add(one.family)
        counts[one.suite, one.family] = counts.get((one.suite, one.family), 0) + 1
    return np.array([1 / len(families[p.suite]) / counts[p.suite, p.family] for p in past])


def _known(base: Calibration, law: Law) -> Population:
    found = base.population(law)
    if found is None:
        raise ValueError(f"Nothing is known of law '{law.name}' before the first family.")
    return found


def _completed(one: Past) -> Known:
    """The rows with the run that came later."""
    k = one.known
    run = None if k.run is None else np.append(k.run, k.run.max() + 1)
    inputs, target = np.vstack([k.inputs, one.point]), np.append(k.target, one.truth)
    return Known(k.names, inputs, target, np.append(k.weight, 1.0), run)
