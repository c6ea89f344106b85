"""Small linear systems inside a compiled program."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.engine.linear import solve_definite, solve_symmetric


def test_small_systems_are_solved_and_singular_ones_never_nan() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(6, 6))
    matrix, right = a @ a.T + 0.1 * np.eye(6), rng.normal(size=6)
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            solve_symmetric(jnp.asarray(matrix), jnp.asarray(right)),
            np.linalg.solve(matrix, right),
            rtol=1e-9,
        )
        assert np.isfinite(solve_symmetric(jnp.zeros((3, 3)), jnp.ones(3))).all()


def test_several_right_hand_sides_and_whether_the_matrix_is_definite() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(4, 4))
    matrix, right = a @ a.T + 0.1 * np.eye(4), rng.normal(size=(4, 3))
    with jax.enable_x64(True):
        solution, definite = solve_definite(jnp.asarray(matrix), jnp.asarray(right))
        np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), rtol=1e-9)
        assert definite
        assert not solve_definite(jnp.asarray(matrix - 5 * np.eye(4)), jnp.eye(4))[1]
