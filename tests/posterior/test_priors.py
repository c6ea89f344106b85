"""Priors: a user's, the library's own, and what is known of one without quantiles."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_any_law_samples_without_priors_of_its_own_and_takes_a_user_s(fit):
    pytest.importorskip("numpyro")
    import numpyro.distributions as dist

    @sj.law
    def mine(x, *, a: sj.Positive, b: sj.Real):
        return a * x**b

    x = np.geomspace(1, 1e3, 12)
    y = 2 * x**-0.3 * np.exp(0.01 * np.random.default_rng(0).normal(size=12))
    fitted = sj.fit(mine, {"x": x, "loss": y})
    options = {"method": "laplace", "draws": 500, "observation": "lognormal"}
    wide = fitted.posterior(**options)
    assert abs(wide.conf_int().loc["b", "estimate"] + 0.3) < 0.02
    tight = fitted.posterior(priors={"b": dist.Normal(-0.2, 1e-4), "sigma": 0.01}, **options)
    # twenty prior standard deviations
    assert tight.conf_int().loc["b", "estimate"] == pytest.approx(-0.2, abs=2e-3)
    assert "sigma" not in tight.sites
    assert abs(wide.prior_sensitivity().loc["b", "stronger"]) < 0.1  # a wide prior does not matter


def test_a_prior_without_quantiles_of_its_own_has_a_centre_and_a_spread():
    """NumPyro's beta has no quantiles; the standard error of 2,000 draws is 2 % of the spread."""
    dist = pytest.importorskip("numpyro").distributions
    from scaling_jax.posterior.priors import coordinate_of

    stats = pytest.importorskip("scipy.stats")
    low, middle, high = (np.log(q / (1 - q)) for q in stats.beta(2.0, 6.0).ppf([0.16, 0.5, 0.84]))
    centre, spread = coordinate_of(dist.Beta(2.0, 6.0), sj.laws.chance_sigmoid.label_domains[0])
    assert centre == pytest.approx(middle, abs=0.1 * spread)
    assert spread == pytest.approx((high - low) / 2, rel=0.1)
