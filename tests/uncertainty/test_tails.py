"""Tails of distributions, as printed in tables of statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import fdtrc
from scipy.stats import binom

from scaling_jax.uncertainty.tails import binomial_quantile, erf, f_tail, normal_quantile


def test_tabled_values() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.6449, abs=5e-5)
    assert normal_quantile(0.5) == 0.0
    assert f_tail(4.96, 1, 10) == pytest.approx(0.05, abs=1e-4)  # F of 1 and 10 at 5 %
    assert f_tail(2.228**2, 1, 10) == pytest.approx(0.05, abs=1e-4)  # which is Student's t, both sides
    assert f_tail(3.33, 5, 10) == pytest.approx(0.05, abs=2e-4)
    assert f_tail(0.0, 3, 4) == 1 and f_tail(np.inf, 3, 4) == 0 and np.isnan(f_tail(np.nan, 3, 4))
    assert erf(1.0) == pytest.approx(0.842701, abs=1e-6)


def test_binomial_quantiles_are_whole_successes() -> None:
    share, chance = np.array([[0.01], [0.5], [0.99]]), np.array([0.0, 0.03, 0.5, 1.0])
    got = binomial_quantile(share, 40, chance)
    np.testing.assert_array_equal(got[:, 0], 0)
    np.testing.assert_array_equal(got[:, 3], 40)
    np.testing.assert_array_equal(got[:, 1:3], binom.ppf(share, 40, chance[1:3]))


def test_the_tail_of_f_has_eleven_digits() -> None:
    """Against SciPy, from one degree of freedom to thousands, far out included."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        above, below = int(rng.integers(1, 300)), int(10 ** rng.uniform(0, 4))
        ratio = 10 ** rng.uniform(-2, 2, 5)
        expected = fdtrc(above, below, ratio)
        seen = expected > 1e-200
        np.testing.assert_allclose(f_tail(ratio, above, below)[seen], expected[seen], rtol=1e-10)
