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

from collections.abc import Sequence
from dataclasses import dataclass, field

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
ROUNDING = 1e-12  # of the variance of a place
KNOWN, TAKEN_BACK = 1e-8, 1e-3  # of it: where taking back would be rounding


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
    """

    joint: np.ndarray
    noise: np.ndarray
    mean: np.ndarray
    _asked: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list, init=False, repr=False)

    def value(self, counts: np.ndarray) -> float:
        """Mean variance of the answers after so many runs at every place."""
        return self._seen(counts)[2]

    def added(self, counts: np.ndarray, more: np.ndarray) -> np.ndarray:
        """(places,) the same with more[i] further runs at place i alone."""
        cross, spread, own = self._seen(counts)
        return own - _gain(cross, spread, self.noise, more)

    def swapped(self, counts: np.ndarray, out: int, fewer: float, more: np.ndarray) -> np.ndarray:
        """(places,) the same with some runs fewer at one place and more[j] further runs at place j alone."""
        left = counts.copy()
        left[out] -= fewer
        return self.added(left, more)

    def fall(self, counts: np.ndarray) -> tuple[float, np.ndarray]:
        """The variance, and (places,) how fast it falls with runs at each place."""
        cross, _, own = self._seen(counts)
        return own, np.square(cross).sum(axis=0) / self.noise

    def among(self, places: np.ndarray) -> Belief:
        """The belief where no other places can be had."""
        kept = np.append(places, np.arange(len(self.noise), len(self.joint)))
        return Belief(self.joint[np.ix_(kept, kept)], self.noise[places], self.mean[kept])

    def _seen(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """After these runs: covariance of answers with places (answers, places), variance of the places, and
        mean variance of the answers, each answer divided by the root of their number."""
        joint, n = self._after(counts), len(self.noise)
        own = np.maximum(np.diag(joint), 0.0)
        return joint[n:, :n] / np.sqrt(len(own) - n), own[:n], float(own[n:].mean())

    def _after(self, counts: np.ndarray) -> np.ndarray:
        """The joint covariance after these runs: from that of the choice asked about before, where fewer
        places changed since than have runs and rounding allows."""
        start, joint = np.zeros(len(counts)), self.joint
        for before, found in self._asked:
            change = counts - before
            fewer = np.count_nonzero(change) < np.count_nonzero(counts)
            if fewer and self._may_take_back(found, change / self.noise):
                start, joint = before, found
        joint = _conditioned(joint, (counts - start) / self.noise, ROUNDING * np.diag(self.joint))
        self._asked[:] = [(counts.copy(), joint)]
        return joint

    def _may_take_back(self, joint: np.ndarray, precision: np.ndarray) -> bool:
        """Whether at most one place loses runs, not so much of what is known of it that only rounding would
        be left, and not from one of which next to nothing is unknown."""
        less = np.flatnonzero(precision < 0)
        left = np.diag(joint)[less]
        known = left > KNOWN * np.diag(self.joint)[less]
        return len(less) <= 1 and bool((known & (1.0 + precision[less] * left > TAKEN_BACK)).all())


def _conditioned(joint: np.ndarray, precision: np.ndarray, least: np.ndarray) -> np.ndarray:
    """A joint covariance after so much more, or less, is known of each place, one after the other, but for
    places whose variance is at its least.

    For matrices of this size faster than a factorization, which waits for threads.
    """
    joint = joint.copy()
    for i in np.flatnonzero(precision):
        if joint[i, i] > least[i]:
            row = joint[i].copy()
            joint -= np.multiply.outer(row * (precision[i] / (1.0 + precision[i] * row[i])), row)
    return joint


def _gain(cross: np.ndarray, spread: np.ndarray, noise: np.ndarray, more: np.ndarray) -> np.ndarray:
    """(places,) what `more` runs at each place alone would take from the variance of the answers."""
    scatter = noise / np.maximum(more, 1e-300)
    return np.where(more > 0, np.square(cross).sum(axis=0) / (spread + scatter), 0.0)


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
