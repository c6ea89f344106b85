"""From starts to certified optima: screen, run to convergence, polish with the exact Hessian.

Screening runs every start for a few steps and carries the most promising on, in rounds. Half of each round's places go
by objective; the other half is spread over the remaining ranks, and lanes that have merged count once, so a slow basin
is not lost to a fast one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scaling_jax.engine.lanes import Lanes, Progress, run_lanes
from scaling_jax.engine.lm import LM
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.status import Status

__all__ = ["Solution", "solve"]

ROUNDS = ((5, 8), (10, 4), (25, 4))
POLISH = LM(exact=True, damping=1e-8, tol=1e-14, max_steps=100)
ROUNDING = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


@dataclass(frozen=True)
class Solution:
    """What the engine found, per fit.

    Args:
        z: best point, (fits, k), search coordinates.
        value: its objective, (fits,), in the smooth kernel's units.
        gradient, hessian: exact derivatives there, (fits, k) and (fits, k, k).
        status: how the best lane ended, (fits,).
        finished_z, finished_value, finished_status: every lane that was run to its end, (fits, lanes, ...), best first.
        n_starts, n_polished: lanes begun and lanes polished, per fit.
        steps: trials summed over all lanes of the batch.
        numbers: the objective's numbers at which the derivatives were taken, (fits, 3) or (3,).
    """

    z: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    status: np.ndarray
    finished_z: np.ndarray
    finished_value: np.ndarray
    finished_status: np.ndarray
    n_starts: int
    n_polished: int
    steps: int
    numbers: np.ndarray


def solve(
    problem: Problem,
    starts: np.ndarray,
    solver: Any,
    *,
    screen: bool = True,
    keep: int = 32,
    polish: int = 8,
    smooth: bool = True,
    roughness: np.ndarray | None = None,
    device: Any = None,
    progress: Progress = None,
) -> Solution:
    """Solves every fit of a batch from all of its starts.

    Args:
        problem: the batch.
        starts: search coordinates, (fits, starts, k).
        solver: `LM` or `LBFGS` (or an object like them).
        screen: carry on only the promising starts; False runs every one to convergence.
        keep: lanes per fit that survive screening.
        polish: best lanes per fit that are polished with the exact Hessian.
        smooth: False for objectives with a corner, which are approached through ever sharper Huber thresholds.
        roughness: (fits,), the residual scale at which the first threshold lies, needed when not smooth.
        device: a JAX device; None is the default one.
        progress: called with (lanes done, lanes in this round).
    """
    n_fits, n_starts, k = starts.shape
    if not smooth:
        problem = problem.with_numbers(_sharpened(problem, roughness, 1.0))
    lanes = Lanes.start(problem, solver, starts.reshape(-1, k), np.repeat(np.arange(n_fits), n_starts))
    steps = 0
    if screen:
        for budget, shrink in ROUNDS:
            alive = len(lanes.fit) // n_fits
            if alive <= 2 * keep:
                break
            run_lanes(problem, lanes, solver, budget, device, progress)
            steps += int(lanes.state.steps.sum())
            lanes = lanes.take(_survivors(lanes, n_fits, max(keep, alive // shrink)))
            steps -= int(lanes.state.steps.sum())
    run_lanes(problem, lanes, solver, None, device, progress)
    steps += int(lanes.state.steps.sum())

    alive = len(lanes.fit) // n_fits
    polish = min(polish, alive)
    order = _best_first(lanes, n_fits)
    lanes = lanes.take(order.ravel())
    top = np.arange(n_fits * alive).reshape(n_fits, alive)[:, :polish].ravel()
    final = _polished(problem, lanes, top, device)
    if not smooth:
        for sharper in ROUNDING[1:]:
            problem = problem.with_numbers(_sharpened(problem, roughness, sharper))
            final = _polished(problem, final, np.arange(len(top)), device)
    steps += int(final.state.steps.sum())
    return _collect(problem, lanes, top, final, n_fits, n_starts, steps, smooth)


def _sharpened(problem: Problem, roughness: np.ndarray | None, factor: float) -> np.ndarray:
    assert roughness is not None
    delta = np.asarray(roughness) * factor
    over = np.broadcast_to(problem.data.numbers[..., 1], delta.shape)
    return np.stack([delta, over, 1.0 / delta], axis=-1)


def _polished(problem: Problem, lanes: Lanes, which: np.ndarray, device: Any) -> Lanes:
    final = Lanes.start(problem, POLISH, lanes.state.z[which], lanes.fit[which])
    return run_lanes(problem, final, POLISH, None, device)


def _finite_values(lanes: Lanes, n_fits: int) -> np.ndarray:
    values = lanes.state.value.reshape(n_fits, -1)
    return np.where(np.isfinite(values), values, np.inf)


def _best_first(lanes: Lanes, n_fits: int) -> np.ndarray:
    """Lane numbers per fit, (fits, lanes), by objective."""
    values = _finite_values(lanes, n_fits)
    return np.argsort(values, axis=1, kind="stable") + values.shape[1] * np.arange(n_fits)[:, None]


def _survivors(lanes: Lanes, n_fits: int, keep: int) -> np.ndarray:
    """Which lanes go on: the best half, and a spread over the ranks of the rest; merged lanes rank last."""
    order = _best_first(lanes, n_fits)
    values = lanes.state.value[order]
    z = lanes.state.z[order]
    with np.errstate(invalid="ignore"):
        same = np.abs(np.diff(values, axis=1)) <= 1e-9 * np.abs(values[:, 1:])
        merged = same & (np.abs(np.diff(z, axis=1)).max(axis=-1) < 1e-3)
    merged = np.concatenate([np.zeros((n_fits, 1), bool), merged], axis=1) | ~np.isfinite(values)
    order = np.take_along_axis(order, np.argsort(merged, axis=1, kind="stable"), axis=1)
    best = keep - keep // 4
    rest = np.linspace(best, order.shape[1] - 1, keep - best).astype(int)
    return order[:, np.concatenate([np.arange(best), rest])].ravel()


def _collect(
    problem: Problem, lanes: Lanes, top: np.ndarray, final: Lanes, n_fits: int, n_starts: int, steps: int, smooth: bool
) -> Solution:
    """The best polished lane per fit, and every finished lane beside it."""
    before, after = lanes.state.value[top], final.state.value
    usable = np.isfinite(after) & ((after <= before) | (not smooth))
    z, value, status = lanes.state.z.copy(), lanes.state.value.copy(), lanes.state.status.copy()
    z[top[usable]], value[top[usable]] = final.state.z[usable], after[usable]
    status[top[usable]] = np.where(final.state.status[usable] == Status.STALLED, Status.CONVERGED, final.state.status[usable])
    value = np.where(np.isfinite(value), value, np.inf).reshape(n_fits, -1)
    polished = len(top) // n_fits
    best = np.argmin(value[:, :polished], axis=1)
    order = np.argsort(value, axis=1, kind="stable")
    rows = np.arange(n_fits)
    of_final = rows * polished + best
    k = z.shape[-1]
    return Solution(
        z=z.reshape(n_fits, -1, k)[rows, best],
        value=value[rows, best],
        gradient=final.state.gradient[of_final],
        hessian=final.state.curvature[of_final],
        status=status.reshape(n_fits, -1)[rows, best],
        finished_z=np.take_along_axis(z.reshape(n_fits, -1, k), order[..., None], axis=1),
        finished_value=np.take_along_axis(value, order, axis=1),
        finished_status=np.take_along_axis(status.reshape(n_fits, -1), order, axis=1),
        n_starts=n_starts,
        n_polished=polished,
        steps=steps,
        numbers=problem.data.numbers,
    )
