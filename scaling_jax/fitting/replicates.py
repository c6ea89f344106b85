"""Thousands of replicates of fits that are known well, each brought to its own optimum.

A replicate is a vector of weights (or of targets) under an existing fit, so its lanes begin at optima that
are nearly its own. A quick search in single precision brings each into its basin, the best is polished with
the exact Hessian in double precision, and so is any lane that ended elsewhere and might yet go lower.
"""

from __future__ import annotations

import numpy as np

from scaling_jax.core.progress import progress_bar
from scaling_jax.engine.devices import Place, default_device, exact_device
from scaling_jax.engine.lanes import FEW_LANES, Lanes, compile_ahead, run_lanes
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import Polished, measure_ahead, polish
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.solve import solve
from scaling_jax.engine.solver import Solver
from scaling_jax.engine.status import RUNNING, Status
from scaling_jax.fitting.spec import Spec

__all__ = ["STARTS", "search_device", "search_replicates", "search_solver"]

STARTS = 4
# finds the basin; what it leaves, 1e-3 of the objective, polishing gains
ROUGH = LM(max_steps=60, tol=1e-3, damping=1e-6, dtype="float32")
# double precision: for corners, and for replicates that the quick search left unfinished
CAREFUL = LM(max_steps=120, tol=1e-5, damping=1e-6)
MIGHT_GO_LOWER = 10 * ROUGH.tol
# quadratic forecast over measured gap; within one valley the ratio has median 1 and 99th percentile 8
SAME_BASIN = 10.0
STEPS_BETWEEN_PACKINGS = 4
LAST_LANES = 64

Found = tuple[np.ndarray, np.ndarray, np.ndarray]


def search_replicates(
    spec: Spec, problem: Problem, starts: np.ndarray, roughness: np.ndarray | None
) -> Found:
    """Best point and value of each replicate, and the value in the basin of its first start.

    Args:
        spec: how the fit was made.
        problem: a fit per replicate.
        starts: (replicates, STARTS, k), search coordinates, each fit's own optimum first.
        roughness: (replicates,) a residual scale, for objectives with a corner; None for the others.
    """
    lanes = starts.shape[0] * starts.shape[1]
    device = search_device(spec, problem, lanes)
    if roughness is None:
        return _smooth(problem, starts, search_solver(spec, lanes), device)
    return _cornered(problem, starts, CAREFUL if spec.solver == LM() else spec.solver, roughness, device)


def search_solver(spec: Spec, n_lanes: int) -> Solver:
    """The user's solver; of the default, a few lanes run well in the program that the fit itself has
    compiled, and for many single precision is worth its own."""
    return spec.solver if spec.solver != LM() or n_lanes <= FEW_LANES else ROUGH


def search_device(spec: Spec, problem: Problem, n_lanes: int) -> Place:
    """Where lanes run: where the user said, or by the size of the work."""
    return spec.device or default_device(n_lanes * problem.n_rows)


def _smooth(problem: Problem, starts: np.ndarray, solver: Solver, device: Place) -> Found:
    """`search_replicates` for objectives with a slope everywhere."""
    n_fits, n_starts, _ = starts.shape
    compile_ahead(problem, solver, n_fits * n_starts, device)
    measure_ahead(problem, device)
    z, value = _searched(problem, starts, solver, device)
    rows = np.arange(n_fits)
    first = np.argmin(value, axis=1)
    best = _polished(problem, z[rows, first], rows, device)
    unfinished = np.flatnonzero((best.status != Status.CONVERGED) & (best.status != Status.STALLED))
    if (
        len(unfinished) and solver is ROUGH
    ):  # too fine for single precision, or a start outside the law's reach
        _resume(problem, starts, unfinished, device, z, value, best)
    elsewhere = ~_same_basin(best, z, value)
    elsewhere[rows, first] = False
    lane, start = np.nonzero(elsewhere & (value < best.value[:, None] * (1 + MIGHT_GO_LOWER)))
    home = np.where(elsewhere[:, 0], value[:, 0], best.value)
    if len(lane):
        other = _polished(problem, z[lane, start], lane, device)
        home[lane[start == 0]] = other.value[start == 0]
        for i in np.flatnonzero(other.value < best.value[lane]):  # few; several may belong to one replicate
            if other.value[i] < best.value[lane[i]]:
                best.z[lane[i]], best.value[lane[i]] = other.z[i], other.value[i]
    return best.z, best.value, np.maximum(home, best.value)


def _searched(
    problem: Problem, starts: np.ndarray, solver: Solver, device: Place, fits: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Every start brought into its basin, z (fits, starts, k) and value (fits, starts); lanes are packed
    afresh every few steps."""
    n_fits, n_starts, k = starts.shape
    owner = np.repeat(np.arange(n_fits) if fits is None else fits, n_starts)
    lanes = Lanes.start(problem, solver, starts.reshape(-1, k), owner)
    running = len(owner)
    with progress_bar(n_fits, "refitting") as progress:
        while running == len(owner) or running > LAST_LANES:  # the last few are finished by polishing
            run_lanes(problem, lanes, solver, STEPS_BETWEEN_PACKINGS, device)
            running = int(np.sum(lanes.state.status == RUNNING))
            progress(len(owner) - running, len(owner))
            if not running:
                break
    z = lanes.state.z.astype(np.float64).reshape(n_fits, n_starts, k)
    value = lanes.state.value.astype(np.float64).reshape(n_fits, n_starts)
    return z, np.where(np.isfinite(value), value, np.inf)


def _polished(problem: Problem, z: np.ndarray, fit: np.ndarray, device: Place) -> Polished:
    done = polish(problem, z, fit, exact_device(device))
    return done._replace(value=np.where(np.isfinite(done.value), done.value, np.inf))


def _resume(
    problem: Problem,
    starts: np.ndarray,
    which: np.ndarray,
    device: Place,
    z: np.ndarray,
    value: np.ndarray,
    best: Polished,
) -> None:
    """Searches the given replicates again in double precision, in place."""
    z[which], value[which] = _searched(problem, starts[which], CAREFUL, device, which)
    again = _polished(problem, z[which, np.argmin(value[which], axis=1)], which, device)
    better = again.value <= best.value[which]
    for mine, theirs in zip(best, again, strict=True):
        mine[which[better]] = theirs[better]


def _same_basin(best: Polished, z: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Whether the quadratic at the optimum explains how far above it each lane ended, (fits, starts)."""
    values, vectors = np.linalg.eigh(np.where(np.isfinite(best.hessian), best.hessian, 0.0))
    with np.errstate(invalid="ignore"):  # a replicate without an optimum is infinitely far from its lanes
        along = np.einsum("fij,fsi->fsj", vectors, z - best.z[:, None])
        forecast = 0.5 * np.einsum("fsj,fj->fs", along**2, np.abs(values))
        gap = np.maximum(value - best.value[:, None], ROUGH.tol * best.value[:, None])
    return forecast <= SAME_BASIN * gap


def _cornered(
    problem: Problem, starts: np.ndarray, solver: Solver, roughness: np.ndarray, device: Place
) -> Found:
    """The same for objectives with a corner, which are approached through ever sharper thresholds."""
    compile_ahead(problem, solver, problem.n_fits, device)
    measure_ahead(problem, device)
    home, away = (
        solve(
            problem,
            part,
            solver,
            screen=False,
            smooth=False,
            roughness=roughness,
            polish=1,
            device=device,
        )
        for part in (starts[:, :1], starts[:, 1:])
    )
    better = away.value < home.value
    z = np.where(better[:, None], away.z, home.z)
    return z, np.where(better, away.value, home.value), home.value
