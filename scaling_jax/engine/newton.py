"""Newton's method on the exact Hessian: it polishes the few lanes that matter to machine precision.

The device evaluates value, gradient and exact Hessian of all lanes; the steps, a handful of small
eigenproblems, are NumPy's. Curvature that is negative counts by its size, and directions without any follow
the gradient, so a lane cannot mistake a saddle or a plateau for a minimum. The reach of a step holds in each
principal direction by itself: one along which the optimum lies far off, as where a term dies out, holds back
none of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.law import Law
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.coordinates import held, searched_as_logs, typical_size
from scaling_jax.engine.devices import Place, across_hosts, lane_program
from scaling_jax.engine.kept import kept
from scaling_jax.engine.lanes import Chunks, map_chunks
from scaling_jax.engine.problem import Evaluation, Problem, Sharing, exact_evaluation
from scaling_jax.engine.status import Status

__all__ = [
    "MOST_STEPS",
    "Derivatives",
    "Polished",
    "curvatures",
    "derivatives",
    "descend",
    "measure_ahead",
    "polish",
]

TOL = 1e-18  # of the objective still to gain; far below its rounding, which the gradient does not share
REACH = 1.0
LONGER, SHORTER, SHORTEST = 4.0, 0.25, 1e-14
FLAT = 1e-12
LEAST = np.sqrt(np.finfo(float).tiny)  # curvature: what it divides stays finite
MOST_STEPS = 60
ROUNDING = 1e-13
CREEPING = 0.1  # of the decrement left by a step: at a regular optimum far less is


class Derivatives(NamedTuple):
    """Value (lanes,), gradient (lanes, ...) and exact Hessian (lanes, ..., k, k)."""

    value: Numbers
    gradient: Numbers
    hessian: Numbers


class Polished(NamedTuple):
    """Lanes at their optimum: z (lanes, k), value (lanes,), gradient, exact hessian, and status (lanes,)."""

    z: Numbers
    value: Numbers
    gradient: Numbers
    hessian: Numbers
    status: Numbers


@kept
def _program(
    law: Law, on_log: bool, sharing: Sharing, device: Place, in_turn: bool
) -> Program[Evaluation[Array]]:
    return lane_program(partial(exact_evaluation, law, on_log), (0, sharing.axes), device, in_turn)


def derivatives(problem: Problem, z: Numbers, fit: Numbers, device: Place = None) -> Derivatives:
    """Value, gradient and exact Hessian of every lane."""
    program_for = partial(_program, problem.law, problem.on_log, problem.sharing, device)
    value, gradient, hessian = map_chunks(program_for, problem, z, fit, device)
    return Derivatives(np.asarray(value), np.asarray(gradient), np.asarray(hessian))


def _small_program(problem: Problem, device: Place) -> Program[Evaluation[Array]]:
    """The one of `derivatives` that serves a few lanes."""
    in_turn = Chunks.of(problem, 1, 1, device, 1).in_turn
    return _program(problem.law, problem.on_log, problem.sharing, device, in_turn)


def measure_ahead(problem: Problem, device: Place = None) -> None:
    """Begins, in the background, to compile what polishing a few lanes will need."""
    nowhere = np.zeros((1, problem.n_coordinates)), np.zeros(1, dtype=int)
    _small_program(problem, device).ahead(problem.n_rows, partial(derivatives, problem, *nowhere, device))


def polish(
    problem: Problem, z: Numbers, fit: Numbers, device: Place = None, most_steps: int = MOST_STEPS
) -> Polished:
    """Newton from z (lanes, k) to machine precision; with `most_steps=0` only the derivatives at z."""
    return across_hosts(
        device, len(z), lambda mine: _polish_here(problem, z[mine], fit[mine], device, most_steps)
    )


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a trial may lie anywhere, and is judged
def _polish_here(problem: Problem, z: Numbers, fit: Numbers, device: Place, most_steps: int) -> Polished:
    _small_program(problem, device).settle(problem.n_rows)
    lower, upper = problem.data.lower, problem.data.upper
    unit = typical_size(z, searched_as_logs(problem.law.label_domains))

    def measure(at: Numbers, which: Numbers) -> Derivatives:
        return derivatives(problem, at, fit[which], device)

    def step(at: Numbers, which: Numbers, slopes: Derivatives, reach: Numbers) -> tuple[Numbers, Numbers]:
        return _step(at, slopes.gradient, slopes.hessian, unit[which], reach, lower, upper)

    floor = np.broadcast_to(problem.data.floor, (problem.n_fits,))[fit]
    return descend(z, unit, floor, (lower, upper), measure, step, most_steps)


def descend(
    z: Numbers,
    unit: Numbers,
    floor: Numbers,
    bounds: tuple[Numbers, Numbers],
    measure: Callable[[Numbers, Numbers], Derivatives],
    step_from: Callable[[Numbers, Numbers, Derivatives, Numbers], tuple[Numbers, Numbers]],
    most_steps: int,
) -> Polished:
    """Newton's steps for as long as they gain.

    Args:
        z: (lanes, ...), whatever a lane moves.
        unit: what z is measured in, of its shape.
        floor: (lanes,) values that count as a perfect fit.
        bounds: lower and upper, which broadcast to z.
        measure: from (points, lanes) to their derivatives.
        step_from: from (points, lanes, derivatives, reach) to steps and decrements.
        most_steps: after which a lane ends where it is.
    """
    z = np.clip(z, *bounds)
    value, gradient, hessian = (np.array(part) for part in measure(z, np.arange(len(z))))
    status = np.where(_finite(value, gradient, hessian), Status.RUNNING, Status.NONFINITE)
    reach = np.full(len(z), REACH)
    for _ in range(most_steps):
        running = np.flatnonzero(status == Status.RUNNING)
        here = Derivatives(value[running], gradient[running], hessian[running])
        step, decrement = step_from(z[running], running, here, reach[running])
        done = (decrement <= 2 * TOL * value[running]) | (value[running] <= floor[running])
        status[running[done]] = Status.CONVERGED
        running, step, decrement = running[~done], step[~done], decrement[~done]
        if not len(running):
            break
        trial = np.clip(z[running] + step, *bounds)
        new = measure(trial, running)
        usable = _finite(*new)
        to, slope, curvature = (
            np.where(usable.reshape(-1, *(1,) * (part.ndim - 1)), part, 0.0) for part in new
        )
        # at the floor of rounding the objective cannot judge a step any more, but the gradient still can
        level = to <= value[running] * (1 + ROUNDING)
        _, left = step_from(trial, running, Derivatives(to, slope, curvature), reach[running])
        better = usable & ((to < value[running]) | (level & (left < 0.5 * decrement)))
        went = running[better]
        z[went], value[went] = trial[better], to[better]
        gradient[went], hessian[went] = slope[better], curvature[better]
        reach[went] = np.minimum(LONGER * reach[went], REACH)
        # a valley without a floor (an extinct term, an exponent nothing holds) never ends, yet gains nothing
        creeping = (left > CREEPING * decrement) & (decrement <= ROUNDING * value[running])
        status[running[better & creeping]] = Status.CONVERGED
        stayed = running[~better]
        longest = np.max(np.abs(step[~better]) / unit[stayed], axis=tuple(range(1, z.ndim)))
        reach[stayed] = SHORTER * np.minimum(reach[stayed], longest)
        at_rounding = decrement[~better] <= 64 * np.finfo(float).eps * value[stayed]
        status[stayed[at_rounding]] = Status.CONVERGED
        status[stayed[~at_rounding & (reach[stayed] < SHORTEST)]] = Status.STALLED
    status[status == Status.RUNNING] = Status.MAX_STEPS
    return Polished(z, value, gradient, hessian, status)


def _finite(value: Numbers, gradient: Numbers, hessian: Numbers) -> Numbers:
    return np.all([np.isfinite(p).all(tuple(range(1, p.ndim))) for p in (value, gradient, hessian)], axis=0)


def _step(
    z: Numbers,
    gradient: Numbers,
    hessian: Numbers,
    unit: Numbers,
    reach: Numbers,
    lower: Numbers,
    upper: Numbers,
) -> tuple[Numbers, Numbers]:
    """The step of each lane, no principal direction longer than its reach, and the decrement g'|H|^-1 g.

    What a bound holds stays.
    """
    unit = np.where(held(z, gradient, lower, upper), 0.0, unit)
    size, vectors = curvatures(hessian * unit[:, :, None] * unit[:, None, :])
    along = np.einsum("lij,li->lj", vectors, gradient * unit)
    step = np.clip(along / size, -reach[:, None], reach[:, None])
    return -np.einsum("lij,lj->li", vectors, step) * unit, np.sum(along**2 / size, axis=-1)


def curvatures(hessian: Numbers) -> tuple[Numbers, Numbers]:
    """Sizes (..., k) of the curvature in the principal directions (..., k, k), none of them zero."""
    values, vectors = np.linalg.eigh(hessian)
    size = np.abs(values)
    largest = np.maximum(size.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    return np.maximum(size, np.maximum(FLAT**2 * largest, LEAST)), vectors
