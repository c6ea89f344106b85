"""Limited-memory BFGS whose line-search trials are the steps: nothing nests under vmap.

Directions come from the two-loop recursion (Nocedal 1980). With `precondition` its inner matrix is the damped
Gauss-Newton matrix of the point where the memory was last cleared, so the ridges of a sum of power laws are
straightened before the memory has to learn them; without, it is the usual scaled identity, the field's
classical method. The line search brackets a weak Wolfe step by doubling and interpolation (Lewis and Overton
2013), one trial per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Leaf, Numbers
from scaling_jax.engine.coordinates import held, typical_size
from scaling_jax.engine.linear import solve_symmetric
from scaling_jax.engine.problem import Evaluation, LaneData
from scaling_jax.engine.solver import Measure
from scaling_jax.engine.status import RUNNING, Status

__all__ = ["LBFGS"]

SUFFICIENT, CURVATURE = 1e-4, 0.9
TRIALS_PER_SEARCH = 20
TINY = 1e-37


class Memory(NamedTuple, Generic[Leaf]):
    """Past steps, newest first: how point and gradient moved, (memory, k), and how many of them count."""

    moves: Leaf
    bends: Leaf
    stored: Leaf


class LineSearch(NamedTuple, Generic[Leaf]):
    """A search along a direction (k,).

    length: where the next trial lies; low, high: the bracket; low_value, low_slope: of the objective at its
    lower end; trials: how many have failed.
    """

    direction: Leaf
    length: Leaf
    low: Leaf
    high: Leaf
    low_value: Leaf
    low_slope: Leaf
    trials: Leaf


class LBFGSState(NamedTuple, Generic[Leaf]):
    """A lane: its point and what was measured there, its memory, and the search it is in.

    z, gradient and unit (k,), the length in which a coordinate is measured; inner (k, k), the recursion's
    inner matrix; quiet, how many accepted trials in a row gained next to nothing; value, steps and status ().
    """

    z: Leaf
    value: Leaf
    gradient: Leaf
    inner: Leaf
    memory: Memory[Leaf]
    search: LineSearch[Leaf]
    unit: Leaf
    quiet: Leaf
    steps: Leaf
    status: Leaf


class Verdict(NamedTuple):
    """What a trial means, each a truth value."""

    finite: Array
    low_enough: Array  # the objective has fallen as its slope promised
    accept: Array  # a weak Wolfe step, or one that a bound has cut short
    exhausted: Array  # the search ends without one
    settle: Array  # it ends at the best point of its bracket
    clear: Array  # and the memory that led here is forgotten


@dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS.

    Args:
        max_steps: trials (evaluations) per lane.
        tol: a lane has converged when five accepted steps in a row each gain less than `tol` of its
            objective.
        memory: how many past steps the recursion keeps.
        reach: longest first move of a coordinate along a direction (natural-log units).
        precondition: use the damped Gauss-Newton matrix as the recursion's inner matrix.
        dtype: arithmetic of the search, as in `LM`.
    """

    max_steps: int = 1000
    tol: float = 1e-8
    memory: int = 10
    reach: float = 1.0
    precondition: bool = True
    dtype: str = "float64"
    name: ClassVar[str] = "lbfgs"

    def init(self, z: Numbers, log_searched: Numbers) -> LBFGSState[Numbers]:
        """Lanes at z, (lanes, k), before the first evaluation: an infinite value makes the start a trial."""
        lanes, k = z.shape

        def filled(value: float) -> Numbers:
            return np.full(lanes, value, z.dtype)

        def count() -> Numbers:
            return np.zeros(lanes, np.int32)

        return LBFGSState(
            z=z,
            value=filled(np.inf),
            gradient=np.zeros((lanes, k), z.dtype),
            inner=np.broadcast_to(np.eye(k, dtype=z.dtype), (lanes, k, k)).copy(),
            memory=Memory(
                moves=np.zeros((lanes, self.memory, k), z.dtype),
                bends=np.zeros((lanes, self.memory, k), z.dtype),
                stored=count(),
            ),
            search=LineSearch(
                direction=np.zeros((lanes, k), z.dtype),
                length=filled(0.0),
                low=filled(0.0),
                high=filled(np.inf),
                low_value=filled(np.inf),
                low_slope=filled(0.0),
                trials=count(),
            ),
            unit=typical_size(z, log_searched),
            quiet=count(),
            steps=count(),
            status=np.full(lanes, RUNNING, np.int32),
        )

    def step(self, state: LBFGSState[Array], data: LaneData[Array], measure: Measure) -> LBFGSState[Array]:
        """One trial of the line search; where it satisfies the Wolfe conditions, a new direction."""
        search = state.search
        fresh = jnp.isinf(state.value)
        trial = jnp.clip(state.z + search.length * search.direction, data.lower, data.upper)
        new = measure(trial, data)
        slope = new.gradient @ search.direction
        seen = _judged(state, data, trial, new, slope)
        accept, settle, turn = seen.accept, seen.settle, seen.accept | seen.clear

        useful = accept & ~fresh
        memory = self._remembered(state.memory, trial - state.z, new.gradient - state.gradient, useful, seen)
        lowest = state.z + search.low * search.direction
        z = jnp.where(accept, trial, jnp.where(settle, lowest, state.z))
        value = jnp.where(accept, new.value, jnp.where(settle, search.low_value, state.value))
        gradient = jnp.where(accept, new.gradient, state.gradient)
        refresh = (memory.stored == 0) & accept
        inner = jnp.where(refresh, self._inner(new.curvature, state.unit), state.inner)
        direction = self._direction(gradient, held(z, gradient, data.lower, data.upper), memory, inner)

        gain = jnp.where(fresh, jnp.inf, state.value - new.value)
        quiet = jnp.where(accept & (gain > self.tol * jnp.abs(state.value)), 0, state.quiet + accept)
        stalled = seen.exhausted & ~seen.clear
        steps = state.steps + 1
        done = (quiet >= 5) | (value <= data.floor) | (turn & ~fresh & (jnp.max(jnp.abs(direction)) == 0))
        status = jnp.select(
            [fresh & ~seen.finite, done | (stalled & (state.quiet > 0)), stalled, steps >= self.max_steps],
            [int(Status.NONFINITE), int(Status.CONVERGED), int(Status.STALLED), int(Status.MAX_STEPS)],
            RUNNING,
        )
        return LBFGSState(
            z=z,
            value=value,
            gradient=gradient,
            inner=inner,
            memory=memory,
            search=jax.tree.map(
                lambda begun, ongoing: jnp.where(turn, begun, ongoing).astype(ongoing.dtype),
                self._begun(direction, value, gradient, state.unit),
                _narrowed(search, new.value, slope, seen),
            ),
            unit=state.unit,
            quiet=quiet.astype(jnp.int32),
            steps=steps,
            status=status.astype(jnp.int32),
        )

    def _remembered(
        self, memory: Memory[Array], moved: Array, bent: Array, accepted: Array, seen: Verdict
    ) -> Memory[Array]:
        """The memory with one more step, if that shows the objective bending upwards."""
        useful = accepted & (moved @ bent > 1e-14 * jnp.linalg.norm(moved) * jnp.linalg.norm(bent))
        moves = jnp.where(useful, jnp.roll(memory.moves, 1, axis=0).at[0].set(moved), memory.moves)
        bends = jnp.where(useful, jnp.roll(memory.bends, 1, axis=0).at[0].set(bent), memory.bends)
        stored = jnp.where(seen.clear, 0, jnp.minimum(memory.stored + useful, self.memory))
        return Memory(moves, bends, stored.astype(jnp.int32))

    def _inner(self, curvature: Array, unit: Array) -> Array:
        """The recursion's inner matrix where the memory is empty."""
        if not self.precondition:
            return jnp.eye(curvature.shape[0], dtype=curvature.dtype)
        largest = jnp.max(jnp.diagonal(curvature) * unit**2)
        return curvature + jnp.diag(1e-3 * largest / unit**2)

    def _direction(self, gradient: Array, held: Array, memory: Memory[Array], inner: Array) -> Array:
        """Where to search next: downhill, and nowhere in coordinates that a bound holds."""
        direction = -_two_loop(jnp.where(held, 0.0, gradient), memory, inner, self.precondition)
        direction = jnp.where(held, 0.0, direction)
        downhill = direction @ gradient < 0
        return jnp.where(downhill, direction, jnp.where(held, 0.0, -gradient))

    def _begun(self, direction: Array, value: Array, gradient: Array, unit: Array) -> LineSearch[Array]:
        """A new search: its first trial is the whole direction, or as much of it as the reach allows."""
        longest = jnp.max(jnp.abs(direction) / unit)
        return LineSearch(
            direction=direction,
            length=jnp.minimum(1.0, self.reach / jnp.maximum(longest, TINY)),
            low=jnp.zeros_like(value),
            high=jnp.full_like(value, jnp.inf),
            low_value=value,
            low_slope=direction @ gradient,
            trials=jnp.int32(0),
        )


