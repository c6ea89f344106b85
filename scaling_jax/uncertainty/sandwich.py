"""What the neighbourhood of an optimum says: the sandwich covariance, the influence of each run, and the
lack-of-fit test.

Nothing is refitted here. Gradients of single rows and the exact Hessian, both at the optimum, give
everything.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from scaling_jax.engine.coordinates import moved, searched_as_logs, slope_of_numbers
from scaling_jax.engine.predict import predict, predict_rows
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.joint import shared_columns
from scaling_jax.tables.runs import DataError
from scaling_jax.uncertainty.resample import cluster_of
from scaling_jax.uncertainty.tails import f_tail

__all__ = [
    "LackOfFit",
    "covariance",
    "influence",
    "influence_words",
    "keep_row_slopes",
    "lack_of_fit",
    "lack_of_fit_words",
    "row_slopes",
    "standard_errors",
]

INSIDE = 0.5
AT_ONCE = 8  # vectors per call: the program that the certificate has compiled
STEP = 1e-5  # of central differences: their error and that of rounding are both near 1e-11
NAMED = 3


class LackOfFit(NamedTuple):
    """The pure-error F test: F, its degrees of freedom (fewer where rows of one run go together), the
    p-value, and how many input points repeat."""

    F: float
    df_lack: float
    df_pure: float
    p: float
    points: int


def covariance(fit: Fitted) -> pd.DataFrame:
    """The sandwich covariance of the parameters; see `FitResult.cov`."""
    moves = _moves(fit)
    inside = np.mean(np.abs(fit.residuals) <= fit.objective.numbers[0])
    if inside < INSIDE:
        warnings.warn(
            f"Only {100 * inside:.0f} % of the residuals lie inside the Huber threshold, so the curvature "
            "that this covariance rests "
            "on comes from few rows: use conf_int(), the bootstrap, instead.",
            stacklevel=3,
        )
    labels = list(fit.law.labels)
    return pd.DataFrame(moves.T @ moves, index=labels, columns=labels)


def standard_errors(fit: Fitted) -> pd.Series:
    """Roots of the sandwich covariance's diagonal; see `FitResult.stderr`."""
    return pd.Series(np.sqrt(np.sum(_moves(fit) ** 2, axis=0)), index=list(fit.law.labels), name="stderr")


def influence(fit: Fitted) -> pd.DataFrame:
    """How each parameter would move without each run; see `FitResult.influence`."""
    _, names = cluster_of(fit.data())
    moves = _moves(fit)[: len(names)]
    domains = fit.law.label_domains
    change = moved(domains, fit.numbers, moves / slope_of_numbers(domains, fit.numbers)) - fit.numbers
    return pd.DataFrame(change, index=pd.Index(names, name="left out"), columns=list(fit.law.labels))


def influence_words(fit: Fitted) -> str:
    """One sentence that names the most influential runs, or an empty string where nothing can be said."""
    moves, (_, names) = _moves(fit), cluster_of(fit.data())
    spread = np.sqrt(np.sum(moves**2, axis=0))
    moves = moves[: len(names)]
    if not np.isfinite(moves).all() or not (spread > 0).any() or len(names) <= NAMED:
        return ""
    share = np.where(spread > 0, np.abs(moves) / np.where(spread > 0, spread, 1.0), 0.0)
    order = np.argsort(-share.max(axis=1))[:NAMED]
    first, parameter = order[0], int(np.argmax(share[order[0]]))
    now = fit.numbers[parameter]
    then = now + influence(fit).iloc[first, parameter]
    kind = "row" if fit.data().run is None else "run"
    rest = " and ".join(str(names[i]) for i in order[1:])
    return (
        f"{kind} {names[first]} matters most, then {rest}; without it {fit.law.labels[parameter]} would go "
        f"from {now:.4g} to about "
        f"{then:.4g} ({share[first, parameter]:.1f} standard errors)"
    )


def lack_of_fit(fit: Fitted) -> LackOfFit | None:
    """The pure-error F test; see `FitResult.lack_of_fit`."""
    runs = fit.data()
    used = (runs.weight > 0) & np.isfinite(fit.residuals)
    if not used.any():
        return None
    of_row = fit.residuals[used] * np.sqrt(runs.weight[used] / runs.weight[used].mean())
    points = np.column_stack([column[used] for column in runs.inputs.values()])
    distinct, of_point = np.unique(points, axis=0, return_inverse=True)
    if len(distinct) == len(points):
        return None
    # a run at one point counts once, however often it was logged there
    pairs = np.column_stack([of_point.ravel(), cluster_of(runs)[0][used]])
    (point, run), which = (part.T for part in np.unique(pairs, axis=0, return_inverse=True))
    residual = np.bincount(which.ravel(), of_row) / np.bincount(which.ravel())
    count = np.bincount(point)
    mean = np.bincount(point, residual) / count
    apart = residual - mean[point]
    pure, lack = float(np.sum(apart**2)), float(np.sum(count * mean**2))
    df_pure, df_lack = len(residual) - len(count), len(count) - fit.n_free
    if df_pure < 1 or df_lack < 1 or pure <= 0:
        return None
    share = _independent(apart, run)
    ratio, df = (lack / df_lack) / (pure / df_pure), (df_lack * share, df_pure * share)
    return LackOfFit(ratio, *df, float(f_tail(ratio, *df)), int(np.sum(count > 1)))


