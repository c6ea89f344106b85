"""Newton's method on the exact Hessian, for the few lanes that matter: it polishes an optimum and leaves its
derivatives.

The device evaluates value, gradient and exact Hessian of all lanes; the steps, a handful of small
eigenproblems, are NumPy's. Curvature that is negative counts by its size, and directions without any follow
the gradient, so a lane cannot mistake a saddle or a plateau for a minimum. The reach of a step holds in each
principal direction by itself: one along which the optimum lies far off, as where a term dies out, holds back
none of the others.
"""

from __future__ import annotations

from concurrent.futures import Future
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from scaling_jax.engine.devices import across_hosts, lane_program
from scaling_jax.engine.lanes import in_background, map_chunks
from scaling_jax.engine.lm import typical_size
from scaling_jax.engine.problem import Evaluation, Problem, exact_evaluation
from scaling_jax.engine.status import Status

__all__ = ["Polished", "measure_ahead", "polish"]

TOL = 1e-18  # of the objective still to gain; far below its rounding, which the gradient does not share
REACH = 1.0
LONGER, SHORTER, SHORTEST = 4.0, 0.25, 1e-14
FLAT = 1e-12
MOST_STEPS = 60
ROUNDING = 1e-13
CREEPING = 0.1  # of the decrement left by a step: at a regular optimum far less is


class Polished(NamedTuple):
    """Lanes at their optimum: z (lanes, k), value (lanes,), gradient, exact hessian, and status (lanes,)."""

    z: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    status: np.ndarray


@lru_cache(maxsize=256)
def _program(
    law: Any, on_log: bool, flags: tuple[bool, ...], structure: Any, device: Any, quick: bool
) -> Any:
    axes = jax.tree.unflatten(structure, [0 if own else None for own in flags])
    return lane_program(jax.vmap(partial(exact_evaluation, law, on_log), (0, axes)), (0, axes), device, quick)


def _measure(problem: Problem, z: np.ndarray, fit: np.ndarray, device: Any) -> Evaluation:
    program_for = partial(_program, problem.law, problem.on_log, *problem.sharing, device)
    return map_chunks(program_for, problem, z, fit, device)


def measure_ahead(problem: Problem, device: Any = None) -> None:
    """Begins compiling what polishing will need, in the background; once per program and shape."""
    key = (problem.law, problem.on_log, *problem.sharing, problem.n_rows, device)
    if key not in _AHEAD:
        nowhere = np.zeros((1, problem.n_coordinates)), np.zeros(1, dtype=int)
        _AHEAD[key] = in_background(_measure, problem, *nowhere, device)


_AHEAD: dict[tuple, Future] = {}


def _await_compiled(problem: Problem, device: Any) -> None:
    key = (problem.law, problem.on_log, *problem.sharing, problem.n_rows, device)
    if key in _AHEAD:
        _AHEAD[key].result()


def polish(
    problem: Problem, z: np.ndarray, fit: np.ndarray, device: Any = None, most_steps: int = MOST_STEPS
) -> Polished:
    """Newton from z (lanes, k) to machine precision; with `most_steps=0` only the derivatives at z."""
    return across_hosts(
        device, len(z), lambda mine: _polish_here(problem, z[mine], fit[mine], device, most_steps)
    )


def _polish_here(problem: Problem, z: np.ndarray, fit: np.ndarray, device: Any, most_steps: int) -> Polished:
    _await_compiled(problem, device)
    log_searched = np.array([d.log for d in problem.law.label_domains])
    lower, upper = problem.data.lower, problem.data.upper
    unit = typical_size(z, log_searched)
    z = np.clip(z, lower, upper)
    value, gradient, hessian = (np.array(part) for part in _measure(problem, z, fit, device))
    finite = np.isfinite(value) & np.isfinite(gradient).all(-1) & np.isfinite(hessian).all((-1, -2))
    status = np.where(finite, Status.RUNNING, Status.NONFINITE)
    reach = np.full(len(z), REACH)
    floor = np.broadcast_to(problem.data.floor, (problem.n_fits,))[fit]
    for _ in range(most_steps):
        running = np.flatnonzero(status == Status.RUNNING)
        step, decrement = _step(
            z[running], gradient[running], hessian[running], unit[running], reach[running], lower, upper
        )
        done = (decrement <= 2 * TOL * value[running]) | (value[running] <= floor[running])
        status[running[done]] = Status.CONVERGED
        running, step, decrement = running[~done], step[~done], decrement[~done]
        if not len(running):
            break
        trial = np.clip(z[running] + step, lower, upper)
        new = [np.asarray(part) for part in _measure(problem, trial, fit[running], device)]
        usable = np.isfinite(new[0]) & np.isfinite(new[1]).all(-1) & np.isfinite(new[2]).all((-1, -2))
        new = [np.where(usable.reshape(-1, *(1,) * (part.ndim - 1)), part, 0.0) for part in new]
        # at the floor of rounding the objective cannot judge a step any more, but the gradient still can
        level = new[0] <= value[running] * (1 + ROUNDING)
        _, left = _step(trial, new[1], new[2], unit[running], reach[running], lower, upper)
        better = usable & ((new[0] < value[running]) | (level & (left < 0.5 * decrement)))
        went = running[better]
        z[went], value[went], gradient[went], hessian[went] = (
            trial[better],
            new[0][better],
            new[1][better],
            new[2][better],
        )
        reach[went] = np.minimum(LONGER * reach[went], REACH)
        # a valley without a floor (an extinct term, an exponent nothing holds) never ends, and gains nothing
        # any more
        creeping = (left > CREEPING * decrement) & (decrement <= ROUNDING * value[running])
        status[running[better & creeping]] = Status.CONVERGED
        stayed = running[~better]
        reach[stayed] = SHORTER * np.minimum(
            reach[stayed], np.max(np.abs(step[~better]) / unit[stayed], axis=-1)
        )
        at_rounding = decrement[~better] <= 64 * np.finfo(float).eps * value[stayed]
        status[stayed[at_rounding]] = Status.CONVERGED
        status[stayed[~at_rounding & (reach[stayed] < SHORTEST)]] = Status.STALLED
    status[status == Status.RUNNING] = Status.MAX_STEPS
    return Polished(z, value, gradient, hessian, status)


def _step(
    z: np.ndarray,
    gradient: np.ndarray,
    hessian: np.ndarray,
    unit: np.ndarray,
    reach: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The step of each lane, no principal direction longer than its reach, and the decrement g'|H|^-1 g; what
    a bound holds stays."""
    held = ((z <= lower) & (gradient > 0)) | ((z >= upper) & (gradient < 0))
    unit = np.where(held, 0.0, unit)
    slope = gradient * unit
    values, vectors = np.linalg.eigh(hessian * unit[:, :, None] * unit[:, None, :])
    size = np.abs(values)
    largest = np.maximum(size.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    along = np.einsum("lij,li->lj", vectors, slope)
    size = np.maximum(np.maximum(size, FLAT**2 * largest), FLAT**2)
    decrement = np.sum(along**2 / size, axis=-1)
    step = np.clip(along / size, -reach[:, None], reach[:, None])
    return -np.einsum("lij,lj->li", vectors, step) * unit, decrement
