"""A search from its starts to its polished ends as one program: for accelerators, where calls are waited for.

The host's loop in `solve` asks the device between rounds which lanes are done. Here the rounds of screening,
the loop to the end, what packs the running lanes together and Newton's method are one program, with the steps
and ranks of the host's way: nothing comes back before the ends do. Shapes cannot change inside a program, so
lanes are packed into a few sizes, each an eighth of the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import QUICK, Program
from scaling_jax.engine.coordinates import searched_as_logs, typical_size
from scaling_jax.engine.devices import Place
from scaling_jax.engine.kept import kept
from scaling_jax.engine.lanes import Lanes
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.newton import (
    FIRST_STEPS,
    REACH,
    RIVALS,
    Derivatives,
    Descent,
    Polished,
    arrived,
    newton_step,
    tried,
)
from scaling_jax.engine.padding import bucket
from scaling_jax.engine.problem import LaneData, Problem, Sharing, evaluate, exact_evaluation
from scaling_jax.engine.ranks import ROUNDS, Finished, best_first, ends_first, first, leaders, survivors
from scaling_jax.engine.solver import LaneState, Solver
from scaling_jax.engine.status import RUNNING, Status
from scaling_jax.engine.traffic import fetched, sent

__all__ = ["Extent", "has_room", "searched_and_polished"]

PACKED, FEWEST = 8, 64  # into one of how many lanes the running ones are packed, and when that ends
CELLS = 2**25  # rows times lanes of one fit or many that are begun at a time: their slopes take gigabytes

State = TypeVar("State")


class Extent(NamedTuple):
    """How far a search goes; see `solve`."""

    screen: bool
    keep: int
    patience: int
    polish: int
    polish_steps: int


def has_room(problem: Problem, solver: Solver, extent: Extent, thinned: bool) -> bool:
    """Whether what is polished fits a device at once, and lanes that go on on more rows can begin there."""
    cells = problem.n_fits * extent.polish * problem.n_rows
    return (problem.n_fits == 1 or cells <= CELLS) and (not thinned or isinstance(solver, LM | LBFGS))


def searched_and_polished(
    problem: Problem, search: Problem, starts: Numbers, solver: Solver, extent: Extent, device: Place
) -> tuple[Finished[Numbers], Polished[Numbers], Numbers]:
    """Every finished lane of each fit and what the first of them were polished to, as `solve` finds them: one
    call, with arrays sent before it and fetched after it.

    Lanes come best first; where `search` is not the problem itself they come as `ends_first` has them, and
    the last of what is given is each lane's end.
    """
    assert not isinstance(device, jax.sharding.Mesh)
    n_fits, n_starts, k = starts.shape
    fits = 1 if n_fits == 1 else bucket(n_fits)
    slices = -(-fits * n_starts * search.n_rows // CELLS)
    width = slices * -(-n_starts // slices)
    filled = np.pad(starts, ((0, fits - n_fits), (0, width - n_starts), (0, 0)), mode="edge")
    begun = Lanes.start(problem, solver, filled.reshape(-1, k), np.zeros(fits * width, int)).state
    of_fits = begun.status.reshape(fits, width)
    of_fits[n_fits:], of_fits[:, n_starts:] = Status.DROPPED, Status.DROPPED
    everyone = 0 if fits == 1 else np.arange(fits).clip(max=n_fits - 1)
    sharings, thinned = (search.sharing, problem.sharing), search is not problem
    data = search.lane_data(everyone), problem.lane_data(everyone) if thinned else None
    program = _program(problem.law, problem.on, solver, sharings, extent, fits, slices, device)
    with own_settings():
        answer = fetched(program(*sent((begun, *data), device)))
    found, final, end = jax.tree.map(lambda leaf: np.array(leaf[:n_fits]), answer)
    n_polished = int(end.max(initial=0)) + 1 if thinned else final.value.shape[1]
    return found, Polished(*(part[:, :n_polished] for part in final)), end


@kept
def _program(
    law: Law,
    on: Scale,
    solver: Solver,
    sharings: tuple[Sharing, Sharing],
    extent: Extent,
    fits: int,
    slices: int,
    device: jax.Device | None,
) -> Program[tuple[Finished[Array], Polished[Array], Array]]:
    def whole(
        begun: LaneState[Array], seen: LaneData[Array], data: LaneData[Array] | None
    ) -> tuple[Finished[Array], Polished[Array], Array]:
        searched = _Lanes(law, on, seen, sharings[0], fits)
        found = best_first(
            _sliced(partial(_finish, searched.single(solver), solver, extent), begun, fits, slices)
        )
        count = min(extent.polish, found.value.shape[1])
        itself = jnp.broadcast_to(jnp.arange(count), (fits, count))
        if data is None:
            best = first(found, count)
            leader = leaders(best) if fits > 1 else itself
            final = _polished(searched, best.z, leader, extent.polish_steps)
            return found, final, jnp.full(found.value.shape, -1)
        lanes = _Lanes(law, on, data, sharings[1], fits)
        found, end = ends_first(found, count)
        leader = leaders(first(found, count), end)
        z = _run_on(lanes.single(solver), solver, first(found, count).z, leader == itself)
        return found, _polished(lanes, z, leader, extent.polish_steps), end

    return Program(whole, QUICK, device)


class _Lanes(NamedTuple):
    """Whose lanes run: the law, and the data of all fits, or of the only one without an axis of fits."""

    law: Law
    on: Scale
    data: LaneData[Array]
    sharing: Sharing
    fits: int

    def owners(self, n_lanes: int) -> Array:
        """(lanes,) the fit of each where lanes stand fit by fit."""
        return jnp.arange(n_lanes) // (n_lanes // self.fits)

    def data_of(self, fit: Array) -> LaneData[Array]:
        if self.fits == 1:
            return self.data
        own = jax.tree.unflatten(self.sharing.structure, self.sharing.flags)
        return jax.tree.map(lambda leaf, own: leaf[fit] if own else leaf, self.data, own)

    def single(self, solver: Solver) -> _Lanes:
        """The same in the arithmetic of a solver."""
        return self._replace(data=jax.tree.map(lambda leaf: leaf.astype(solver.dtype), self.data))

    def side_by_side(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """A function of one lane's (state, data) for many."""
        return jax.vmap(fn, (0, None if self.fits == 1 else self.sharing.axes))


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


