"""Lanes aboard a device: stepped, packed together and polished within one program.

Shapes cannot change inside a program, so running lanes are packed into a few sizes, each an eighth of the one
before. Steps and ranks are those of the way round by round.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.engine.coordinates import searched_as_logs, typical_size
from scaling_jax.engine.corners import sharpened
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
from scaling_jax.engine.problem import LaneData, Sharing, exact_evaluation
from scaling_jax.engine.ranks import Finished
from scaling_jax.engine.separable import completed, measured, reduced_data
from scaling_jax.engine.solver import LaneState, Solver
from scaling_jax.engine.status import RUNNING, Status

__all__ = ["Aboard", "descended", "of_lanes", "polished", "run_on", "stepped", "taken", "to_the_end"]

PACKED, FEWEST = 8, 64  # into one of how many lanes the running ones are packed, and when that ends

State = TypeVar("State")


class Aboard(NamedTuple):
    """Whose lanes run: the law, and the data of all fits, or of the only one without an axis of fits."""

    law: Law
    on: Scale
    data: LaneData[Array]
    sharing: Sharing
    fits: int
    eliminated: tuple[int, ...] = ()

    def owners(self, n_lanes: int) -> Array:
        """(lanes,) the fit of each where lanes stand fit by fit."""
        return jnp.arange(n_lanes) // (n_lanes // self.fits)

    def by_fit(self, leaf: Array) -> Array:
        """(fits, lanes, ...) of what stands fit by fit."""
        return leaf.reshape(self.fits, -1, *leaf.shape[1:])

    def data_of(self, fit: Array) -> LaneData[Array]:
        if self.fits == 1:
            return self.data
        own = jax.tree.unflatten(self.sharing.structure, self.sharing.flags)
        return jax.tree.map(lambda leaf, own: leaf[fit] if own else leaf, self.data, own)

    def side_by_side(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """A function of one lane's (state, data) for many."""
        return jax.vmap(fn, (0, None if self.fits == 1 else self.sharing.axes))

    def single(self, solver: Solver) -> Aboard:
        """The same in the arithmetic of a solver."""
        return self._replace(data=jax.tree.map(lambda leaf: leaf.astype(solver.dtype), self.data))

    def reduced(self, linear: tuple[int, ...]) -> Aboard:
        """The same in the coordinates that are left when the linear ones are solved for."""
        return self._replace(data=reduced_data(self.data, linear), eliminated=linear) if linear else self

    def rounded(self, roughness: Array, factor: Array | float) -> Aboard:
        """The same with the corner of each fit's objective rounded off below a share of its roughness."""
        numbers = sharpened(self.data.numbers, roughness, factor)
        return self._replace(data=self.data._replace(numbers=numbers if self.fits > 1 else numbers[0]))

    def completed(self, z: Array) -> Array:
        """Lanes (fits, lanes, left) in all search coordinates."""
        if not self.eliminated:
            return z
        flat = z.reshape(-1, z.shape[-1])
        whole = self.side_by_side(partial(completed, self.law, self.eliminated))
        return self.by_fit(whole(flat, self.data_of(self.owners(len(flat)))))


def of_lanes(lanes: Aboard, state: LaneState[Array]) -> Finished[Array]:
    """Lanes that stand fit by fit, by fit."""
    value = jnp.where(jnp.isfinite(state.value), state.value, jnp.inf)
    return Finished(*map(lanes.by_fit, (state.z, value, state.status, state.steps)))


def stepped(
    lanes: Aboard,
    solver: Solver,
    state: LaneState[Array],
    fit: Array,
    until: int,
    most: int | None,
) -> LaneState[Array]:
    """Steps every running lane while more than `until` run, at most so many times."""
    data = lanes.data_of(fit)
    measure = measured(lanes.law, lanes.on, lanes.eliminated)
    step = lanes.side_by_side(lambda one, data: solver.step(one, data, measure))

    def more(carry: tuple[Array, LaneState[Array]]) -> Array:
        return (carry[0] < (most or np.iinfo(np.int32).max)) & _more_run(carry[1].status, until)

    def once(carry: tuple[Array, LaneState[Array]]) -> tuple[Array, LaneState[Array]]:
        return carry[0] + 1, _where(carry[1].status == RUNNING, step(carry[1], data), carry[1])

    return jax.lax.while_loop(more, once, (jnp.int32(0), state))[1]