def _independent(apart: np.ndarray, run: np.ndarray) -> float:
    r"""How many independent rows one row of runs with several counts for, by what their rows have in common.

    Squares of p rows correlated $\rho$ add up like those of $p / (1 + (p - 1) \rho^2)$ independent ones
    (Satterthwaite 1946); $\rho$ is measured on the deviations (rows,) of rows from others at their point.
    """
    rows, squares, sums = (np.bincount(run, x) for x in (np.ones(len(run)), apart**2, apart))
    possible = np.sum((rows - 1) * squares)
    if possible <= 0:
        return 1.0
    common = np.clip(np.sum(sums**2 - squares) / possible, 0.0, 1.0)
    return float(1 / (1 + (np.sum(rows**2) / np.sum(rows) - 1) * common**2))


def lack_of_fit_words(fit: Fitted) -> str:
    """One sentence, or an empty string where nothing can be tested."""
    found = lack_of_fit(fit)
    if found is None:
        return ""
    verdict = "the law misses more than seeds explain" if found.p < 0.01 else "no more than seeds explain"
    return (
        f"{verdict}: F({found.df_lack:.4g}, {found.df_pure:.4g}) = {found.F:.3g}, p = {found.p:.2g}, from "
        f"{found.points} repeated points"
    )


def _moves(fit: Fitted) -> np.ndarray:
    """(runs, labels) H^-1 s: how far leaving a run out moves each parameter to first order, natural units.

    Of a group that shares parameters its own runs come first, then those of the other groups.
    """
    if not np.isfinite(fit.numbers).all():
        raise DataError(f"There is no fit to examine: {fit.reason or 'its parameters are not finite'}")
    if fit.shared:
        step, tie = _joint_steps(fit), _joint_tie(fit)
    else:
        evidence, moving, tie = fit.evidence, np.flatnonzero(fit.evidence.moving), fit.evidence.tie
        step = _run_scores(fit, tie)
        step[:, moving] = _solved(evidence.hessian[np.ix_(moving, moving)], step[:, moving].T).T
        step[:, ~evidence.moving] = 0.0
    return step @ tie.T * slope_of_numbers(fit.law.label_domains, fit.numbers)


def _joint_steps(fit: Fitted) -> np.ndarray:
    """(runs of all groups, k) how far each run moves this group's coordinates where some are shared: by what
    it does to the shared values, and, of the group's own runs, directly."""
    shared = shared_columns(fit.law, fit.shared)
    groups = [_Arm(one, shared, h) for one, h in fit.hessians_together()]
    groups.sort(key=lambda arm: arm.key != fit.key)  # its own first
    together = _solved(sum(arm.left for arm in groups), np.concatenate([arm.pull for arm in groups]).T).T
    own = groups[0]
    step = np.zeros((len(together), len(fit.evidence.z)))
    step[:, shared] = together
    step[:, own.moving] = -together @ own.follow.T
    step[: len(own.direct), own.moving] += own.direct
    if fit.together is None or not fit.together.paired:
        return step
    run, _ = pd.factorize(pd.Series([name for arm in groups for name in arm.names], dtype=object))
    of_runs = np.zeros((run.max() + 1, step.shape[1]))
    np.add.at(of_runs, run, step)
    return of_runs


class _Arm:
    """A group of a joint fit with its own coordinates solved for.

    names: what its runs are called; moving: which coordinates are its own; follow: (own, shared) how they
    answer to the shared ones; direct: (runs, own) and pull: (runs, shared) what the runs do to either; left:
    (shared, shared) the curvature that remains.
    """

    def __init__(self, fit: Fitted, shared: np.ndarray, hessian: np.ndarray):
        self.key, self.moving = fit.key, np.flatnonzero(fit.evidence.moving)
        self.names = cluster_of(fit.data())[1]
        scores = _run_scores(fit, _joint_tie(fit))
        cross = hessian[np.ix_(self.moving, shared)]
        known = _solved(
            hessian[np.ix_(self.moving, self.moving)], np.column_stack([cross, scores[:, self.moving].T])
        )
        self.follow, self.direct = known[:, : len(shared)], known[:, len(shared) :].T
        self.left = hessian[np.ix_(shared, shared)] - cross.T @ self.follow
        self.pull = scores[:, shared] - scores[:, self.moving] @ self.follow


