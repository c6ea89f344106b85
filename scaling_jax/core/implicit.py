"""Laws that are the root of an equation: a fixed number of safeguarded Newton steps, derivatives exact.

Every lane of a batch takes the same number of steps, so none waits for another, and the steps see constants
only: nothing of the search is differentiated. The loop stays a loop in the compiled program: unrolled, it
took minutes to compile. Two Newton steps from a root held constant then carry its first three derivatives,
since each step doubles the order to which it agrees with the root as a function of the parameters (implicit
function theorem).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from scaling_jax.core.arrays import Array

__all__ = ["root"]

Equation = Callable[..., Array]


def root(
    equation: Equation,
    lower: ArrayLike,
    upper: ArrayLike,
    *args: ArrayLike,
    start: ArrayLike | None = None,
    steps: int = 20,
) -> Array:
    """The root in [lower, upper] of an equation that increases with its first argument.

    Args:
        equation: `equation(x, *args)`, smooth, increasing in x; everything to differentiate by is among
            `args`.
        lower, upper: a bracket, not differentiated.
        *args: parameters and inputs of the equation.
        start: where Newton begins; the middle of the bracket by default.
        steps: how many; a step that leaves the bracket is replaced by its midpoint.

    Returns:
        The root, differentiable three times in `args`.

    Source: Newton safeguarded by bisection, Press et al., Numerical Recipes, section 9.4.

    >>> round(float(root(lambda x, a: x * x - a, 0.0, 2.0, 2.0)), 4)
    1.4142
    >>> round(float(jax.grad(lambda a: root(lambda x, a: x * x - a, 0.0, 2.0, a))(2.0)), 4)
    0.3536
    """
    held = tuple(jax.lax.stop_gradient(jnp.asarray(a)) for a in args)
    low, high = jax.lax.stop_gradient((jnp.asarray(lower), jnp.asarray(upper)))
    x = 0.5 * (low + high) if start is None else jnp.clip(jax.lax.stop_gradient(start), low, high)

    def narrow(_: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, low, high = state
        value, slope = _with_slope(equation, x, held)
        low, high = jnp.where(value < 0, x, low), jnp.where(value < 0, high, x)
        step = x - value / jnp.where(slope > 0, slope, 1.0)
        inside = (slope > 0) & (step >= low) & (step <= high)
        return jnp.where(inside, step, 0.5 * (low + high)), low, high

    dtype = jnp.result_type(x, low, high, *held, 0.0)  # single precision stays so, whole numbers do not
    state = jnp.broadcast_arrays(x, low, high, *(jnp.zeros_like(a) for a in held))[:3]
    x = jax.lax.fori_loop(0, steps, narrow, tuple(part.astype(dtype) for part in state))[0]
    x = jax.lax.stop_gradient(x)
    for _ in range(2):
        value, slope = _with_slope(equation, x, args)
        x = x - value / slope
    return x


def _with_slope(equation: Equation, x: Array, args: tuple[ArrayLike, ...]) -> tuple[Array, Array]:
    return jax.jvp(lambda at: equation(at, *args), (x,), (jnp.ones_like(x),))
