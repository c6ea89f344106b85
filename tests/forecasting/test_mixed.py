"""Priors as rows: against the closed form where a law is linear, and what they do where rows say nothing."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.forecasting.mixed import WORTH, Piece, shrink
from scaling_jax.forecasting.population import VAGUE, Population

LINE = sj.laws.power_law  # log L = log A - alpha log x: linear in both search coordinates
COMMON = Population(np.array([0.0, 0.2]), np.array([0.3, 0.1]))


def line(n: int = 12, noise: float = 0.01, seed: int = 0) -> Piece:
    x = np.linspace(-4, 0, n)
    y = 0.05 - 0.3 * x + noise * np.random.default_rng(seed).normal(size=n)
    return Piece(("x",), x[:, None], y, np.ones(n), np.zeros(1), 0.0)


@pytest.mark.parametrize("n", [3, 12])
def test_a_linear_law_has_the_conjugate_posterior(n: int) -> None:
    piece = line(n)
    fit = shrink(LINE, [COMMON], [piece])
    design = np.column_stack([np.ones(n), -piece.inputs[:, 0]])
    # the scale the last fit used is that of residuals before it, which its own is drawn from too
    precision = design.T @ design / fit.scale[0] ** 2 + np.diag(COMMON.sd**-2)
    mean = np.linalg.solve(
        precision, design.T @ piece.target / fit.scale[0] ** 2 + COMMON.mean / COMMON.sd**2
    )
    np.testing.assert_allclose(fit.z[0], mean, atol=2e-3)
    np.testing.assert_allclose(fit.spread[0] @ fit.spread[0].T, np.linalg.inv(precision), rtol=0.25)


def test_other_populations_are_one_conjugate_step_away() -> None:
    other = Population(np.array([0.1, 0.35]), np.array([0.2, 0.02]))
    piece = line(4, noise=0.05)
    moved, fitted = shrink(LINE, [COMMON], [piece]).under([other]), shrink(LINE, [other], [piece])
    np.testing.assert_allclose(moved.z, fitted.z, atol=5e-3)  # scales of residuals differ a little


def test_rows_that_say_nothing_leave_what_families_have_in_common() -> None:
    """Two rows of a law with five numbers: exponents stay where other families have them."""
    chinchilla = sj.laws.chinchilla
    common = Population.of(chinchilla, VAGUE["chinchilla"])
    rows = np.array([[-1.0, -1.0], [0.0, 0.0]])
    piece = Piece(("N", "D"), rows, np.array([0.1, 0.0]), np.ones(2), np.zeros(2), 0.0)
    fit = shrink(chinchilla, [common], [piece])
    assert np.all(np.abs(fit.z[0] - common.mean) < 1.5 * common.sd)
    assert fit.pooled[0, 3:].min() > 0.9


def test_a_law_that_nobody_has_seen_is_fitted_alone() -> None:
    @sj.law
    def mine(x, *, A: sj.Positive, alpha: sj.Real):
        return A * x**-alpha

    piece = line(noise=0.0)
    fit = shrink(mine, None, [piece])
    np.testing.assert_allclose(fit.z[0], [0.05, 0.3], atol=1e-6)
    assert not fit.pooled.any()


def test_scales_are_robust_and_never_nothing() -> None:
    exact, wild = line(noise=0.0), line(noise=0.0)
    wild.target[5] += 3.0
    fit = shrink(LINE, [COMMON] * 2, [exact, wild])
    assert 0 < fit.scale[0] <= 0.01 * np.sqrt(WORTH / 12)
    np.testing.assert_allclose(fit.predict(np.array([1]), np.array([[1.0]])), [-0.25], atol=0.05)