def _joint_tie(fit: Fitted) -> np.ndarray:
    """(labels, k) what makes the law's coordinates of those that move, shared ones among them."""
    tie, shared = fit.evidence.tie.copy(), shared_columns(fit.law, fit.shared)
    tie[shared, shared] = 1.0
    return tie


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    if not (np.isfinite(matrix).all() and np.isfinite(right).all()):
        return np.full(right.shape, np.nan)  # a curvature beyond all numbers tells no errors
    return np.linalg.lstsq(matrix, right, rcond=1e-14)[0]


def _run_scores(fit: Fitted, tie: np.ndarray) -> np.ndarray:
    """(runs, k) the gradient of every run's terms at the optimum."""
    code, names = cluster_of(fit.data())
    scores = np.zeros((len(names), tie.shape[1]))
    np.add.at(scores, code, _row_gradients(fit, tie))
    return scores


def row_slopes(fit: Fitted) -> np.ndarray:
    """(rows, labels) how every residual changes with each number's search coordinate, at the optimum; kept.

    Residuals are differenced with the program that predicts, so that nothing compiles for it.
    """
    if "row_slopes" not in fit.kept:
        fit.kept["row_slopes"] = _row_slopes(fit)
    return fit.kept["row_slopes"]


def _row_slopes(fit: Fitted) -> np.ndarray:
    points, inputs = _either_side(fit), fit.data().inputs
    predicted = [predict(fit.law, points[i : i + AT_ONCE], inputs) for i in range(0, len(points), AT_ONCE)]
    return _differenced(fit, points, np.concatenate(predicted))


def keep_row_slopes(fits: Sequence[Fitted]) -> None:
    """`row_slopes` of several fits of one law computed in one pass, save those of a law of curves."""
    fits = [fit for fit in fits if "row_slopes" not in fit.kept]
    if len(fits) < 2 or fits[0].law.curves:
        return
    law, runs, points = fits[0].law, [fit.data() for fit in fits], [_either_side(fit) for fit in fits]
    sizes, moved_to = [len(one) for one in runs], len(points[0])
    numbers = np.swapaxes(np.repeat(np.stack(points), sizes, axis=0), 0, 1).reshape(-1, len(law.labels))
    inputs = {
        name: np.tile(np.concatenate([one.inputs[name] for one in runs]), moved_to) for name in law.inputs
    }
    predicted = predict_rows(law, numbers, inputs).reshape(moved_to, -1)
    parts = np.split(predicted, np.cumsum(sizes)[:-1], axis=1)
    for fit, ends, own in zip(fits, points, parts, strict=True):
        fit.kept["row_slopes"] = _differenced(fit, ends, own)


def _steps(fit: Fitted) -> np.ndarray:
    """(labels,) by how much each number's search coordinate is moved."""
    return STEP * np.where(
        searched_as_logs(fit.law.label_domains), 1.0, np.maximum(np.abs(fit.numbers), 1e-2)
    )


def _either_side(fit: Fitted) -> np.ndarray:
    """(2 labels, labels) the numbers with one after the other moved up, and then down."""
    ends = (moved(fit.law.label_domains, fit.numbers, sign * _steps(fit)) for sign in (1, -1))
    return np.concatenate([np.where(np.eye(len(fit.numbers), dtype=bool), end, fit.numbers) for end in ends])


def _differenced(fit: Fitted, points: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """(rows, labels) slopes of the residuals, by predictions (2 labels, rows) at these points."""
    runs = fit.data()
    up, down = np.split(fit.objective.residual(predicted, runs.target, runs.target_se, points), 2)
    return (up - down).T / (2 * _steps(fit))


def _row_gradients(fit: Fitted, tie: np.ndarray) -> np.ndarray:
    """(rows, k) the gradient of every row's weighted term at the optimum, in search coordinates."""
    runs, (delta, over, scale) = fit.data(), fit.objective.numbers
    charge = scale * np.where(fit.residuals > 0, over, 1.0) * np.clip(fit.residuals, -delta, delta)
    slopes = np.where((tie != 0).any(axis=1), row_slopes(fit), 0.0) @ tie
    return np.where(runs.weight[:, None] > 0, (runs.weight * charge)[:, None] * slopes, 0.0)
