"""From starts to certified optima: screen, run to convergence, polish with the exact Hessian.

Screening runs every start for a few steps and carries the most promising on, in rounds. Half of each round's
places go by objective; the other half is spread over the remaining ranks, and lanes that have merged count
once, so a slow basin is not lost to a fast one. Where many fits have long tables the search runs on thinned
rows, and its best ends go on from there on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from scaling_jax.engine.devices import exact_device
from scaling_jax.engine.lanes import Lanes, Progress, run_lanes
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import MOST_STEPS, Polished
from scaling_jax.engine.newton import polish as polished
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.status import Status

__all__ = ["Solution", "solve"]

LANES_IN_MEMORY = 2**18
ROUNDS = ((1, 8), (5, 4), (12, 4))
SAME_END = 1e-7
# of Newton's method; a lane that needs more creeps along a valley, which few but the best of a fit are worth
FIRST_STEPS = 12
RIVALS = 1e-3
SHARPEN = LM(tol=1e-12)
ROUNDING = (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


@dataclass(frozen=True)
class Solution:
    """What the engine found, per fit.

    Args:
        z: best point, (fits, k), search coordinates.
        value: its objective, (fits,), in the smooth kernel's units.
        gradient, hessian: exact derivatives there, (fits, k) and (fits, k, k).
        status: how the best lane ended, (fits,).
        finished_z, finished_value, finished_status: every lane that was run to its end, (fits, lanes, ...),
            best first.
        n_starts, n_polished: lanes begun and lanes polished, per fit.
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
    numbers: np.ndarray


