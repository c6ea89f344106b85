"""Newton's method on the exact Hessian: it polishes the few lanes that matter to machine precision.

The device evaluates value, gradient and exact Hessian of all lanes; the steps, a handful of small
eigenproblems, are NumPy's, or the device's own where the whole descent happens there (`aboard`). Curvature
that is negative counts by its size, and directions without any follow the gradient, so a lane cannot mistake
a saddle or a plateau for a minimum. The reach of a step holds in each principal direction by itself: one
along which the optimum lies far off, as where a term dies out, holds back none of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple

import numpy as np

from scaling_jax.core.arrays import AnyArray, Array, Leaf, Numbers, namespace
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.coordinates import held, searched_as_logs, typical_size
from scaling_jax.engine.devices import Place, across_hosts, lane_program
from scaling_jax.engine.kept import kept
from scaling_jax.engine.lanes import Chunks, map_chunks
from scaling_jax.engine.problem import Evaluation, Problem, Sharing, exact_evaluation
from scaling_jax.engine.status import Status

__all__ = [
    "FIRST_STEPS",
    "MOST_STEPS",
    "REACH",
    "RIVALS",
    "Derivatives",
    "Descent",
    "Polished",
    "arrived",
    "curvatures",
    "derivatives",
    "descend",
    "measure_ahead",
    "newton_step",
    "polish",
    "tried",
]

TOL = 1e-18  # of the objective still to gain; far below its rounding, which the gradient does not share
REACH = 1.0
LONGER, SHORTER, SHORTEST = 4.0, 0.25, 1e-14
FLAT = 1e-12
LEAST = np.sqrt(np.finfo(float).tiny)  # curvature: what it divides stays finite
MOST_STEPS = 60
# a lane that needs more creeps along a valley, which few but the best of a fit are worth
FIRST_STEPS = 12
RIVALS = 1e-3
ROUNDING = 1e-13
CREEPING = 0.1  # of the decrement left by a step: at a regular optimum far less is


class Derivatives(NamedTuple, Generic[Leaf]):
    """Value (lanes,), gradient (lanes, ...) and exact Hessian (lanes, ..., k, k)."""

    value: Leaf
    gradient: Leaf
    hessian: Leaf


class Descent(NamedTuple, Generic[Leaf]):
    """Lanes on their way: z (lanes, ...), what was measured there, status and reach (lanes,)."""

    z: Leaf
    value: Leaf
    gradient: Leaf
    hessian: Leaf
    status: Leaf
    reach: Leaf

    @property
    def slopes(self) -> Derivatives[Leaf]:
        return Derivatives(self.value, self.gradient, self.hessian)


class Polished(NamedTuple, Generic[Leaf]):
    """Lanes at their optimum: z (lanes, k), value (lanes,), gradient, exact hessian, and status (lanes,)."""

    z: Leaf
    value: Leaf
    gradient: Leaf
    hessian: Leaf
    status: Leaf


@kept
def _program(
    law: Law, on: Scale, sharing: Sharing, device: Place, in_turn: bool
) -> Program[Evaluation[Array]]:
    return lane_program(partial(exact_evaluation, law, on), (0, sharing.axes), device, in_turn)


def derivatives(problem: Problem, z: Numbers, fit: Numbers, device: Place = None) -> Derivatives[Numbers]:
    """Value, gradient and exact Hessian of every lane."""
    program_for = partial(_program, problem.law, problem.on, problem.sharing, device)
    value, gradient, hessian = map_chunks(program_for, problem, z, fit, device)
    return Derivatives(np.asarray(value), np.asarray(gradient), np.asarray(hessian))


def _small_program(problem: Problem, device: Place) -> Program[Evaluation[Array]]:
    """The one of `derivatives` that serves a few lanes."""
    in_turn = Chunks.of(problem, 1, 1, device, 1).in_turn
    return _program(problem.law, problem.on, problem.sharing, device, in_turn)


def measure_ahead(problem: Problem, device: Place = None) -> None:
    """Begins, in the background, to compile what polishing a few lanes will need."""
    nowhere = np.zeros((1, problem.n_coordinates)), np.zeros(1, dtype=int)
    _small_program(problem, device).ahead(problem.n_rows, partial(derivatives, problem, *nowhere, device))


def polish(
    problem: Problem, z: Numbers, fit: Numbers, device: Place = None, most_steps: int = MOST_STEPS
) -> Polished[Numbers]:
    """Newton from z (lanes, k) to machine precision; with `most_steps=0` only the derivatives at z."""
    return across_hosts(
        device, len(z), lambda mine: _polish_here(problem, z[mine], fit[mine], device, most_steps)
    )


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # a trial may lie anywhere, and is judged
def _polish_here(
    problem: Problem, z: Numbers, fit: Numbers, device: Place, most_steps: int
) -> Polished[Numbers]:
    _small_program(problem, device).settle(problem.n_rows)
    lower, upper = problem.data.lower, problem.data.upper
    unit = typical_size(z, searched_as_logs(problem.law.label_domains))

    def measure(at: Numbers, which: Numbers) -> Derivatives[Numbers]:
        return derivatives(problem, at, fit[which], device)

    def step(
        at: Numbers, which: Numbers, slopes: Derivatives[Numbers], reach: Numbers
    ) -> tuple[Numbers, Numbers]:
        return newton_step(at, slopes, unit[which], reach, (lower, upper))

    floor = np.broadcast_to(problem.data.floor, (problem.n_fits,))[fit]
    return descend(z, unit, floor, (lower, upper), measure, step, most_steps)


def descend(
    z: Numbers,
    unit: Numbers,
    floor: Numbers,
    bounds: tuple[Numbers, Numbers],
    measure: Callable[[Numbers, Numbers], Derivatives[Numbers]],
    step_from: Callable[[Numbers, Numbers, Derivatives[Numbers], Numbers], tuple[Numbers, Numbers]],
    most_steps: int,
) -> Polished[Numbers]:
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
    slopes = Derivatives(*(np.array(part) for part in measure(z, np.arange(len(z)))))
    status = np.where(_finite(slopes), Status.RUNNING, Status.NONFINITE)
    at = Descent(z, *slopes, status, np.full(len(z), REACH))
    for _ in range(most_steps):
        running = np.flatnonzero(at.status == Status.RUNNING)
        here = Descent(*(part[running] for part in at))
        step, decrement = step_from(here.z, running, here.slopes, here.reach)
        done = arrived(here, decrement, floor[running])
        at.status[running[done]] = Status.CONVERGED
        running, step, decrement = running[~done], step[~done], decrement[~done]
        if not len(running):
            break
        here = Descent(*(part[~done] for part in here))
        trial = np.clip(here.z + step, *bounds)
        again = partial(_as_of, step_from, running)
        after = tried(here, unit[running], step, decrement, trial, measure(trial, running), again)
        for mine, theirs in zip(at, after, strict=True):
            mine[running] = theirs
    at.status[at.status == Status.RUNNING] = Status.MAX_STEPS
    return Polished(*at[:5])


def _as_of(
    step_from: Callable[[Numbers, Numbers, Derivatives[Numbers], Numbers], tuple[Numbers, Numbers]],
    which: Numbers,
    at: Numbers,
    slopes: Derivatives[Numbers],
    reach: Numbers,
) -> tuple[Numbers, Numbers]:
    """`step_from` of given lanes."""
    return step_from(at, which, slopes, reach)


def arrived(at: Descent[AnyArray], decrement: AnyArray, floor: AnyArray) -> AnyArray:
    """Which lanes have nothing left to gain."""
    return (decrement <= 2 * TOL * at.value) | (at.value <= floor)


def tried(
    at: Descent[AnyArray],
    unit: AnyArray,
    step: AnyArray,
    decrement: AnyArray,
    trial: AnyArray,
    new: Derivatives[AnyArray],
    step_from: Callable[[AnyArray, Derivatives[AnyArray], AnyArray], tuple[AnyArray, AnyArray]],
) -> Descent[AnyArray]:
    """Lanes after a trial of which `new` was measured, by NumPy or traced by JAX: moved there if it is
    better, else with a shorter reach."""
    xp = namespace(at.value)
    usable = _finite(new)
    to = Derivatives(*(xp.where(_beside(usable, part), part, 0.0) for part in new))
    # at the floor of rounding the objective cannot judge a step any more, but the gradient still can
    level = to.value <= at.value * (1 + ROUNDING)
    _, left = step_from(trial, to, at.reach)
    better = usable & ((to.value < at.value) | (level & (left < 0.5 * decrement)))
    value = xp.where(better, to.value, at.value)
    # a valley without a floor (an extinct term, an exponent nothing holds) never ends, yet gains nothing
    creeping = (left > CREEPING * decrement) & (decrement <= ROUNDING * value)
    longest = xp.max(abs(step) / unit, axis=tuple(range(1, step.ndim)))
    shorter = SHORTER * xp.minimum(at.reach, longest)
    at_rounding = decrement <= 64 * np.finfo(float).eps * at.value
    ended = xp.where(shorter < SHORTEST, int(Status.STALLED), at.status)
    ended = xp.where(at_rounding, int(Status.CONVERGED), ended)
    went = xp.where(creeping, int(Status.CONVERGED), at.status)
    return Descent(
        z=xp.where(_beside(better, trial), trial, at.z),
        value=value,
        gradient=xp.where(_beside(better, to.gradient), to.gradient, at.gradient),
        hessian=xp.where(_beside(better, to.hessian), to.hessian, at.hessian),
        status=xp.where(better, went, ended),
        reach=xp.where(better, xp.minimum(LONGER * at.reach, REACH), shorter),
    )


def _beside(of_lanes: AnyArray, part: AnyArray) -> AnyArray:
    """(lanes,) in a shape that broadcasts to (lanes, ...)."""
    return of_lanes.reshape(-1, *(1,) * (part.ndim - 1))


def _finite(slopes: Derivatives[AnyArray]) -> AnyArray:
    """(lanes,) whether all that was measured is finite."""
    value, gradient, hessian = (namespace(part).isfinite(part) for part in slopes)
    axes = tuple(range(1, gradient.ndim)), tuple(range(1, hessian.ndim))
    found: AnyArray = value & gradient.all(axes[0]) & hessian.all(axes[1])
    return found


def newton_step(
    z: AnyArray,
    slopes: Derivatives[AnyArray],
    unit: AnyArray,
    reach: AnyArray,
    bounds: tuple[AnyArray, AnyArray],
) -> tuple[AnyArray, AnyArray]:
    """The step of each lane, no principal direction longer than its reach, and the decrement g'|H|^-1 g.

    What a bound holds stays.
    """
    xp = namespace(z)
    unit = xp.where(held(z, slopes.gradient, *bounds), 0.0, unit)
    size, vectors = curvatures(slopes.hessian * unit[:, :, None] * unit[:, None, :])
    along = xp.einsum("lij,li->lj", vectors, slopes.gradient * unit)
    step = xp.clip(along / size, -reach[:, None], reach[:, None])
    return -xp.einsum("lij,lj->li", vectors, step) * unit, xp.sum(along**2 / size, axis=-1)


def curvatures(hessian: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Sizes (..., k) of the curvature in the principal directions (..., k, k), none of them zero."""
    xp = namespace(hessian)
    values, vectors = xp.linalg.eigh(hessian)
    size = abs(values)
    largest = xp.maximum(size.max(axis=-1, keepdims=True), np.finfo(float).tiny)
    return xp.maximum(size, xp.maximum(FLAT**2 * largest, LEAST)), vectors
