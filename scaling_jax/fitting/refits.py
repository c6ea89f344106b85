"""Thousands of refits of fitted laws as one batch: each from several basins, each polished to its own
optimum.

A replicate is a vector of weights (or of targets) under an existing fit. Its lanes begin at that fit's
optimum, at both ends of the longest valley around it, and in another basin. A quick search in single
precision brings each into its basin, the best is polished with the exact Hessian in double precision, and so
is any lane that ended elsewhere and might yet go lower.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from scaling_jax.engine.coordinates import natural_numbers, search_points
from scaling_jax.engine.devices import exact_device
from scaling_jax.engine.lanes import FEW_LANES, Lanes, compile_ahead, run_lanes
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import Polished, measure_ahead, polish
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import solve
from scaling_jax.engine.starts import default_starts
from scaling_jax.engine.status import RUNNING, Status
from scaling_jax.fitting.batch import Task, build_problem, padded_lengths
from scaling_jax.fitting.certificate import agreement, target_scale
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import tied_index
from scaling_jax.tables.runs import Runs

__all__ = ["Refits", "refit_fits", "refits_ahead"]

STARTS = 4
VALLEY_SIGMAS = 8.0
VALLEY_REACH = 4.0
ROUGH = LM(
    max_steps=60, tol=1e-3, damping=1e-6, dtype="float32"
)  # finds the basin; what it leaves, 1e-3 of the objective, polishing gains
CAREFUL = LM(
    max_steps=120, tol=1e-5, damping=1e-6
)  # double precision: for corners, and for replicates the quick search left unfinished
MIGHT_GO_LOWER = 10 * ROUGH.tol
# quadratic forecast over measured gap; within one valley the ratio has median 1 and 99th percentile 8
SAME_BASIN = 10.0
STEPS_BETWEEN_PACKINGS = 4
LAST_LANES = 64
CELLS_IN_MEMORY = 2**22


@dataclass(frozen=True)
class Refits:
    """Optima of the replicates of one fit: numbers (replicates, labels), natural units; objective values;
    share that moved basin."""

    numbers: np.ndarray
    values: np.ndarray
    moved: float


def refit_fits(
    fits: Sequence[Fitted], weights: Sequence[np.ndarray], targets: Sequence[np.ndarray] | None = None
) -> list[Refits]:
    """Refits every fit under its own weights, in one batch.

    Args:
        fits: fits of one law under one objective.
        weights: per fit (replicates, rows); every fit has the same number of replicates.
        targets: per fit (replicates, rows) on the objective's scale, in place of the measured ones.
    """
    sizes = np.array([len(fit.data()) for fit in fits])
    edges = padded_lengths(sizes)
    length = np.searchsorted(edges, sizes)
    out: list[Refits | None] = [None] * len(fits)
    for b in range(len(edges)):
        which = np.flatnonzero(length == b).tolist()
        alike = _refits_alike(
            [fits[i] for i in which], [weights[i] for i in which], targets and [targets[i] for i in which]
        )
        for i, found in zip(which, alike, strict=True):
            out[i] = found
    return [found for found in out if found is not None]


def refits_ahead(fit: Fitted, n: int) -> None:
    """Begins compiling, in the background, what `n` refits of a smooth objective will need."""
    if fit.objective.smooth:
        compile_ahead(_one_problem([fit])[0], _solver(n * STARTS), n * STARTS)


def _solver(n_lanes: int) -> LM:
    """A few lanes run well in the program that the fit itself has compiled; for many, single precision is
    worth its own."""
    return LM() if n_lanes <= FEW_LANES else ROUGH


def _refits_alike(
    fits: Sequence[Fitted], weights: Sequence[np.ndarray], targets: Sequence[np.ndarray] | None
) -> list[Refits]:
    """Refits of fits whose tables are padded to one length."""
    n = len(weights[0])
    whole, free, fixed = _one_problem(fits)
    starts = _starts(fits, whole, free, fixed)
    per_slice = max(1, CELLS_IN_MEMORY // max(n * whole.n_rows, 1))
    out: list[Refits] = []
    for first in range(0, len(fits), per_slice):
        part = slice(first, first + per_slice)
        problem = _replicated(whole, part, weights[part], targets and targets[part])
        out += _refits_of(fits[part], problem, np.repeat(starts[part], n, axis=0), weights[part])
    return out


def _one_problem(fits: Sequence[Fitted]) -> tuple[Problem, np.ndarray, np.ndarray]:
    """The fits themselves as one batch; which coordinates move, and the values of those that do not, (fits,
    labels)."""
    fixed = np.stack([fit.held for fit in fits])
    ends = np.cumsum([0, *(len(fit.data()) for fit in fits)])
    members = [np.arange(a, b) for a, b in itertools.pairwise(ends)]
    problem, free = build_problem(
        Task(fits[0].spec, _stacked([fit.data() for fit in fits]), members, fixed, [fit.key for fit in fits])
    )
    return problem.owned(), free, fixed


def _stacked(tables: list[Runs]) -> Runs:
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    return replace(
        first,
        inputs={name: np.concatenate([t.inputs[name] for t in tables]) for name in first.inputs},
        target=np.concatenate([t.target for t in tables]),
        weight=np.concatenate([t.weight for t in tables]),
        target_se=None
        if first.target_se is None
        else np.concatenate([np.asarray(t.target_se) for t in tables]),
        run=None,
    )


def _replicated(
    whole: Problem, part: slice, weights: Sequence[np.ndarray], targets: Sequence[np.ndarray] | None
) -> Problem:
    """Each fit of the slice once per replicate, under that replicate's weights and targets; leaves all fits
    share stay one."""
    n, width = len(weights[0]), whole.n_rows

    def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.pad(r, ((0, 0), (0, width - r.shape[1]))) for r in rows])

    data = whole.lane_data(np.repeat(np.arange(whole.n_fits)[part], n))._replace(weight=padded(weights))
    per_fit = whole.per_fit._replace(weight=True)
    if targets is not None:
        data, per_fit = data._replace(target=padded(targets)), per_fit._replace(target=True)
    return Problem(whole.law, whole.on_log, n * len(weights), data, per_fit)


def _starts(fits: Sequence[Fitted], whole: Problem, free: np.ndarray, fixed: np.ndarray) -> np.ndarray:
    """Where refits begin, (fits, STARTS, k): the optimum, both ends of its longest valley, then another basin
    or a fresh seed."""
    seeds = default_starts(
        whole, fixed, tied_index(fits[0].spec), n=STARTS, nodes=512 if len(fits) <= 8 else 96
    )
    seeds = search_points(fits[0].law, seeds, np.broadcast_to(free, (len(fits), free.shape[1])))
    out = []
    for fit, fresh in zip(fits, seeds, strict=True):
        z, evidence = fit.evidence.z, fit.evidence
        ends = np.clip(z + np.outer([1, -1], _valley(fit)), evidence.lower, evidence.upper)
        points = np.concatenate([z[None], ends, evidence.basins[1:], fresh])
        out.append(points[np.minimum(np.arange(STARTS), len(points) - 1)])
    return np.stack(out)


def _valley(fit: Fitted) -> np.ndarray:
    """The direction in which the objective rises slowest, as long as a few of its standard deviations."""
    moving = np.flatnonzero(fit.evidence.free)
    hessian = fit.evidence.hessian[np.ix_(moving, moving)]
    out = np.zeros(len(fit.evidence.z))
    if not len(moving) or not np.isfinite(hessian).all():
        return out
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    if values[0] > 0 and fit.evidence.value > 0:
        length = VALLEY_SIGMAS * np.sqrt(2 * fit.evidence.value / (len(fit.data()) * values[0]))
        out[moving] = vectors[:, 0] * min(length, VALLEY_REACH / np.max(np.abs(vectors[:, 0])))
    return out


def _refits_of(
    fits: Sequence[Fitted], problem: Problem, starts: np.ndarray, weights: Sequence[np.ndarray]
) -> list[Refits]:
    objective = fits[0].objective
    z, value, home = _cornered(fits, problem, starts) if not objective.smooth else _smooth(problem, starts)
    numbers = natural_numbers(problem.law, problem, z)
    n = len(weights[0])
    out = []
    for i, (fit, own) in enumerate(zip(fits, weights, strict=True)):
        mine = slice(i * n, (i + 1) * n)
        same = agreement(value[mine], own @ objective.rho(target_scale(fit.data(), objective)))
        out.append(Refits(numbers[mine], value[mine], float(np.mean(home[mine] > same))))
    return out


def _smooth(problem: Problem, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Best point and value of each replicate, and the value in the basin of its first start."""
    n_fits, n_starts, _ = starts.shape
    solver = _solver(n_fits * n_starts)
    compile_ahead(problem, solver, n_fits * n_starts)
    measure_ahead(problem)
    z, value = _searched(problem, starts, solver)
    rows = np.arange(n_fits)
    first = np.argmin(value, axis=1)
    best = _polished(problem, z[rows, first], rows)
    unfinished = np.flatnonzero((best.status != Status.CONVERGED) & (best.status != Status.STALLED))
    if (
        len(unfinished) and solver is ROUGH
    ):  # too fine for single precision, or a start outside the law's reach
        _resume(problem, starts, unfinished, z, value, best)
    elsewhere = ~_same_basin(best, z, value)
    elsewhere[rows, first] = False
    lane, start = np.nonzero(elsewhere & (value < best.value[:, None] * (1 + MIGHT_GO_LOWER)))
    home = np.where(elsewhere[:, 0], value[:, 0], best.value)
    if len(lane):
        other = _polished(problem, z[lane, start], lane)
        home[lane[start == 0]] = other.value[start == 0]
        for i in np.flatnonzero(
            other.value < best.value[lane]
        ):  # few, and several may belong to one replicate
            if other.value[i] < best.value[lane[i]]:
                best.z[lane[i]], best.value[lane[i]] = other.z[i], other.value[i]
    return best.z, best.value, np.maximum(home, best.value)


