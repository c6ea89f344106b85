"""The root of the deviance: exact near and far, smooth in between, and a likelihood at its highest."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from scaling_jax.core.counts import deviance_root, deviance_root_of_numbers, saturated

TRACED = jax.jit(deviance_root)
SHARES = np.array([0.0, 1e-4, 0.03, 0.5, 0.97, 1.0])


def in_long_doubles(p: np.ndarray, y: float) -> np.ndarray:
    """The textbook formula, with ten more bits."""
    p, y = p.astype(np.longdouble), np.longdouble(y)
    half = (y * np.log(y / p) if y else 0 * p) + ((1 - y) * np.log((1 - y) / (1 - p)) if y < 1 else 0 * p)
    return (np.sign(p - y) * np.sqrt(2 * np.maximum(half, 0))).astype(float)


@pytest.mark.parametrize("y", SHARES)
def test_far_from_the_share_it_is_the_textbook_s_formula(y: float) -> None:
    p = np.linspace(0.001, 0.999, 400)
    p = p[np.abs(p - y) > 1e-3 * min(y, 1 - y)]
    np.testing.assert_allclose(deviance_root_of_numbers(p, y), in_long_doubles(p, y), rtol=1e-11)
    with jax.enable_x64(True):
        traced = np.asarray(TRACED(p, y))
    np.testing.assert_allclose(traced, deviance_root_of_numbers(p, y), rtol=1e-13)


def test_near_the_share_it_is_a_deviation_to_the_last_digit() -> None:
    y, step = 0.3, np.array([1e-13, -1e-9, 1e-6])
    p = y + step
    np.testing.assert_allclose(deviance_root_of_numbers(p, y), (p - y) / np.sqrt(y * (1 - y)), rtol=1e-5)
    assert deviance_root_of_numbers(y, y) == 0.0


def test_two_derivatives_of_the_deviance() -> None:
    """Of half the square: (p - y) / (p (1 - p)), and its derivative; at the share itself and beside it."""
    inner = SHARES[1:-1]
    y = np.concatenate([np.repeat(SHARES, 3), inner, inner, inner])
    p = np.concatenate([np.tile([0.2, 0.3, 0.9], len(SHARES)), inner, inner * (1 + 1e-7), inner * 1.02])

    def half(p, y):
        return 0.5 * deviance_root(p, y) ** 2

    def both(p, y):
        return jax.grad(half)(p, y), jax.grad(jax.grad(half))(p, y)

    with jax.enable_x64(True):
        slope, bend = map(np.asarray, jax.jit(jax.vmap(both))(p, y))
    np.testing.assert_allclose(slope * p * (1 - p), p - y, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(bend, y / p**2 + (1 - y) / (1 - p) ** 2, rtol=1e-9)


def test_probabilities_that_are_rounded_to_0_or_1_are_far_off_but_finite() -> None:
    assert deviance_root_of_numbers([0.0, 1.0], [0.0, 1.0]) == pytest.approx([0.0, 0.0], abs=2e-8)
    assert np.isfinite(deviance_root_of_numbers([0.0, 1.0, 1.0], [0.5, 0.5, 0.0])).all()
    assert np.isnan(deviance_root_of_numbers([-1e-9, 1 + 1e-9, -1.0], [0.5, 1.0, 0.0])).all()
    with jax.enable_x64(True):
        far = jnp.array([0.0, 1.0, 1.0]), jnp.array([0.0, 1.0, 0.5])
        slopes = jax.jit(jax.vmap(jax.grad(deviance_root)))(*far)
    assert np.isfinite(slopes).all()


def test_what_is_lost_against_the_highest_is_the_likelihood() -> None:
    n, k, p = 40.0, np.arange(41.0), 0.3
    lost = 0.5 * n * deviance_root_of_numbers(p, k / n) ** 2
    np.testing.assert_allclose(saturated(k / n, n) - lost, stats.binom.logpmf(k, n, p), rtol=1e-11)
