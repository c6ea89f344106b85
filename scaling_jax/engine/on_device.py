"""A search from its starts to each fit's optimum as one program: for accelerators, whose answers are awaited.

The host's loop in `solve` asks the device between rounds which lanes are done. Here the rounds of screening,
the loop to the end, what comes after it and Newton's method are one program, with the steps and ranks of the
host's way: nothing comes back before the optima do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.aboard import Aboard, of_lanes, polished, run_on, stepped, taken, to_the_end
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.corners import ROUNDING, SEARCHED, SHARPEN, searched_rounded, sharpened
from scaling_jax.engine.devices import AXIS, Place, n_parts, whole_program
from scaling_jax.engine.ends import Extent, Optima, Way, brought_home
from scaling_jax.engine.kept import kept
from scaling_jax.engine.lanes import Lanes
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import Polished
from scaling_jax.engine.padding import bucket
from scaling_jax.engine.problem import LaneData, Problem, Sharing
from scaling_jax.engine.ranks import Finished, best_first, survivors
from scaling_jax.engine.separable import reduced
from scaling_jax.engine.solver import LaneState, Solver
from scaling_jax.engine.status import RUNNING, Status

__all__ = ["has_room", "searched_and_polished"]

CELLS = 2**25  # rows times lanes of one fit or many that are begun at a time: their slopes take gigabytes


def has_room(problem: Problem, solver: Solver, extent: Extent) -> bool:
    """Whether what is polished fits a device at once, and lanes that go on can begin there."""
    begins = extent.thinned or extent.corner
    lanes = problem.n_fits * extent.polish * (len(SEARCHED) if extent.corner else 1)
    roomy = problem.n_fits == 1 or lanes * problem.n_rows <= CELLS
    return roomy and (not begins or isinstance(solver, LM | LBFGS))


def searched_and_polished(
    problem: Problem,
    search: Problem,
    starts: Numbers,
    roughness: Numbers | None,
    solver: Solver,
    extent: Extent,
    device: Place,
) -> tuple[Optima[Numbers], Numbers | int]:
    """`brought_home` of every start, as `solve` finds it: one call, with arrays sent before it and fetched
    after it. The devices of a mesh share out the fits, or the starts of a fit alone."""
    n_fits, n_starts, k = starts.shape
    parts = n_parts(device)
    alone = n_fits == 1
    fits = 1 if alone else parts * bucket(-(-n_fits // parts))
    slices = -(-fits * n_starts * search.n_rows // (CELLS * parts))
    per_slice = slices * parts if alone else slices
    width = per_slice * -(-n_starts // per_slice)
    everyone = np.arange(fits).clip(max=n_fits - 1)
    if extent.corner:
        assert roughness is not None
        problem, search = (
            p.with_numbers(sharpened(p.data.numbers, roughness, 1.0)) for p in (problem, search)
        )
        roughness = np.asarray(roughness)[everyone]
    fewer = reduced(search, extent.linear) if extent.linear else search
    filled = np.pad(starts, ((0, fits - n_fits), (0, width - n_starts), (0, 0)), mode="edge")
    filled = np.delete(filled.reshape(-1, k), extent.linear, axis=1)
    begun = Lanes.start(fewer, solver, filled, np.zeros(fits * width, int)).state
    of_fits = begun.status.reshape(fits, width)
    of_fits[n_fits:], of_fits[:, n_starts:] = Status.DROPPED, Status.DROPPED
    owners = 0 if alone else everyone
    sharings = search.sharing, problem.sharing
    data = search.lane_data(owners), problem.lane_data(owners) if extent.thinned else None
    each = 1 if alone else fits // parts
    program = _program(problem.law, problem.on, solver, sharings, extent, each, slices, device)
    with own_settings():
        optima, n_polished = program.fetched(begun, roughness, *data)
    return jax.tree.map(lambda leaf: np.array(leaf[:n_fits]), optima), int(n_polished)


@kept
def _program(
    law: Law,
    on: Scale,
    solver: Solver,
    sharings: tuple[Sharing, Sharing],
    extent: Extent,
    fits: int,
    slices: int,
    device: Place,
) -> Program[tuple[Optima[Array], Array]]:
    """The program of so many fits on each device."""
    alone, spread = fits == 1, n_parts(device) > 1

    def from_all(found: Finished[Array]) -> Finished[Array]:
        if not (alone and spread):
            return found
        return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS, axis=1, tiled=True), found)

    def whole(
        begun: LaneState[Array],
        roughness: Array | None,
        seen: LaneData[Array],
        data: LaneData[Array] | None,
    ) -> tuple[Optima[Array], Array]:
        searched = Aboard(law, on, seen, sharings[0], fits)
        lanes = searched if data is None else Aboard(law, on, data, sharings[1], fits)
        fewer = searched.reduced(extent.linear)
        found = _searched(fewer, solver, extent, begun, roughness, slices, from_all)
        optima, n_polished = brought_home(found, extent, _way(lanes, solver, extent, roughness))
        most = jnp.asarray(n_polished)
        return optima, jax.lax.pmax(most, AXIS) if spread else most

    own = [None, None] if alone else [sharing.axes for sharing in sharings]
    in_axes = 0, None if alone else 0, own[0], own[1] if extent.thinned else None
    return whole_program(whole, in_axes, (None if alone else 0, None), device)


def _searched(
    lanes: Aboard,
    solver: Solver,
    extent: Extent,
    begun: LaneState[Array],
    roughness: Array | None,
    slices: int,
    from_all: Callable[[Finished[Array]], Finished[Array]],
) -> Finished[Array]:
    """Where lanes end that were begun at the starts, those of other devices with them where they are
    `from_all`."""

    def search(lanes: Aboard) -> Finished[Array]:
        finish = partial(_finish, lanes.single(solver), solver, extent)
        found = best_first(from_all(_sliced(finish, begun, lanes.fits, slices)))
        return found._replace(z=lanes.completed(found.z.astype(float)))

    if roughness is None:
        return search(lanes)

    def follow(factor: float, ends: Finished[Array]) -> Finished[Array]:
        return run_on(lanes.rounded(roughness, factor), solver, ends.z, jnp.isfinite(ends.value))

    return searched_rounded(lambda factor: search(lanes.rounded(roughness, factor)), follow, extent.polish)


def _way(lanes: Aboard, solver: Solver, extent: Extent, roughness: Array | None) -> Way[Array]:
    """How the own lanes of each fit go on, and are polished."""

    def go_on(z: Array, own: Array) -> Array:
        if extent.thinned:
            begun = lanes if roughness is None else lanes.rounded(roughness, SEARCHED[-1])
            z = run_on(begun.reduced(extent.linear), solver, z, own).z
        return z if roughness is None else _sharpened(lanes, roughness, z, own)

    def polish(z: Array, own: Array, leader: Array) -> Polished[Array]:
        final = lanes if roughness is None else lanes.rounded(roughness, ROUNDING[-1])
        return polished(final, z, own, leader, extent.polish_steps)

    return Way(go_on if extent.thinned or extent.corner else None, polish)


def _sharpened(lanes: Aboard, roughness: Array, z: Array, own: Array) -> Array:
    """Where lanes are led as the corner grows sharper."""

    def sharper(z: Array, factor: Array) -> tuple[Array, None]:
        return run_on(lanes.rounded(roughness, factor), SHARPEN, z, own).z, None

    return jax.lax.scan(sharper, z, jnp.array(ROUNDING))[0]


def _sliced(
    finish: Callable[[LaneState[Array]], Finished[Array]], begun: LaneState[Array], fits: int, slices: int
) -> Finished[Array]:
    """Lanes that stand fit by fit, so many at a time as memory holds."""
    if slices == 1:
        return finish(begun)

    def cut(leaf: Array) -> Array:
        parts = leaf.reshape(fits, slices, -1, *leaf.shape[1:])
        return jnp.moveaxis(parts, 1, 0).reshape(slices, -1, *leaf.shape[1:])

    def joined(leaf: Array) -> Array:
        return jnp.moveaxis(leaf, 0, 1).reshape(fits, -1, *leaf.shape[3:])

    return jax.tree.map(joined, jax.lax.map(finish, jax.tree.map(cut, begun)))


def _finish(lanes: Aboard, solver: Solver, extent: Extent, state: LaneState[Array]) -> Finished[Array]:
    """Screens lanes and runs what is left to convergence."""
    fits, alive = lanes.fits, len(state.status) // lanes.fits
    for budget, shrink in extent.rounds:
        if alive <= 2 * extent.keep:
            break
        state = stepped(lanes, solver, state, lanes.owners(fits * alive), 0, budget)
        keep = max(extent.keep, alive // shrink)
        best = survivors(lanes.by_fit(state.value), lanes.by_fit(state.z), keep)
        state = taken(state, (best + alive * jnp.arange(fits)[:, None]).ravel())
        alive = keep

    def again(turn: Array, state: LaneState[Array]) -> LaneState[Array]:
        further = (turn > 0) & (state.status == Status.MAX_STEPS)
        # every solver's state is a named tuple, which a protocol of its fields cannot say
        state = state._replace(  # type: ignore[attr-defined]
            status=jnp.where(further, RUNNING, state.status), steps=jnp.where(further, 0, state.steps)
        )
        return to_the_end(lanes, solver, state)

    return of_lanes(lanes, jax.lax.fori_loop(0, extent.patience, again, state))
