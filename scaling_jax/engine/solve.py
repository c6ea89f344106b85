"""From starts to certified optima: screen, run to convergence, polish with the exact Hessian.

Screening runs every start for a few steps and carries the most promising on, in rounds; where starts stand
best first already, the first round takes them as they stand. Three quarters of each other round's places go
by objective; the others are spread over the remaining ranks, and lanes that have merged count once, so a slow
basin is not lost to a fast one; of a fit alone some rows stand for all until then. Where tables are long the
search runs on thinned rows, and its best ends go on from there on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.memory import fitting_in
from scaling_jax.engine import newton
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.corners import ROUNDING, SEARCHED, SHARPEN, searched_rounded, sharpened
from scaling_jax.engine.devices import Place, exact_device, few_calls, lane_program
from scaling_jax.engine.ends import Extent, Way, brought_home
from scaling_jax.engine.kept import kept
from scaling_jax.engine.lanes import Lanes, Progress, map_chunks, run_lanes
from scaling_jax.engine.newton import FIRST_STEPS, MOST_STEPS, RIVALS, Polished
from scaling_jax.engine.on_device import has_room, searched_and_polished
from scaling_jax.engine.problem import Problem, Sharing
from scaling_jax.engine.ranks import ROUNDS, Finished, best_first, promising, survivors
from scaling_jax.engine.separable import completed, reduced
from scaling_jax.engine.solver import Solver
from scaling_jax.engine.status import Status

__all__ = ["Solution", "solve"]

MOST_LANES = 2**18  # of all fits at a time
# of a fit alone, and per number at least: what lanes are screened on
SCREENED_ROWS, ROWS_PER_NUMBER = 64, 8
BYTES_PER_NUMBER = 32  # of a lane's state, and of what is made of it between rounds


@dataclass(frozen=True, eq=False)
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

    z: Numbers
    value: Numbers
    gradient: Numbers
    hessian: Numbers
    status: Numbers
    finished_z: Numbers
    finished_value: Numbers
    finished_status: Numbers
    n_starts: int
    n_polished: int
    numbers: Numbers


def solve(
    problem: Problem,
    starts: Numbers,
    solver: Solver,
    *,
    screen: bool = True,
    ranked: bool = False,
    keep: int = 32,
    polish: int = 8,
    polish_steps: int = MOST_STEPS,
    smooth: bool = True,
    roughness: Numbers | None = None,
    search: Problem | None = None,
    patience: int = 1,
    linear: tuple[int, ...] = (),
    device: Place = None,
    progress: Progress = None,
) -> Solution:
    """Solves every fit of a batch from all of its starts.

    Args:
        problem: the batch.
        starts: search coordinates, (fits, starts, k).
        solver: `LM` or `LBFGS` (or an object like them).
        screen: carry on only the promising starts; False runs every one to convergence.
        ranked: whether the starts of each fit stand best first, which is the first round of screening.
        keep: lanes per fit that survive screening.
        polish: best lanes per fit that are polished with the exact Hessian, in at most `polish_steps` Newton
            steps.
        smooth: False for objectives with a corner, which are approached through ever sharper Huber
            thresholds, and searched under two of them; twice as many lanes are begun and polished then.
        roughness: (fits,), the residual scale at which the first threshold lies, needed when not smooth.
        patience: how often a lane may use up the solver's steps before it is given up.
        search: the same fits on fewer rows, to search on; their ends go on on all rows.
        linear: numbers to solve for at every point of the others, where the objective is squared error on raw
            values.
        device: a JAX device or a mesh of them; None is the default one.
        progress: called with (lanes done, lanes in this round).
    """
    n_starts, thinned, search = starts.shape[1], search is not None, problem if search is None else search
    rounds = ROUNDS if screen else ()
    if rounds and ranked and n_starts > 2 * keep:
        starts, rounds = starts[:, promising(n_starts, max(keep, n_starts // rounds[0][1]))], rounds[1:]
    extent = Extent(rounds, keep, patience, polish, polish_steps, not smooth, linear, thinned)
    rounded = problem if smooth else _rounded(problem, roughness, ROUNDING[-1])
    if few_calls(device) and has_room(problem, solver, extent):
        optima, n_polished = searched_and_polished(problem, search, starts, roughness, solver, extent, device)
    else:
        plan = _Plan(solver, extent, device, progress)
        found = _searched(search, starts, roughness, plan)
        optima, n_polished = brought_home(found, extent, _way(problem, rounded, roughness, plan))
    return Solution(
        *optima[:5],
        finished_z=optima.finished.z,
        finished_value=optima.finished.value,
        finished_status=optima.finished.status,
        n_starts=n_starts if smooth else n_starts * len(SEARCHED),
        n_polished=int(n_polished),
        numbers=rounded.data.numbers,
    )


def _way(problem: Problem, rounded: Problem, roughness: Numbers | None, plan: _Plan) -> Way[Numbers]:
    """How the own lanes of each fit go on, round by round, and are polished."""
    extent, device = plan.extent, exact_device(plan.device)

    def go_on(z: Numbers, own: Numbers) -> Numbers:
        fit, top = np.nonzero(own)[0], z[own]
        if extent.thinned:
            begun = problem if not extent.corner else _rounded(problem, roughness, SEARCHED[-1])
            top = _run_on(begun, plan.solver, top, fit, extent.linear, device)
        for sharper in ROUNDING if extent.corner else ():
            top = _run_on(_rounded(problem, roughness, sharper), SHARPEN, top, fit, (), device)
        out = z.astype(float)
        out[own] = top
        return out

    def polish(z: Numbers, own: Numbers, leader: Numbers) -> Polished[Numbers]:
        final = _polish_rivals(rounded, z[own], np.nonzero(own)[0], device, extent.polish_steps)
        return _each_as_its_leader(final, own, leader)

    return Way(go_on if extent.thinned or extent.corner else None, polish)


def _each_as_its_leader(final: Polished, own: Numbers, leader: Numbers) -> Polished:
    """Polished lanes (fits, lanes, ...), of which only the `own` were polished.

    Others count as their leader; where that was not polished either, the value is infinite.
    """

    def whole(part: Numbers, fill: float) -> Numbers:
        out = np.full((*own.shape, *part.shape[1:]), fill, dtype=part.dtype)
        out[own] = part
        order = np.broadcast_to(leader, own.shape)
        return np.take_along_axis(out, order.reshape(*own.shape, *(1,) * (part.ndim - 1)), axis=1)

    fills = (0.0, np.inf, np.nan, np.nan, float(Status.DROPPED))
    return Polished(*(whole(part, fill) for part, fill in zip(final, fills, strict=True)))


class _Plan(NamedTuple):
    """How a search goes about its starts; see `solve`."""

    solver: Solver
    extent: Extent
    device: Place
    progress: Progress


def _searched(problem: Problem, starts: Numbers, roughness: Numbers | None, plan: _Plan) -> Finished[Numbers]:
    """Where lanes end that begin at the starts."""
    if plan.extent.linear:
        return _projected_search(problem, starts, plan)
    if not plan.extent.corner:
        return _search(problem, starts, plan)
    n_fits, _, k = starts.shape

    def follow(factor: float, ends: Finished[Numbers]) -> Finished[Numbers]:
        rounded, fit = _rounded(problem, roughness, factor), np.repeat(np.arange(n_fits), ends.value.shape[1])
        lanes = Lanes.start(rounded, plan.solver, ends.z.reshape(-1, k), fit)
        return _of_lanes(run_lanes(rounded, lanes, plan.solver, None, plan.device), n_fits)

    def search(factor: float) -> Finished[Numbers]:
        return _search(_rounded(problem, roughness, factor), starts, plan)

    return searched_rounded(search, follow, plan.extent.polish)


def _search(problem: Problem, starts: Numbers, plan: _Plan) -> Finished[Numbers]:
    """All starts run to their end or screened out, as many at a time as memory holds; best first."""
    numbers_per_lane = (starts.shape[2] + 3) ** 2
    at_a_time = min(MOST_LANES, fitting_in(BYTES_PER_NUMBER * numbers_per_lane))
    per_slice = max(1, at_a_time // problem.n_fits)
    slices = [starts[:, i : i + per_slice] for i in range(0, starts.shape[1], per_slice)]
    finished = [_finish(problem, part, plan) for part in slices]
    return best_first(Finished(*(np.concatenate(parts, axis=1) for parts in zip(*finished, strict=True))))


def _finish(problem: Problem, starts: Numbers, plan: _Plan) -> Finished[Numbers]:
    """Screens one slice of the starts and runs what is left to convergence."""
    n_fits, n_starts, k = starts.shape
    solver, keep = plan.solver, plan.extent.keep
    lanes = Lanes.start(problem, solver, starts.reshape(-1, k), np.repeat(np.arange(n_fits), n_starts))
    seen = _screened_on(problem)
    for budget, shrink in plan.extent.rounds:
        alive = len(lanes.fit) // n_fits
        if alive <= 2 * keep:
            break
        run_lanes(seen, lanes, solver, budget, plan.device, plan.progress)
        best = survivors(
            lanes.state.value.reshape(n_fits, -1),
            lanes.state.z.reshape(n_fits, alive, k),
            max(keep, alive // shrink),
        )
        lanes = lanes.take((best + alive * np.arange(n_fits)[:, None]).ravel())
    if seen is not problem:
        lanes = Lanes.start(problem, solver, lanes.state.z, lanes.fit)
    state = run_lanes(problem, lanes, solver, None, plan.device, plan.progress).state
    for _ in range(plan.extent.patience - 1):
        unfinished = state.status == Status.MAX_STEPS
        state.status[unfinished], state.steps[unfinished] = Status.RUNNING, 0
        run_lanes(problem, lanes, solver, None, plan.device, plan.progress)
    return _of_lanes(lanes, n_fits)


def _screened_on(problem: Problem) -> Problem:
    """A fit alone on rows that are enough to tell promising lanes from others; many fits as they are."""
    enough = max(SCREENED_ROWS, ROWS_PER_NUMBER * problem.n_coordinates)
    return problem.represented(enough) if problem.n_fits == 1 and problem.n_rows >= 2 * enough else problem


def _of_lanes(lanes: Lanes, n_fits: int) -> Finished[Numbers]:
    """Lanes that stand fit by fit, equally many of each, by fit."""
    state = lanes.state
    value = np.where(np.isfinite(state.value), state.value, np.inf)
    return Finished(
        state.z.reshape(n_fits, -1, state.z.shape[-1]),
        *(leaf.reshape(n_fits, -1) for leaf in (value, state.status, state.steps)),
    )


def _run_on(
    problem: Problem, solver: Solver, z: Numbers, fit: Numbers, linear: tuple[int, ...], device: Place
) -> Numbers:
    """Where lanes that begin at z end."""
    if not linear:
        return run_lanes(problem, Lanes.start(problem, solver, z, fit), solver, None, device).state.z
    fewer = reduced(problem, linear)
    begun = Lanes.start(fewer, solver, np.delete(z, linear, axis=1), fit)
    return _completed(fewer, run_lanes(fewer, begun, solver, None, device).state.z, fit, device)


def _projected_search(problem: Problem, starts: Numbers, plan: _Plan) -> Finished[Numbers]:
    """`_search` among the numbers that are not linear; what it finds has the linear ones as well."""
    linear = plan.extent.linear
    fewer = reduced(problem, linear)
    found = _search(fewer, np.delete(starts, linear, axis=2), plan)
    fit = np.repeat(np.arange(problem.n_fits), found.value.shape[1])
    z = _completed(fewer, found.z.reshape(len(fit), -1), fit, plan.device)
    return found._replace(z=z.reshape(*found.value.shape, -1))


def _completed(problem: Problem, z: Numbers, fit: Numbers, device: Place) -> Numbers:
    """Lanes of a problem with eliminated numbers, (lanes, left), in all search coordinates."""
    program_for = partial(_completer, problem.law, problem.eliminated, problem.sharing, device)
    return np.asarray(map_chunks(program_for, problem, z, fit, device))


@kept
def _completer(
    law: Law, linear: tuple[int, ...], sharing: Sharing, device: Place, in_turn: bool
) -> Program[Array]:
    """The compiled chunk that solves for the linear numbers of each lane."""
    return lane_program(partial(completed, law, linear), (0, sharing.axes), device, in_turn)


def _rounded(problem: Problem, roughness: Numbers | None, factor: float) -> Problem:
    """The same fits with the corner of their objective rounded off below a threshold."""
    assert roughness is not None
    return problem.with_numbers(sharpened(problem.data.numbers, roughness, factor))


def _polish_rivals(problem: Problem, z: Numbers, fit: Numbers, device: Place, most_steps: int) -> Polished:
    """Every lane polished for as long as it pays: one that creeps, far above the best, is left."""
    final = newton.polish(problem, z, fit, device, min(FIRST_STEPS, most_steps))
    best = np.full(problem.n_fits, np.inf)
    np.fmin.at(best, fit, final.value)
    on = np.flatnonzero((final.status == Status.MAX_STEPS) & (final.value <= (1 + RIVALS) * best[fit]))
    if most_steps > FIRST_STEPS and len(on):
        further = newton.polish(problem, final.z[on], fit[on], device, most_steps - FIRST_STEPS)
        for mine, theirs in zip(final, further, strict=True):
            mine[on] = theirs
    return final
