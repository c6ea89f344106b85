"""Levenberg-Marquardt on the square-root residual: one trial per step, no loop inside.

The damping is lambda times the identity in search coordinates (logarithms are already on one scale; a real
parameter is measured in its starting magnitude), started at a fixed fraction of the largest curvature, so
that scaling the objective changes nothing. It follows Nielsen (1999). No trial moves a coordinate by more
than `reach`: without that cap the early steps throw a term of a sum so far that its gradient underflows, and
the lane dies on a plateau.

The matrix of a robust loss's root overstates the curvature, so that every step would go only part of the way.
Where gradients say so it is made smaller, and near an optimum learnt from them instead (after Fletcher and Xu
1987), so that the end of a lane takes a third of the steps.
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

__all__ = ["LM"]

PATIENCE = 30
# of the objective: what a step gains, and a coordinate by itself still would, near an optimum and not far off
NEAR, NOT_FAR = 1e-3, 0.1
LEAST = 0.3  # of the curvature as measured, what is left of it
OVERSTATED = 2.0  # times the change of the gradient that a step saw


class LMState(NamedTuple, Generic[Leaf]):
    """A lane: its point and what was measured there, and the damping.

    z, gradient, step to the trial to come, and unit (k,), the length in which a coordinate is measured;
    curvature (k, k), measured or learnt; growth, the factor of the damping after a failed trial; quiet, how
    many accepted trials in a row gained next to nothing; all others ().
    """

    z: Leaf
    value: Leaf
    gradient: Leaf
    curvature: Leaf
    step: Leaf
    damping: Leaf
    growth: Leaf
    unit: Leaf
    quiet: Leaf
    steps: Leaf
    status: Leaf


@dataclass(frozen=True)
class LM:
    """Levenberg-Marquardt (the default solver).

    Args:
        max_steps: trials per lane before it is given up as `max_steps`.
        tol: a lane has converged when an undamped step would gain less than `tol` of its objective.
        damping: starting lambda, relative to the largest curvature at the start.
        reach: longest move of a coordinate in one step (natural-log units; starting magnitudes for real
            parameters).
        dtype: arithmetic of the search, "float64" or "float32" (for accelerators without native float64; it
            finds the basin only, and the polish that follows is always float64 on a device that has it).
    """

    max_steps: int = 500
    tol: float = 1e-8
    damping: float = 1e-2
    reach: float = 1.0
    dtype: str = "float64"
    name: ClassVar[str] = "lm"

    def init(self, z: Numbers, log_searched: Numbers) -> LMState[Numbers]:
        """Lanes at z, (lanes, k), before the first evaluation: an infinite value makes the start a trial."""
        lanes, k = z.shape
        return LMState(
            z=z,
            value=np.full(lanes, np.inf, z.dtype),
            gradient=np.zeros((lanes, k), z.dtype),
            curvature=np.zeros((lanes, k, k), z.dtype),
            step=np.zeros((lanes, k), z.dtype),
            damping=np.zeros(lanes, z.dtype),
            growth=np.full(lanes, 2.0, z.dtype),
            unit=typical_size(z, log_searched),
            quiet=np.zeros(lanes, np.int32),
            steps=np.zeros(lanes, np.int32),
            status=np.full(lanes, RUNNING, np.int32),
        )

    def step(self, state: LMState[Array], data: LaneData[Array], measure: Measure) -> LMState[Array]:
        """One trial: a damped step, accepted if the objective falls; and the next one, if it is worth it."""
        fresh = jnp.isinf(state.value)
        eps, tiny = jnp.finfo(state.z.dtype).eps, jnp.finfo(state.z.dtype).tiny
        trial = jnp.clip(state.z + state.step, data.lower, data.upper)
        moved = trial - state.z

        new = measure(trial, data)
        finite = (
            jnp.isfinite(new.value)
            & jnp.all(jnp.isfinite(new.gradient))
            & jnp.all(jnp.isfinite(new.curvature))
        )
        foreseen = -(state.gradient @ moved + 0.5 * moved @ state.curvature @ moved)
        gain = jnp.where(fresh, jnp.inf, state.value - new.value)
        accept = finite & (gain > 0)
        newest = jnp.max(jnp.abs(jnp.diagonal(new.curvature)) * state.unit**2)
        eased = jnp.maximum(state.damping * _shrink(gain, foreseen), 1e-18 * newest)
        damping = jnp.where(accept, eased, state.damping * state.growth)
        damping = jnp.where(fresh, jnp.maximum(self.damping * newest, tiny), damping)

        quiet = jnp.where(accept & (gain > 4e3 * eps * state.value), 0, state.quiet + accept)
        at = state._replace(
            z=jnp.where(accept, trial, state.z),
            value=jnp.where(accept, new.value, state.value),
            gradient=jnp.where(accept, new.gradient, state.gradient),
            curvature=jnp.where(accept, _curvature(state, trial, new, gain, data), state.curvature),
            damping=damping,
            growth=jnp.where(accept, 2.0, jnp.minimum(state.growth * 2.0, 1e6)),
            quiet=quiet.astype(jnp.int32),
            steps=state.steps + 1,
        )
        step, decrement, largest = self._steps(at, data)
        stationary = decrement <= 2 * jnp.maximum(self.tol, 4 * eps) * at.value
        stalled = (quiet >= PATIENCE) | (damping > 1e18 * largest)
        status = jnp.select(
            [fresh & ~finite, stationary | (at.value <= data.floor), stalled, at.steps >= self.max_steps],
            [int(Status.NONFINITE), int(Status.CONVERGED), int(Status.STALLED), int(Status.MAX_STEPS)],
            RUNNING,
        )
        return at._replace(step=step, status=status.astype(jnp.int32))

    def _steps(self, state: LMState[Array], data: LaneData[Array]) -> tuple[Array, Array, Array]:
        """The damped step (k,), what an undamped one would gain (twice), and the largest curvature."""
        eps, tiny = jnp.finfo(state.z.dtype).eps, jnp.finfo(state.z.dtype).tiny
        unit = jnp.where(held(state.z, state.gradient, data.lower, data.upper), 0.0, state.unit)
        curvature, gradient = state.curvature * unit[:, None] * unit[None, :], state.gradient * unit
        largest = jnp.max(jnp.abs(jnp.diagonal(curvature)))

        def solve(damping: Array) -> Array:
            return solve_symmetric(curvature + jnp.diag(jnp.where(unit > 0, damping, 1.0)), gradient)

        damped, undamped = jax.vmap(solve)(
            jnp.stack([state.damping, jnp.maximum(64 * eps * largest, tiny / eps)])
        )
        step = -damped * jnp.minimum(1.0, self.reach / jnp.maximum(jnp.max(jnp.abs(damped)), tiny))
        return step * unit, gradient @ undamped, largest


def _curvature(
    state: LMState[Array], trial: Array, new: Evaluation[Array], gain: Array, data: LaneData[Array]
) -> Array:
    """The curvature (k, k) at an accepted trial: as measured, or where the gradients say that this is too
    much, the mean of both, and near an optimum what they say alone, by the update of Broyden, Fletcher,
    Goldfarb and Shanno.

    In single precision rounding would say it.
    """
    if state.z.dtype != jnp.float64:
        return new.curvature
    free = jnp.where(held(trial, new.gradient, data.lower, data.upper), 0.0, 1.0)

    def within(share: float) -> Array:
        # where a term has died, no step gains, yet its own coordinates still could
        alone = (free * new.gradient) ** 2 <= 2 * share * new.value * jnp.diagonal(new.curvature)
        return (gain <= share * state.value) & jnp.all(alone)

    moved, turned = trial - state.z, new.gradient - state.gradient
    bent = state.curvature @ moved
    along, turn, stated = moved @ bent, moved @ turned, moved @ new.curvature @ moved
    known = within(NEAR) & (along > 0) & (turn > 0) & (stated > OVERSTATED * turn)
    learnt = (
        state.curvature
        - jnp.outer(bent, bent) / jnp.where(known, along, 1.0)
        + jnp.outer(turned, turned) / jnp.where(known, turn, 1.0)
    )
    overstated = within(NOT_FAR) & (turn > 0) & (stated > turn)
    share = jnp.sqrt(jnp.where(overstated, turn / jnp.where(overstated, stated, 1.0), 1.0))
    return jnp.where(known, learnt, jnp.maximum(share, LEAST) * new.curvature)


def _shrink(gain: Array, foreseen: Array) -> Array:
    """Nielsen's factor of the damping after an accepted step: small where the gain was as foreseen."""
    quality = jnp.where(foreseen > 0, gain / jnp.where(foreseen > 0, foreseen, 1.0), 0.0)
    return jnp.clip(1.0 - (2.0 * quality - 1.0) ** 3, 0.1, 1.0)