def _judged(
    state: LBFGSState[Array], data: LaneData[Array], trial: Array, new: Evaluation[Array], slope: Array
) -> Verdict:
    """What a trial means to its search; the very first, of the start itself, need only be finite."""
    search = state.search
    finite = jnp.isfinite(new.value) & jnp.all(jnp.isfinite(new.gradient))
    start_slope = state.gradient @ search.direction
    low_enough = finite & (new.value <= state.value + SUFFICIENT * search.length * start_slope)
    flat_enough = slope >= CURVATURE * start_slope
    bounded = jnp.any((trial <= data.lower) | (trial >= data.upper))
    accept = jnp.where(jnp.isinf(state.value), finite, low_enough & (flat_enough | bounded))
    failed = search.trials + 1
    exhausted = ~accept & ((failed >= TRIALS_PER_SEARCH) | (new.value == state.value))
    settle = exhausted & (search.low > 0)
    clear = settle | (exhausted & (state.memory.stored > 0))
    return Verdict(finite, low_enough, accept, exhausted, settle, clear)


def _narrowed(search: LineSearch[Array], value: Array, slope: Array, seen: Verdict) -> LineSearch[Array]:
    """The search after a trial that is not accepted: the bracket it leaves, and the next trial in it."""
    low = jnp.where(seen.low_enough, search.length, search.low)
    high = jnp.where(seen.low_enough, search.high, search.length)
    ahead = search.length - search.low
    dip = 0.5 * search.low_slope * ahead**2
    dip = dip / (search.low_value + search.low_slope * ahead - value)
    margin = 0.1 * (high - low)
    inside = jnp.clip(search.low + jnp.where(jnp.isfinite(dip), dip, 0.0), low + margin, high - margin)
    halved = jnp.where(seen.low_enough | ~seen.finite, 0.5 * (low + high), inside)
    return LineSearch(
        direction=search.direction,
        length=jnp.where(jnp.isinf(high), 3.0 * search.length, halved),
        low=low,
        high=high,
        low_value=jnp.where(seen.low_enough, value, search.low_value),
        low_slope=jnp.where(seen.low_enough, slope, search.low_slope),
        trials=search.trials + 1,
    )


def _two_loop(gradient: Array, memory: Memory[Array], inner: Array, precondition: bool) -> Array:
    """The quasi-Newton direction's negative: the inverse Hessian estimate times the gradient."""
    moves, bends, stored = memory
    count = moves.shape[0]
    valid = jnp.arange(count) < stored
    products = jnp.sum(moves * bends, axis=1)
    inverse = jnp.where(valid, 1.0 / jnp.where(valid, products, 1.0), 0.0)

    def first(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        q, alphas = carry
        alpha = inverse[i] * (moves[i] @ q)
        return q - alpha * bends[i], alphas.at[i].set(alpha)

    q, alphas = jax.lax.fori_loop(0, count, first, (gradient, jnp.zeros(count, gradient.dtype)))
    if precondition:
        r = solve_symmetric(inner, q)
    else:
        scale = products[0] / jnp.maximum(bends[0] @ bends[0], TINY)
        r = q * jnp.where(stored > 0, scale, 1.0 / jnp.maximum(jnp.linalg.norm(gradient), TINY))

    def second(j: Array, r: Array) -> Array:
        i = count - 1 - j
        return r + moves[i] * (alphas[i] - inverse[i] * (bends[i] @ r))

    return jax.lax.fori_loop(0, count, second, r)
