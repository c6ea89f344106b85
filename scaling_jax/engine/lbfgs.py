"""Limited-memory BFGS whose line-search trials are the steps: nothing nests under vmap.

Directions come from the two-loop recursion (Nocedal 1980). With `precondition` its inner matrix is the damped
Gauss-Newton matrix of the point where the memory was last cleared, so the ridges of a sum of power laws are
straightened before the memory has to learn them; without, it is the usual scaled identity, the field's
classical method. The line search brackets a weak Wolfe step by doubling and interpolation (Lewis and Overton
2013), one trial per step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.engine.linear import solve_symmetric
from scaling_jax.engine.lm import typical_size
from scaling_jax.engine.problem import Evaluation, LaneData
from scaling_jax.engine.status import RUNNING, Status

__all__ = ["LBFGS"]

SUFFICIENT, CURVATURE = 1e-4, 0.9
TRIALS_PER_SEARCH = 20
TINY = 1e-37


class LBFGSState(NamedTuple):
    z: Any
    value: Any
    gradient: Any
    inner: Any
    moves: Any
    bends: Any
    stored: Any
    direction: Any
    length: Any
    low: Any
    high: Any
    low_value: Any
    low_slope: Any
    trials: Any
    unit: Any
    quiet: Any
    steps: Any
    status: Any


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

    def init(self, z: np.ndarray, log_searched: np.ndarray) -> LBFGSState:
        """States of lanes at z, (lanes, k), before the first evaluation: an infinite value makes the start
        the first trial."""
        lanes, k = z.shape
        zero, count = np.zeros(lanes, z.dtype), np.zeros(lanes, np.int32)
        return LBFGSState(
            z=z,
            value=np.full(lanes, np.inf, z.dtype),
            gradient=np.zeros((lanes, k), z.dtype),
            inner=np.broadcast_to(np.eye(k, dtype=z.dtype), (lanes, k, k)).copy(),
            moves=np.zeros((lanes, self.memory, k), z.dtype),
            bends=np.zeros((lanes, self.memory, k), z.dtype),
            stored=count,
            direction=np.zeros((lanes, k), z.dtype),
            length=zero,
            low=zero.copy(),
            high=np.full(lanes, np.inf, z.dtype),
            low_value=np.full(lanes, np.inf, z.dtype),
            low_slope=zero.copy(),
            trials=count.copy(),
            unit=typical_size(z, log_searched),
            quiet=count.copy(),
            steps=count.copy(),
            status=np.full(lanes, RUNNING, np.int32),
        )

    def step(self, state: LBFGSState, data: LaneData, evaluate: Any) -> LBFGSState:
        """One trial of the line search; where it satisfies the Wolfe conditions, a new direction."""
        fresh = jnp.isinf(state.value)
        trial = jnp.clip(state.z + state.length * state.direction, data.lower, data.upper)
        new: Evaluation = evaluate(trial, data)
        finite = jnp.isfinite(new.value) & jnp.all(jnp.isfinite(new.gradient))
        start_slope = state.gradient @ state.direction
        slope = new.gradient @ state.direction
        low_enough = finite & (new.value <= state.value + SUFFICIENT * state.length * start_slope)
        flat_enough = slope >= CURVATURE * start_slope
        bounded = jnp.any((trial <= data.lower) | (trial >= data.upper))
        accept = jnp.where(fresh, finite, low_enough & (flat_enough | bounded))
        trials = jnp.where(accept, 0, state.trials + 1)
        exhausted = ~accept & ((trials >= TRIALS_PER_SEARCH) | (new.value == state.value))
        settle = exhausted & (state.low > 0)

        low = jnp.where(low_enough, state.length, state.low)
        high = jnp.where(low_enough, state.high, state.length)
        dip = 0.5 * state.low_slope * (state.length - state.low) ** 2
        dip = dip / (state.low_value + state.low_slope * (state.length - state.low) - new.value)
        inside = jnp.clip(
            state.low + jnp.where(jnp.isfinite(dip), dip, 0.0),
            low + 0.1 * (high - low),
            high - 0.1 * (high - low),
        )
        length = jnp.where(
            jnp.isinf(high), 3.0 * state.length, jnp.where(low_enough | ~finite, 0.5 * (low + high), inside)
        )

        gain = jnp.where(fresh, jnp.inf, state.value - new.value)
        moved, bent = trial - state.z, new.gradient - state.gradient
        useful = accept & ~fresh & (moved @ bent > 1e-14 * jnp.linalg.norm(moved) * jnp.linalg.norm(bent))
        clear = settle | (exhausted & (state.stored > 0))
        moves = jnp.where(useful, jnp.roll(state.moves, 1, axis=0).at[0].set(moved), state.moves)
        bends = jnp.where(useful, jnp.roll(state.bends, 1, axis=0).at[0].set(bent), state.bends)
        stored = jnp.where(clear, 0, jnp.minimum(state.stored + useful, self.memory))

        z = jnp.where(accept, trial, jnp.where(settle, state.z + state.low * state.direction, state.z))
        value = jnp.where(accept, new.value, jnp.where(settle, state.low_value, state.value))
        gradient = jnp.where(accept, new.gradient, state.gradient)
        refresh = (stored == 0) & accept
        inner = jnp.where(refresh, self._inner(new.curvature, state.unit), state.inner)
        turn = accept | clear
        held = ((z <= data.lower) & (gradient > 0)) | ((z >= data.upper) & (gradient < 0))
        direction = -_two_loop(jnp.where(held, 0.0, gradient), moves, bends, stored, inner, self.precondition)
        direction = jnp.where(held, 0.0, direction)
        downhill = direction @ gradient < 0
        direction = jnp.where(downhill, direction, jnp.where(held, 0.0, -gradient))
        longest = jnp.max(jnp.abs(direction) / state.unit)
        fitting = jnp.minimum(1.0, self.reach / jnp.maximum(longest, TINY))

        quiet = jnp.where(accept & (gain > self.tol * jnp.abs(state.value)), 0, state.quiet + accept)
        stalled = exhausted & ~clear
        steps = state.steps + 1
        done = (quiet >= 5) | (value <= data.floor) | (turn & ~fresh & (jnp.max(jnp.abs(direction)) == 0))
        status = jnp.select(
            [fresh & ~finite, done | (stalled & (state.quiet > 0)), stalled, steps >= self.max_steps],
            [int(Status.NONFINITE), int(Status.CONVERGED), int(Status.STALLED), int(Status.MAX_STEPS)],
            RUNNING,
        )

        def after_turn(begun: Any, ongoing: Any) -> Any:
            return jnp.where(turn, begun, ongoing)

        return LBFGSState(
            z=z,
            value=value,
            gradient=gradient,
            inner=inner,
            moves=moves,
            bends=bends,
            stored=stored.astype(jnp.int32),
            direction=after_turn(direction, state.direction),
            length=after_turn(fitting, length),
            low=after_turn(0.0, low),
            high=after_turn(jnp.inf, high),
            low_value=after_turn(value, jnp.where(low_enough, new.value, state.low_value)),
            low_slope=after_turn(direction @ gradient, jnp.where(low_enough, slope, state.low_slope)),
            trials=after_turn(0, trials).astype(jnp.int32),
            unit=state.unit,
            quiet=quiet.astype(jnp.int32),
            steps=steps,
            status=status.astype(jnp.int32),
        )

    def _inner(self, curvature: Any, unit: Any) -> Any:
        if not self.precondition:
            return jnp.eye(curvature.shape[0], dtype=curvature.dtype)
        largest = jnp.max(jnp.diagonal(curvature) * unit**2)
        return curvature + jnp.diag(1e-3 * largest / unit**2)


def _two_loop(gradient: Any, moves: Any, bends: Any, stored: Any, inner: Any, precondition: bool) -> Any:
    """The quasi-Newton direction's negative: the inverse Hessian estimate times the gradient."""
    count = moves.shape[0]
    valid = jnp.arange(count) < stored
    products = jnp.sum(moves * bends, axis=1)
    inverse = jnp.where(valid, 1.0 / jnp.where(valid, products, 1.0), 0.0)

    def first(i: Any, carry: Any) -> Any:
        q, alphas = carry
        alpha = inverse[i] * (moves[i] @ q)
        return q - alpha * bends[i], alphas.at[i].set(alpha)

    q, alphas = jax.lax.fori_loop(0, count, first, (gradient, jnp.zeros(count, gradient.dtype)))
    if precondition:
        r = solve_symmetric(inner, q)
    else:
        scale = products[0] / jnp.maximum(bends[0] @ bends[0], TINY)
        r = q * jnp.where(stored > 0, scale, 1.0 / jnp.maximum(jnp.linalg.norm(gradient), TINY))

    def second(j: Any, r: Any) -> Any:
        i = count - 1 - j
        return r + moves[i] * (alphas[i] - inverse[i] * (bends[i] @ r))

    return jax.lax.fori_loop(0, count, second, r)
