"""Small linear systems inside a compiled program."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import lsq_linear, nnls

from scaling_jax.engine.linear import MOST_UNROLLED, solve_definite, solve_nonnegative, solve_symmetric


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


def test_both_ways_of_elimination_agree_and_take_several_right_hand_sides() -> None:
    rng = np.random.default_rng(2)
    with jax.enable_x64(True):
        for k in (1, MOST_UNROLLED, MOST_UNROLLED + 1):
            a, right = rng.normal(size=(k, k)), rng.normal(size=(k, 2))
            matrix = a @ a.T + 0.1 * np.eye(k)
            solution = solve_symmetric(jnp.asarray(matrix), jnp.asarray(right))
            np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), rtol=1e-8)
            lame = np.where(np.arange(k) == 0, 0.0, matrix) * (np.arange(k) != 0)[:, None]
            assert solve_symmetric(jnp.asarray(lame), jnp.asarray(right))[0].tolist() == [0.0, 0.0]


def test_least_squares_with_numbers_that_must_not_be_negative() -> None:
    rng = np.random.default_rng(3)
    with jax.enable_x64(True):
        for k in (1, 2, 3, 5):
            columns, target = rng.normal(size=(20, k)), rng.normal(size=20)
            columns /= np.linalg.norm(columns, axis=0)
            gram, right = jnp.asarray(columns.T @ columns), jnp.asarray(columns.T @ target)
            found, value = solve_nonnegative(gram, right, np.ones(k, dtype=bool))
            best, residual = nnls(columns, target)
            np.testing.assert_allclose(found, best, atol=1e-10)
            np.testing.assert_allclose(value, residual**2 - target @ target, rtol=1e-9, atol=1e-12)
            signs = np.arange(k) > 0
            bounded = lsq_linear(columns, target, (np.where(signs, 0.0, -np.inf), np.inf), method="bvls")
            np.testing.assert_allclose(solve_nonnegative(gram, right, signs)[0], bounded.x, atol=1e-8)
        nothing, worst = solve_nonnegative(jnp.full((2, 2), jnp.nan), jnp.ones(2), np.ones(2, dtype=bool))
        assert (nothing.tolist(), float(worst)) == ([0.0, 0.0], np.inf)