def _finish(lanes: _Lanes, solver: Solver, extent: Extent, state: LaneState[Array]) -> Finished[Array]:
    """Screens lanes and runs what is left to convergence."""
    fits, alive = lanes.fits, len(state.status) // lanes.fits
    advance = partial(_stepped, lanes, solver)

    def by_fit(leaf: Array) -> Array:
        return leaf.reshape(fits, -1, *leaf.shape[1:])

    for budget, shrink in ROUNDS if extent.screen else ():
        if alive <= 2 * extent.keep:
            break
        state = advance(state, lanes.owners(fits * alive), 0, budget)
        keep = max(extent.keep, alive // shrink)
        best = survivors(by_fit(state.value), by_fit(state.z), keep)
        state = _taken(state, (best + alive * jnp.arange(fits)[:, None]).ravel())
        alive = keep

    def to_the_end(turn: Array, state: LaneState[Array]) -> LaneState[Array]:
        again = (turn > 0) & (state.status == Status.MAX_STEPS)
        # every solver's state is a named tuple, which a protocol of its fields cannot say
        state = state._replace(  # type: ignore[attr-defined]
            status=jnp.where(again, RUNNING, state.status), steps=jnp.where(again, 0, state.steps)
        )
        return _packed(state, lanes.owners(fits * alive), advance)

    state = jax.lax.fori_loop(0, extent.patience, to_the_end, state)
    value = jnp.where(jnp.isfinite(state.value), state.value, jnp.inf)
    return Finished(*map(by_fit, (state.z, value, state.status, state.steps)))


def _stepped(
    lanes: _Lanes,
    solver: Solver,
    state: LaneState[Array],
    fit: Array,
    until: int,
    most: int | None,
) -> LaneState[Array]:
    """Steps every running lane while more than `until` run, at most so many times."""
    data = lanes.data_of(fit)
    measure = partial(evaluate, lanes.law, lanes.on)
    step = lanes.side_by_side(lambda one, data: solver.step(one, data, measure))

    def more(carry: tuple[Array, LaneState[Array]]) -> Array:
        return (carry[0] < (most or np.iinfo(np.int32).max)) & _more_run(carry[1].status, until)

    def once(carry: tuple[Array, LaneState[Array]]) -> tuple[Array, LaneState[Array]]:
        return carry[0] + 1, _where(carry[1].status == RUNNING, step(carry[1], data), carry[1])

    return jax.lax.while_loop(more, once, (jnp.int32(0), state))[1]


def _packed(state: State, fit: Array, advance: Callable[[State, Array, int, int | None], State]) -> State:
    """Runs lanes to their end, and packs those that still run together whenever few do."""
    sizes = [len(fit)]
    while sizes[-1] // PACKED >= FEWEST:
        sizes.append(sizes[-1] // PACKED)
    ends = [*sizes[1:], 0]
    state = advance(state, fit, ends[0], None)
    for size, until in zip(sizes[1:], ends[1:], strict=True):
        running = _running_first(state)[:size]
        state = _put(state, running, advance(_taken(state, running), fit[running], until, None))
    return state


def _run_on(lanes: _Lanes, solver: Solver, z: Array, own: Array) -> Array:
    """Where the own lanes of each fit end that begin at z (fits, lanes, k)."""
    logs = searched_as_logs(lanes.law.label_domains)
    # `init` is declared for NumPy, and takes what is traced all the same
    begun: Any = solver.init(z.reshape(-1, z.shape[-1]), logs)  # type: ignore[arg-type]
    begun = begun._replace(status=jnp.where(own.ravel(), RUNNING, int(Status.DROPPED)).astype(jnp.int32))
    begun = jax.tree.map(jnp.asarray, begun)
    ends = _packed(begun, lanes.owners(own.size), partial(_stepped, lanes, solver))
    found: Array = ends.z.reshape(z.shape)
    return found


def _running_first(state: Any) -> Array:
    return jnp.argsort(state.status != RUNNING)


def _more_run(status: Array, than: int) -> Array:
    return jnp.sum(status == RUNNING) > than


def _taken(state: State, which: Array) -> State:
    return jax.tree.map(lambda leaf: leaf[which], state)


def _put(state: State, which: Array, other: State) -> State:
    return jax.tree.map(lambda leaf, mine: leaf.at[which].set(mine), state, other)


def _where(chosen: Array, new: State, old: State) -> State:
    """Lanes of `new` that are chosen, the others as they were."""
    return jax.tree.map(
        lambda a, b: jnp.where(chosen.reshape(-1, *(1,) * (a.ndim - 1)), a, b).astype(b.dtype), new, old
    )


def _polished(lanes: _Lanes, best: Array, leader: Array, most: int) -> Polished[Array]:
    """The best lanes of each fit (fits, lanes, k) brought to machine precision.

    Lanes that have merged are polished once, by their leader, and of those that creep only the rivals of the
    best go on.
    """
    fits, count, k = best.shape
    own, fit = (leader == jnp.arange(count)).ravel(), lanes.owners(fits * count)
    z = jnp.clip(best.astype(float).reshape(-1, k), lanes.data.lower, lanes.data.upper)
    unknown = jnp.full((len(z), k, k), jnp.nan)
    at = Descent(
        z=z,
        value=jnp.full(len(z), jnp.inf),
        gradient=jnp.zeros((len(z), k)),
        hessian=unknown,
        status=jnp.where(own, RUNNING, int(Status.DROPPED)),
        reach=jnp.full(len(z), REACH),
    )
    at = _descended(lanes, at, fit, min(FIRST_STEPS, most) + 1)
    if most > FIRST_STEPS:
        least = jnp.full(fits, jnp.inf).at[fit].min(at.value)
        on = (at.status == Status.MAX_STEPS) & (at.value <= (1 + RIVALS) * least[fit])
        at = at._replace(status=jnp.where(on, RUNNING, at.status), reach=jnp.where(on, REACH, at.reach))
        at = _drained(lanes, at, fit, most - FIRST_STEPS)
    of_fits = (leaf.reshape(fits, count, *leaf.shape[1:]) for leaf in at[:5])
    return Polished(*(_of_leader(leaf, leader) for leaf in of_fits))


def _of_leader(part: Array, leader: Array) -> Array:
    """Lanes (fits, lanes, ...) each as its leader: one that nobody polished has an infinite value."""
    return jnp.take_along_axis(part, leader.reshape(*leader.shape, *(1,) * (part.ndim - 2)), axis=1)


def _drained(lanes: _Lanes, at: Descent[Array], fit: Array, most: int) -> Descent[Array]:
    """`_descended`, for as many running lanes at a time as few are, until none is left."""
    size = max(min(FEWEST, len(fit)), len(fit) // PACKED)

    def some(at: Descent[Array]) -> Descent[Array]:
        running = _running_first(at)[:size]
        return _put(at, running, _descended(lanes, _taken(at, running), fit[running], most))

    return jax.lax.while_loop(lambda at: _more_run(at.status, 0), some, at)


def _descended(lanes: _Lanes, at: Descent[Array], fit: Array, most: int) -> Descent[Array]:
    """Newton's steps, at most so many, of every running lane; a lane's first only measures where it is."""
    data = lanes.data_of(fit)
    bounds, logs = (lanes.data.lower, lanes.data.upper), searched_as_logs(lanes.law.label_domains)
    unit, floor = typical_size(at.z, logs), jnp.broadcast_to(data.floor, at.value.shape)
    measure = lanes.side_by_side(partial(exact_evaluation, lanes.law, lanes.on))

    def step_from(z: Array, slopes: Derivatives[Array], reach: Array) -> tuple[Array, Array]:
        return newton_step(z, slopes, unit, reach, bounds)

    def once(carry: tuple[Array, Descent[Array]]) -> tuple[Array, Descent[Array]]:
        count, at = carry
        fresh, running = jnp.isinf(at.value), at.status == RUNNING
        known = at._replace(hessian=jnp.where(fresh[:, None, None], jnp.eye(at.z.shape[1]), at.hessian))
        step, decrement = step_from(at.z, known.slopes, at.reach)
        step = jnp.where(fresh[:, None], 0.0, step)
        done = running & ~fresh & arrived(at, decrement, floor)
        trial = jnp.clip(at.z + step, *bounds)
        new = Derivatives(*measure(trial, data))
        begun = at._replace(value=new.value, gradient=new.gradient, hessian=new.hessian)
        finite = jnp.all(jnp.stack([jnp.isfinite(p).reshape(len(fit), -1).all(1) for p in new]), axis=0)
        begun = begun._replace(status=jnp.where(finite, RUNNING, int(Status.NONFINITE)))
        moved = _where(fresh, begun, tried(at, unit, step, decrement, trial, new, step_from))
        moved = _where(running & ~done, moved, at)
        return count + 1, moved._replace(status=jnp.where(done, int(Status.CONVERGED), moved.status))

    def more(carry: tuple[Array, Descent[Array]]) -> Array:
        return (carry[0] < most) & _more_run(carry[1].status, 0)

    at = jax.lax.while_loop(more, once, (jnp.int32(0), at))[1]
    return at._replace(status=jnp.where(at.status == RUNNING, int(Status.MAX_STEPS), at.status))
