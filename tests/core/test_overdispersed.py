"""The beta-binomial charge: the likelihood's, exact down to no overdispersion, and a law that carries it."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

import scaling_jax as sj
from scaling_jax.core.counts import deviance_root_of_numbers
from scaling_jax.core.overdispersed import (
    OVERDISPERSION,
    charge_root,
    charge_root_of_numbers,
    overdispersed,
    shapes,
    without_scatter,
)
from scaling_jax.engine.behaviour import confounded, linear_parameters

RNG = np.random.default_rng(0)
TRIALS = np.round(10 ** RNG.uniform(0, 4, 400))
SUCCESSES = np.floor(RNG.uniform(size=400) * (TRIALS + 1))
RATES = RNG.uniform(size=400) ** 3


def charge(correlation: np.ndarray | float) -> np.ndarray:
    return 0.5 * charge_root_of_numbers(RATES, SUCCESSES / TRIALS, TRIALS, correlation) ** 2


def test_it_is_scipy_s_likelihood_below_the_highest_that_any_rate_gives() -> None:
    """SciPy takes differences of log-gammas, of size n log n: rounding of that."""
    correlation = 10 ** RNG.uniform(-4, -0.01, 400)
    own = stats.betabinom.logpmf(SUCCESSES, TRIALS, *shapes(RATES, correlation))
    best = stats.binom.logpmf(SUCCESSES, TRIALS, SUCCESSES / TRIALS)
    np.testing.assert_allclose(charge(correlation), best - own, rtol=1e-8, atol=1e-8)


def test_without_overdispersion_it_is_the_binomial_deviance_to_the_last_digits() -> None:
    binomial = 0.5 * TRIALS * deviance_root_of_numbers(RATES, SUCCESSES / TRIALS) ** 2
    np.testing.assert_allclose(charge(0.0), binomial, rtol=1e-10, atol=1e-14 * TRIALS.max())
    # to first order in the correlation, from the factors k (k - 1) / 2 of each product
    k, n, step = SUCCESSES, TRIALS, 1e-13
    pairs = 0.5 * (k * (k - 1) / RATES + (n - k) * (n - k - 1) / (1 - RATES) - n * (n - 1))
    few = np.abs(pairs) * step < 1e-6
    change = charge(step)[few] - charge(0.0)[few]
    np.testing.assert_allclose(change, -step * pairs[few], rtol=1e-2, atol=1e-11 * n[few].max() / 100)


def test_slopes_are_the_likelihood_s_at_no_overdispersion_too() -> None:
    """Against digammas at a correlation of .1; at 0 the slope in the rate is the binomial's."""

    def lost(p: jax.Array, correlation: jax.Array) -> jax.Array:
        return 0.5 * charge_root(p, jnp.asarray(7 / 50), jnp.asarray(50.0), correlation) ** 2

    slope = jax.jit(jax.grad(lost, (0, 1)))
    with jax.enable_x64(True):
        by_rate, _ = slope(0.2, 0.1)
        at_none = slope(0.2, 0.0)
    alpha, beta = shapes(0.2, 0.1)
    of_rate = (alpha + beta) * (
        special.digamma(alpha + 7)
        - special.digamma(alpha)
        - special.digamma(beta + 43)
        + special.digamma(beta)
    )
    assert float(by_rate) == pytest.approx(-of_rate, rel=1e-10)
    assert float(at_none[0]) == pytest.approx(-(7 / 0.2 - 43 / 0.8), rel=1e-10)
    pairs = 0.5 * (7 * 6 / 0.2 + 43 * 42 / 0.8 - 50 * 49)
    assert float(at_none[1]) == pytest.approx(-pairs, rel=1e-9)


def test_what_is_no_probability_is_no_charge() -> None:
    found = charge_root_of_numbers([-0.1, 0.0, 1.0, 1.1], [0.5, 0.0, 1.0, 0.5], 10, 0.2)
    assert np.isnan(found[[0, 3]]).all() and (np.abs(found[1:3]) < 1e-6).all()


def test_a_law_with_scatter_predicts_as_before_and_is_told_apart_from_it() -> None:
    law = overdispersed(sj.laws.power_law)
    assert overdispersed(law) is law and without_scatter(law) is sj.laws.power_law
    assert law.params == (*sj.laws.power_law.params, OVERDISPERSION)
    assert law(4.0, A=2.0, alpha=0.5, overdispersion=0.3) == sj.laws.power_law(4.0, A=2.0, alpha=0.5)
    assert pickle.loads(pickle.dumps(law)) == law and hash(law) == hash(overdispersed(sj.laws.power_law))
    assert linear_parameters(law) == linear_parameters(sj.laws.power_law)
    free, held = (0, 1, 2), np.full(3, np.nan).tobytes()
    assert confounded(law, np.eye(3).tobytes(), free, held) == ()

    @sj.law
    def own(x, *, overdispersion: sj.Unit):
        return overdispersion * x

    with pytest.raises(ValueError, match="of its own"):
        overdispersed(own)
