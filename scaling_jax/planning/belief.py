r"""What is believed before the runs that are to be chosen: places and answers, jointly Gaussian.

Of one law the log losses are linear in its parameters about the estimate, and the law has an error of its own
that walks along the decades of compute and is pinned at the answer,

$$\operatorname{cov}(y_i, y_j) = g_i^\top P g_j + \kappa^2 \min(x^* - x_i,\; x^* - x_j) + \sigma^2 [i = j],$$

g the gradient of the log loss. Of several laws with weights w_k it is the mean of these and what the laws
disagree about,

$$\sum_k w_k \operatorname{cov}_k + \sum_k w_k (m_k - \bar m)(m_k - \bar m)^\top,$$

m_k being what law k says: a run where laws differ as they do at the answer tells them apart. Variances that
are found with it are no less than what is to be expected (they are those of the best linear estimate).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scaling_jax.core.arrays import Columns
from scaling_jax.core.law import Law
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.drift import walk_of
from scaling_jax.planning.recipes import compute_of, last_rows, log_slopes, residuals_of, run_scatter
from scaling_jax.planning.source import Source

__all__ = ["DISCREPANCY", "Belief", "Goal", "Member", "apart", "believed", "log_gradients", "mixed_beliefs"]

DISCREPANCY = 0.001  # did best beside 0, .002 and .005 in benchmarks.next_runs, over three kinds of truth
RUN_SD, BELIEVED = 0.004, 4.0  # and the degrees of freedom with which that is believed
LOGS, RELATIVE = 1.0, 0.3  # belief about parameters before any run
NEAREST = 0.5  # decades: a forecast's error is not a longer walk because it starts nearer
SMALLEST_SD = 1e-5  # tables give no more digits
CANCELS = 1e-6  # share of a run's variance that must be left when it is taken away in one step
ROUNDS = 1e-12  # the same of what was open of its place at first, of which rounding errs by a share
DIGITS = 2e-15  # of what was open at first, that always stays open


@dataclass(frozen=True, eq=False)
class Goal:
    """Answers wanted of one law.

    Args:
        slopes: (answers, labels) their gradients, by the logarithm of positive parameters.
        values: (answers,) what the estimate says: log losses, the log of an optimum, a parameter.
        decades: (answers,) log10 of the compute they belong to; NaN for the law's own parameters.
        inputs: (answers,) of each input, where they are losses of runs.
    """

    slopes: np.ndarray
    values: np.ndarray
    decades: np.ndarray
    inputs: Columns | None


@dataclass(frozen=True, eq=False)
class Member:
    """One law that the answer may follow.

    Args:
        source: law and parameters; draws where no fit stands behind it.
        fit: the fit, whose runs count as made; None for constants and forecasts.
        weight: its share of the belief.
    """

    source: Source
    fit: Fitted | None
    weight: float


@dataclass(frozen=True, eq=False)
class Belief:
    """Places and answers as jointly Gaussian; a judge of choices of runs, `Sloped`.

    Args:
        joint: (places + answers, places + answers) covariance, the answers last.
        noise: (places,) variance of one run.
        mean: (places + answers,) what is expected.
        counts: (places,) runs that the covariance is given.
        first: the belief before them; None where there are none.
    """

    joint: np.ndarray
    noise: np.ndarray
    mean: np.ndarray
    counts: np.ndarray | None = None
    first: Belief | None = None

    def value(self) -> float:
        """Mean variance of the answers."""
        return max(float(np.diag(self.joint)[len(self.noise) :].mean()), 0.0)

    def after(self, counts: np.ndarray) -> Belief:
        """The belief after so many runs at every place."""
        first = self.first or self
        joint = _conditioned(first.joint, counts / self.noise)
        return replace(self, joint=joint, counts=counts, first=first)

    def plus(self, place: int, runs: float) -> Belief:
        """The belief after some runs more at one place, or fewer, by one step of conditioning."""
        counts = np.zeros(len(self.noise)) if self.counts is None else self.counts.copy()
        counts[place] += runs
        one = np.array([place])
        if runs < 0 and not self._safely_out(one, np.array([-runs]))[0]:
            return self.after(counts)
        first, row = self.first or self, self.joint[place]
        scatter = self.noise[place] / runs
        if runs > 0:
            scatter = max(scatter, DIGITS * first.joint[place, place])
        joint = self.joint - np.multiply.outer(row / (row[place] + scatter), row)
        return replace(self, joint=joint, counts=counts, first=first)

    def added(self, more: np.ndarray) -> np.ndarray:
        """(places,) the variance with more[i] further runs at place i alone."""
        scatter = self.noise / np.maximum(more, 1e-300)
        gain = np.square(self._cross).sum(axis=0) / (self._spread + scatter)
        return self.value() - np.where(more > 0, gain, 0.0)

    def without(self, out: np.ndarray, fewer: np.ndarray) -> np.ndarray:
        """(ways,) the variance with fewer[w] runs less at place out[w]."""
        rise = self._turned(out, fewer) * np.square(self._cross[:, out]).sum(axis=0)
        return self._exactly(out, fewer, self.value() + rise, lambda one, _: one.value())

    def swapped(self, out: np.ndarray, fewer: np.ndarray, more: np.ndarray) -> np.ndarray:
        """(ways, places) the same with, besides, more[w, i] further runs at place i alone."""
        cross, turned = self._cross, self._turned(out, fewer)[:, None]
        own = np.square(cross).sum(axis=0)
        moved = turned * self.joint[out, : len(self.noise)]
        spread = self._spread + moved * self.joint[out, : len(self.noise)]
        explained = own + 2 * moved * (cross[:, out].T @ cross) + np.square(moved) * own[out][:, None]
        gain = explained / (spread + self.noise / np.maximum(more, 1e-300))
        values = self.value() + turned * own[out][:, None] - np.where(more > 0, gain, 0.0)
        return self._exactly(out, fewer, values, lambda one, way: one.added(more[way]))

    def fall(self, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """The variance after (places,) runs and no others, and (places,) how fast it falls with runs at each
        place."""
        known = self.after(counts)
        return known.value(), np.square(known._cross).sum(axis=0) / self.noise

    def among(self, places: np.ndarray) -> Belief:
        """The belief where no other places can be had."""
        kept = np.append(places, np.arange(len(self.noise), len(self.joint)))
        return Belief(self.joint[np.ix_(kept, kept)], self.noise[places], self.mean[kept])

    @property
    def _cross(self) -> np.ndarray:
        """(answers, places) covariances, each answer divided by the root of their number."""
        n = len(self.noise)
        return self.joint[n:, :n] / np.sqrt(len(self.joint) - n)

    @property
    def _spread(self) -> np.ndarray:
        """(places,) variances."""
        return np.maximum(np.diag(self.joint)[: len(self.noise)], 0.0)

    def _turned(self, out: np.ndarray, fewer: np.ndarray) -> np.ndarray:
        """(ways,) by what the squared covariances with a place grow where runs of it are taken away."""
        left = self.noise[out] / fewer - np.diag(self.joint)[out]
        return np.where(self._safely_out(out, fewer), 1 / np.where(left != 0, left, 1.0), 0.0)

    def _safely_out(self, out: np.ndarray, fewer: np.ndarray) -> np.ndarray:
        """(ways,) whether runs can be taken away in one step, or all but rounding would cancel."""
        scatter, open_at_first = self.noise[out] / fewer, np.diag((self.first or self).joint)[out]
        left = scatter - np.diag(self.joint)[out]
        return left > np.maximum(CANCELS * scatter, ROUNDS * open_at_first)

    def _exactly(
        self,
        out: np.ndarray,
        fewer: np.ndarray,
        values: np.ndarray,
        what: Callable[[Belief, int], float | np.ndarray],
    ) -> np.ndarray:
        """The values, those of ways in which a step would cancel from the beginning."""
        for way in np.flatnonzero(~self._safely_out(out, fewer)):
            values[way] = what(self.plus(int(out[way]), -float(fewer[way])), int(way))
        return values


def _conditioned(joint: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """A joint covariance after so much is known of each place, one after the other.

    For matrices of this size faster than a factorization, which waits for threads.
    """
    joint, least = joint.copy(), DIGITS * np.diag(joint)
    for i in np.flatnonzero(precision):
        row = joint[i].copy()
        joint -= np.multiply.outer(row / (max(row[i], 0.0) + max(1 / precision[i], least[i])), row)
    return joint


def believed(
    member: Member, places: Columns, goal: Goal, discrepancy: float | str, run_sd: float | None
) -> Belief:
    """The belief where one law is followed, given the runs that stand behind it."""
    if member.source.draws is not None and member.fit is None:
        return _of_draws(member.source, places, goal, discrepancy, run_sd)
    return _of_law(member, places, goal, discrepancy, run_sd)


def mixed_beliefs(parts: Sequence[Belief], weights: np.ndarray) -> Belief:
    """The belief where each of several laws may be followed."""
    mean = np.tensordot(weights, [one.mean for one in parts], 1)
    joint = np.tensordot(weights, [one.joint for one in parts], 1)
    for weight, one in zip(weights, parts, strict=True):
        joint = joint + weight * np.outer(one.mean - mean, one.mean - mean)
    return Belief(joint, np.tensordot(weights, [one.noise for one in parts], 1), mean)


def apart(parts: Sequence[Belief], weights: np.ndarray) -> np.ndarray:
    """(places + answers,) standard deviation between what the laws say."""
    said = np.array([one.mean for one in parts])
    return np.sqrt(weights @ np.square(said - weights @ said))


def _of_law(
    member: Member, places: Columns, goal: Goal, discrepancy: float | str, run_sd: float | None
) -> Belief:
    law, numbers, fit = member.source.law, member.source.numbers, member.fit
    made = {name: np.empty(0) for name in law.inputs}
    step = DISCREPANCY if isinstance(discrepancy, str) else discrepancy
    if fit is not None:
        step = walk_of(residuals_of([fit])).rms if isinstance(discrepancy, str) else step
        ends = last_rows(fit.data())
        made = {name: column[ends] for name, column in fit.data().inputs.items()}
    n = len(next(iter(made.values())))
    noise = max(_run_sd(fit, n) if run_sd is None else float(run_sd), SMALLEST_SD) ** 2
    rows = {name: np.concatenate([made[name], places[name]]) for name in law.inputs}
    fixed = set(fit.fixed) if fit is not None else set()
    free = np.array([label not in fixed for label in law.labels])
    log = searched_as_logs(law.label_domains)
    spread = np.where(log, LOGS, RELATIVE * np.abs(numbers) + 1e-3) * free
    F = np.vstack([log_gradients(law, numbers, rows), goal.slopes]) * spread
    x = np.concatenate([np.log10(compute_of(rows)), goal.decades])
    below = np.nan_to_num(np.nanmax(x if np.isnan(goal.decades).all() else goal.decades) - x)
    below = np.maximum(below, 0.0)
    joint = F @ F.T + step**2 * np.minimum.outer(below, below)
    if n:
        seen, cross = joint[:n, :n] + noise * np.eye(n), joint[n:, :n]
        joint = joint[n:, n:] - cross @ np.linalg.solve(seen, cross.T)
    count = len(next(iter(places.values())))
    said = np.log(predict(law, numbers[None], {name: places[name] for name in law.inputs})[0])
    return Belief((joint + joint.T) / 2, np.full(count, noise), np.concatenate([said, goal.values]))


def _run_sd(fit: Fitted | None, n: int) -> float:
    """Scatter of one run: what the fit leaves, drawn towards the usual as far as few rows are left to show
    it; a law that runs through all its rows shows nothing."""
    if fit is None or not n:
        return RUN_SD
    left = max(n - fit.n_free, 0)
    shown = run_scatter(fit) if left else 0.0
    return float(np.sqrt((left * shown**2 + BELIEVED * RUN_SD**2) / (left + BELIEVED)))


def _of_draws(
    source: Source, places: Columns, goal: Goal, discrepancy: float | str, run_sd: float | None
) -> Belief:
    """From draws of laws, whose own error walks away from the largest run both ways."""
    if goal.inputs is None or source.draws is None:
        raise ValueError(
            "From draws of several laws the runs are chosen for a loss: give at= or flops=, of='loss'."
        )
    every = {name: np.concatenate([places[name], goal.inputs[name]]) for name in source.law.inputs}
    said = np.log(predict(source.law, source.draws, every))
    good = np.isfinite(said).all(axis=1)
    known = np.log10(compute_of(source.rows)).max() if source.rows else np.nan
    beyond = np.log10(compute_of(every)) - (known if np.isfinite(known) else np.nanmin(goal.decades))
    ahead = max(float(np.nanmax(goal.decades)) - known, 0.0) if np.isfinite(known) else 0.0
    own, whole = source.errors_at(ahead)
    step = DISCREPANCY if isinstance(discrepancy, str) else discrepancy
    if isinstance(discrepancy, str) and np.isfinite(own):
        step = own / np.sqrt(max(ahead, NEAREST))
    same = np.multiply.outer(beyond, beyond) > 0
    walk = np.where(same, np.minimum.outer(np.abs(beyond), np.abs(beyond)), 0.0)
    known_sd = source.run_sd if np.isfinite(source.run_sd) else RUN_SD
    sd = max(float(run_sd if run_sd is not None else known_sd), SMALLEST_SD)
    count = len(next(iter(places.values())))
    drawn = np.atleast_2d(np.cov(said[good], rowvar=False))
    if np.isfinite(whole):  # draws that are wider than a calibrated band leaves room for are drawn together
        room, have = max(whole**2 - own**2, 0.0), float(np.diag(drawn)[count:].mean())
        drawn = drawn * min(1.0, room / max(have, 1e-300))
    joint = drawn + step**2 * walk
    return Belief(np.atleast_2d(joint), np.full(count, sd**2), said[good].mean(axis=0))


def log_gradients(law: Law, numbers: np.ndarray, inputs: Columns) -> np.ndarray:
    """(rows, labels) of the log loss, by the logarithm of positive parameters."""
    log = searched_as_logs(law.label_domains)
    return np.nan_to_num(log_slopes(law, numbers, inputs) * np.where(log, numbers, 1.0))