def solve(
    problem: Problem,
    starts: np.ndarray,
    solver: Any,
    *,
    screen: bool = True,
    keep: int = 32,
    polish: int = 8,
    polish_steps: int = MOST_STEPS,
    smooth: bool = True,
    roughness: np.ndarray | None = None,
    search_rows: int | None = None,
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
        polish: best lanes per fit that are polished with the exact Hessian, in at most `polish_steps` Newton
            steps.
        smooth: False for objectives with a corner, which are approached through ever sharper Huber
            thresholds.
        roughness: (fits,), the residual scale at which the first threshold lies, needed when not smooth.
        search_rows: search on about so many rows of each fit, and go on from the ends on all; None searches
            on all.
        device: a JAX device or a mesh of them; None is the default one.
        progress: called with (lanes done, lanes in this round).
    """
    n_fits, n_starts, _ = starts.shape
    if not smooth:
        problem = problem.with_numbers(_sharpened(problem, roughness, 1.0))
    per_slice = max(1, LANES_IN_MEMORY // n_fits)
    slices = [starts[:, i : i + per_slice] for i in range(0, n_starts, per_slice)]
    search = problem if search_rows is None else problem.thinned(search_rows)
    thinned = search is not problem
    finished = [_finish(search, part, solver, screen, keep, device, progress) for part in slices]
    found = _Finished(*(np.concatenate(parts, axis=1) for parts in zip(*finished, strict=True))).best_first()

    polish = min(polish, found.value.shape[1])
    device = exact_device(device)
    if thinned:
        found, end = _ends_first(found, polish)
    top = found.z[:, :polish].reshape(-1, starts.shape[-1])
    fit = np.repeat(np.arange(n_fits), polish)
    if thinned:
        top = run_lanes(problem, Lanes.start(problem, solver, top, fit), solver, None, device).state.z
    if not smooth:
        for sharper in ROUNDING[1:]:
            problem = problem.with_numbers(_sharpened(problem, roughness, sharper))
            top = run_lanes(problem, Lanes.start(problem, SHARPEN, top, fit), SHARPEN, None, device).state.z
    final = _polish_rivals(problem, top, fit, device, polish_steps)
    if thinned:
        found = _as_polished(found, end, final, polish)
    return _collect(problem, found, final, n_starts, polish, smooth)


class _Finished(NamedTuple):
    """Lanes run to their end: z (fits, lanes, k), value, status and steps (fits, lanes)."""

    z: np.ndarray
    value: np.ndarray
    status: np.ndarray
    steps: np.ndarray

    def best_first(self) -> _Finished:
        order = np.argsort(self.value, axis=1, kind="stable")
        return _Finished(
            *(np.take_along_axis(a, order[..., None] if a.ndim == 3 else order, axis=1) for a in self)
        )


def _polish_rivals(
    problem: Problem, z: np.ndarray, fit: np.ndarray, device: Any, most_steps: int
) -> Polished:
    """Every lane polished for as long as it pays: one that creeps, far above the best of its fit, is left
    where it is."""
    final = polished(problem, z, fit, device, min(FIRST_STEPS, most_steps))
    best = np.full(problem.n_fits, np.inf)
    np.fmin.at(best, fit, final.value)
    on = np.flatnonzero((final.status == Status.MAX_STEPS) & (final.value <= (1 + RIVALS) * best[fit]))
    if most_steps > FIRST_STEPS and len(on):
        for mine, theirs in zip(
            final, polished(problem, final.z[on], fit[on], device, most_steps - FIRST_STEPS), strict=True
        ):
            mine[on] = theirs
    return final


def _ends_first(found: _Finished, most: int) -> tuple[_Finished, np.ndarray]:
    """The first lane of each of the best `most` ends, then the rest; and for each lane the end it came to, or
    -1."""
    with np.errstate(invalid="ignore"):
        apart = np.diff(found.value, axis=1) > SAME_END * np.abs(found.value[:, 1:])
    end = np.concatenate([np.zeros((len(found.value), 1), int), np.cumsum(apart, axis=1)], axis=1)
    first = np.concatenate([np.ones((len(end), 1), bool), apart], axis=1) & (end < most)
    order = np.argsort(~first, axis=1, kind="stable")
    end = np.where(np.isfinite(found.value) & (end < most), end, -1)
    moved = _Finished(
        *(np.take_along_axis(a, order[..., None] if a.ndim == 3 else order, axis=1) for a in found)
    )
    return moved, np.take_along_axis(end, order, axis=1)


def _as_polished(found: _Finished, end: np.ndarray, final: Polished, polish: int) -> _Finished:
    """Lanes of a thinned search, each where its end was polished to; those of ends that were not polished
    count as dropped."""
    n_fits, _, k = found.z.shape
    at, known = end.clip(0), end >= 0
    z = np.take_along_axis(final.z.reshape(n_fits, polish, k), at[..., None], axis=1)
    value, status = (
        np.take_along_axis(part.reshape(n_fits, polish), at, axis=1) for part in (final.value, final.status)
    )
    value = np.where(known & np.isfinite(value), value, np.inf)
    value[:, :polish] = np.inf  # not yet compared with what polishing made of them
    return _Finished(
        np.where(known[..., None], z, found.z), value, np.where(known, status, Status.DROPPED), found.steps
    )


def _finish(
    problem: Problem,
    starts: np.ndarray,
    solver: Any,
    screen: bool,
    keep: int,
    device: Any,
    progress: Progress,
) -> _Finished:
    """Screens one slice of the starts and runs what is left to convergence."""
    n_fits, n_starts, k = starts.shape
    lanes = Lanes.start(problem, solver, starts.reshape(-1, k), np.repeat(np.arange(n_fits), n_starts))
    for budget, shrink in ROUNDS if screen else ():
        alive = len(lanes.fit) // n_fits
        if alive <= 2 * keep:
            break
        run_lanes(problem, lanes, solver, budget, device, progress)
        lanes = lanes.take(_survivors(lanes, n_fits, max(keep, alive // shrink)))
    state = run_lanes(problem, lanes, solver, None, device, progress).state
    value = np.where(np.isfinite(state.value), state.value, np.inf)
    return _Finished(
        state.z.reshape(n_fits, -1, k),
        *(leaf.reshape(n_fits, -1) for leaf in (value, state.status, state.steps)),
    )


def _sharpened(problem: Problem, roughness: np.ndarray | None, factor: float) -> np.ndarray:
    assert roughness is not None
    delta = np.asarray(roughness) * factor
    over = np.broadcast_to(problem.data.numbers[..., 1], delta.shape)
    return np.stack([delta, over, 1.0 / delta], axis=-1)


def _survivors(lanes: Lanes, n_fits: int, keep: int) -> np.ndarray:
    """Which lanes go on: the best half, and a spread over the ranks of the rest; merged lanes rank last."""
    values = np.where(np.isfinite(lanes.state.value), lanes.state.value, np.inf).reshape(n_fits, -1)
    order = np.argsort(values, axis=1, kind="stable") + values.shape[1] * np.arange(n_fits)[:, None]
    values = values.ravel()[order]
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
    problem: Problem, found: _Finished, final: Polished, n_starts: int, polish: int, smooth: bool
) -> Solution:
    """The best polished lane per fit, and every finished lane beside it."""
    n_fits, _, k = found.z.shape
    value, status = final.value.reshape(n_fits, polish), final.status.reshape(n_fits, polish)
    usable = np.isfinite(value) & ((value <= found.value[:, :polish]) | (not smooth))
    z = np.where(usable[..., None], final.z.reshape(n_fits, polish, k), found.z[:, :polish])
    status = np.where(
        usable, np.where(status == Status.STALLED, Status.CONVERGED, status), found.status[:, :polish]
    )
    best = np.argmin(np.where(usable, value, found.value[:, :polish]), axis=1)
    rows = np.arange(n_fits)
    of_final = rows * polish + best
    polished = _Finished(z, np.where(usable, value, found.value[:, :polish]), status, found.steps[:, :polish])
    everything = _Finished(
        *(np.concatenate([new, old[:, polish:]], axis=1) for new, old in zip(polished, found, strict=True))
    )
    ordered = everything.best_first()
    return Solution(
        z=z[rows, best],
        value=polished.value[rows, best],
        gradient=final.gradient[of_final],
        hessian=final.hessian[of_final],
        status=status[rows, best],
        finished_z=ordered.z,
        finished_value=ordered.value,
        finished_status=ordered.status,
        n_starts=n_starts,
        n_polished=polish,
        numbers=problem.data.numbers,
    )