def to_the_end(lanes: Aboard, solver: Solver, state: LaneState[Array]) -> LaneState[Array]:
    """Runs lanes that stand fit by fit to their end, and packs those that still run together whenever few
    do."""
    fit = lanes.owners(len(state.status))
    sizes = [len(fit)]
    while sizes[-1] // PACKED >= FEWEST:
        sizes.append(sizes[-1] // PACKED)
    ends = [*sizes[1:], 0]
    state = stepped(lanes, solver, state, fit, ends[0], None)
    for size, until in zip(sizes[1:], ends[1:], strict=True):
        running = _running_first(state)[:size]
        some = stepped(lanes, solver, taken(state, running), fit[running], until, None)
        state = _put(state, running, some)
    return state


def run_on(lanes: Aboard, solver: Solver, z: Array, own: Array) -> Finished[Array]:
    """Where the own lanes of each fit end that begin at z (fits, lanes, k)."""
    domains = [d for i, d in enumerate(lanes.law.label_domains) if i not in lanes.eliminated]
    begin = jnp.delete(z, np.array(lanes.eliminated, dtype=int), axis=2).astype(solver.dtype)
    logs = searched_as_logs(domains)

    def start(z: Array) -> Any:
        # declared for NumPy, it takes what is traced all the same
        begun = solver.init(z[None], logs)  # type: ignore[arg-type]
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], begun)

    begun = jax.vmap(start)(begin.reshape(-1, len(domains)))
    begun = begun._replace(status=jnp.where(own.ravel(), begun.status, int(Status.DROPPED)))
    ends = to_the_end(lanes.single(solver), solver, begun)
    found = of_lanes(lanes, ends)
    return found._replace(z=lanes.completed(found.z.astype(z.dtype)))


def _running_first(state: Any) -> Array:
    return jnp.argsort(state.status != RUNNING)


def _more_run(status: Array, than: int) -> Array:
    return jnp.sum(status == RUNNING) > than


def taken(state: State, which: Array) -> State:
    return jax.tree.map(lambda leaf: leaf[which], state)


def _put(state: State, which: Array, other: State) -> State:
    return jax.tree.map(lambda leaf, mine: leaf.at[which].set(mine), state, other)


def _where(chosen: Array, new: State, old: State) -> State:
    """Lanes of `new` that are chosen, the others as they were."""
    return jax.tree.map(
        lambda a, b: jnp.where(chosen.reshape(-1, *(1,) * (a.ndim - 1)), a, b).astype(b.dtype), new, old
    )


def polished(lanes: Aboard, z: Array, own: Array, leader: Array, most: int) -> Polished[Array]:
    """The own lanes of each fit (fits, lanes, k) brought to machine precision, the others as their leader.

    Of those that creep only the rivals of the best go on.
    """
    at, fit = _undescended(lanes, z, own), lanes.owners(own.size)
    at = _descended(lanes, at, fit, min(FIRST_STEPS, most) + 1)
    if most > FIRST_STEPS:
        least = jnp.full(lanes.fits, jnp.inf).at[fit].min(at.value)
        on = (at.status == Status.MAX_STEPS) & (at.value <= (1 + RIVALS) * least[fit])
        at = at._replace(status=jnp.where(on, RUNNING, at.status), reach=jnp.where(on, REACH, at.reach))
        at = _drained(lanes, at, fit, most - FIRST_STEPS)
    return Polished(*(_of_leader(lanes.by_fit(leaf), leader) for leaf in at[:5]))


def descended(lanes: Aboard, z: Array, own: Array, most: int) -> Polished[Array]:
    """The own lanes of each fit brought to machine precision, the others with an infinite value."""
    at = _drained(lanes, _undescended(lanes, z, own), lanes.owners(own.size), most + 1)
    return Polished(*map(lanes.by_fit, at[:5]))


def _undescended(lanes: Aboard, z: Array, own: Array) -> Descent[Array]:
    z = jnp.clip(z.astype(float).reshape(-1, z.shape[-1]), lanes.data.lower, lanes.data.upper)
    n, k = z.shape
    return Descent(
        z=z,
        value=jnp.full(n, jnp.inf),
        gradient=jnp.zeros((n, k)),
        hessian=jnp.full((n, k, k), jnp.nan),
        status=jnp.where(own.ravel(), RUNNING, int(Status.DROPPED)),
        reach=jnp.full(n, REACH),
    )


def _of_leader(part: Array, leader: Array) -> Array:
    """Lanes (fits, lanes, ...) each as its leader: one that nobody polished has an infinite value."""
    return jnp.take_along_axis(part, leader.reshape(*leader.shape, *(1,) * (part.ndim - 2)), axis=1)


def _drained(lanes: Aboard, at: Descent[Array], fit: Array, most: int) -> Descent[Array]:
    """`_descended`, for as many running lanes at a time as few are, until none is left."""
    size = max(min(FEWEST, len(fit)), len(fit) // PACKED)

    def some(at: Descent[Array]) -> Descent[Array]:
        running = _running_first(at)[:size]
        return _put(at, running, _descended(lanes, taken(at, running), fit[running], most))

    return jax.lax.while_loop(lambda at: _more_run(at.status, 0), some, at)


def _descended(lanes: Aboard, at: Descent[Array], fit: Array, most: int) -> Descent[Array]:
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
