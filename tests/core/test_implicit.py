"""Roots of equations, and their derivatives, against a root that is known in closed form."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scaling_jax.core.implicit import root


def cube_root(a):
    return root(lambda x, a: x**3 - a, 0.0, 10.0, a)


def test_three_derivatives_are_those_of_the_cube_root() -> None:
    """A fourth would need a third Newton step: each doubles the order of agreement, from 1 to 2 to 4."""
    a, derivative = 5.0, cube_root
    with jax.enable_x64(True):
        for factor, power in ((1, 1 / 3), (1 / 3, -2 / 3), (-2 / 9, -5 / 3), (10 / 27, -8 / 3)):
            assert float(derivative(jnp.float64(a))) == pytest.approx(factor * a**power, rel=1e-12)
            derivative = jax.grad(derivative)


def test_a_bracket_holds_where_newton_alone_would_leave_it() -> None:
    """The arc tangent sends Newton ever further from where it starts, beyond 1.39 of its root."""
    with jax.enable_x64(True):
        found = root(lambda x, a: jnp.arctan(x - a), -50.0, 60.0, jnp.float64(1.0), start=40.0, steps=60)
    assert float(found) == pytest.approx(1.0, abs=1e-12)


def test_lanes_of_a_batch_are_roots_one_by_one() -> None:
    values = np.array([0.1, 1.0, 8.0, 125.0])
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.vmap(cube_root)(jnp.asarray(values)), np.cbrt(values), rtol=1e-12)