def _searched(
    problem: Problem, starts: np.ndarray, solver: LM, fits: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Every start brought into its basin: z (fits, starts, k) and value (fits, starts); lanes are packed
    afresh every few steps."""
    n_fits, n_starts, k = starts.shape
    owner = np.repeat(np.arange(n_fits) if fits is None else fits, n_starts)
    lanes = Lanes.start(problem, solver, starts.reshape(-1, k), owner)
    running = len(owner)
    while running and (
        running == len(owner) or running > LAST_LANES
    ):  # the last few are finished by polishing
        run_lanes(problem, lanes, solver, STEPS_BETWEEN_PACKINGS)
        running = int(np.sum(lanes.state.status == RUNNING))
    value = lanes.state.value.astype(np.float64).reshape(n_fits, n_starts)
    return lanes.state.z.astype(np.float64).reshape(n_fits, n_starts, k), np.where(
        np.isfinite(value), value, np.inf
    )


def _polished(problem: Problem, z: np.ndarray, fit: np.ndarray) -> Polished:
    done = polish(problem, z, fit, exact_device(None))
    return done._replace(value=np.where(np.isfinite(done.value), done.value, np.inf))


def _resume(
    problem: Problem, starts: np.ndarray, which: np.ndarray, z: np.ndarray, value: np.ndarray, best: Polished
) -> None:
    """Searches the given replicates again in double precision, in place."""
    z[which], value[which] = _searched(problem, starts[which], CAREFUL, which)
    again = _polished(problem, z[which, np.argmin(value[which], axis=1)], which)
    better = again.value <= best.value[which]
    for mine, theirs in zip(best, again, strict=True):
        mine[which[better]] = theirs[better]


def _same_basin(best: Polished, z: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Whether the quadratic at the optimum explains how far above it each lane ended, (fits, starts)."""
    values, vectors = np.linalg.eigh(np.where(np.isfinite(best.hessian), best.hessian, 0.0))
    along = np.einsum("fij,fsi->fsj", vectors, z - best.z[:, None])
    forecast = 0.5 * np.einsum("fsj,fj->fs", along**2, np.abs(values))
    gap = np.maximum(value - best.value[:, None], ROUGH.tol * best.value[:, None])
    return forecast <= SAME_BASIN * gap


def _cornered(
    fits: Sequence[Fitted], problem: Problem, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for objectives with a corner, which are approached through ever sharper thresholds."""
    compile_ahead(problem, CAREFUL, problem.n_fits)
    measure_ahead(problem)
    n = problem.n_fits // len(fits)
    roughness = np.repeat([max(float(np.median(np.abs(fit.residuals))), 1e-9) for fit in fits], n)
    settings: dict[str, Any] = {"screen": False, "smooth": False, "roughness": roughness, "polish": 1}
    home = solve(problem, starts[:, :1], CAREFUL, **settings)
    away = solve(problem, starts[:, 1:], CAREFUL, **settings)
    better = away.value < home.value
    return np.where(better[:, None], away.z, home.z), np.where(better, away.value, home.value), home.value
