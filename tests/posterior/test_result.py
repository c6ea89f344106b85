"""Posteriors: chains that agree, recovery, the bootstrap's interface, pooling, and one-line remedies."""

from __future__ import annotations

import sys

import jax
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.posterior.build import build
from scaling_jax.posterior.model import location


def test_without_numpyro_there_is_one_sentence_with_the_remedy(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(ImportError, match=r"numpyro: pip install 'scaling-jax\[bayes\]'"):
        fit.posterior()


def test_chains_agree_in_float64_and_touch_no_setting(posterior):
    assert posterior.numbers.dtype == np.float64
    assert not jax.config.jax_enable_x64
    assert posterior.n_divergent == 0
    assert posterior.diagnostics["r_hat"].max() < 1.01
    assert posterior.diagnostics["ess_bulk"].min() > 400
    assert posterior.warnings == []
    assert "The chains agree" in posterior.summary()


def test_medians_lie_at_the_fit_under_the_matching_likelihood(posterior, fit):
    found = posterior.conf_int(0.9)
    assert (abs(found["estimate"] - fit.numbers) < found["se"]).all()
    assert ((found["lower"] < fit.numbers) & (fit.numbers < found["upper"])).all()


def test_a_posterior_is_taken_like_a_bootstrap(posterior):
    new = {"N": [1e10, 1e11], "D": [1e12, 2e12]}
    band, wide = (posterior.predict(new, interval=kind, level=0.9) for kind in ("confidence", "prediction"))
    assert list(band.columns) == ["prediction", "lower", "upper", "extrapolation"]
    assert ((wide["upper"] - wide["lower"]) > (band["upper"] - band["lower"])).all()
    # inside the data a new row scatters by sigma: 2 * 1.645 standard deviations on the log
    sigma = np.median(posterior.sites["sigma"])
    width = np.log(wide["upper"] / wide["lower"])[0]
    assert width == pytest.approx(
        2 * 1.645 * np.hypot(sigma, np.log(band["upper"] / band["lower"])[0] / 3.29), rel=0.15
    )
    share = posterior.derive(lambda p: p["beta"] / (p["alpha"] + p["beta"]))
    assert 0 < share.loc["quantity", "lower"] < share.loc["quantity", "upper"] < 1
    assert isinstance(posterior.params, pd.DataFrame)


def test_compute_optimal_takes_a_posterior(posterior):
    plan = sj.compute_optimal(posterior, flops=[1e22])
    assert (plan["N_lower"] < plan["N"]).all()
    assert (plan["N"] < plan["N_upper"]).all()


@pytest.mark.slow
def test_pooling_lends_strength_to_a_group_with_two_sizes(families):
    pytest.importorskip("numpyro")
    pooled = families.posterior(pool=["alpha", "beta"], method="laplace", observation="lognormal", draws=500)
    assert list(pooled) == list(families)
    assert {"alpha_mean", "alpha_sd", "run_sd"} <= set(pooled.population.columns)
    for i, key in enumerate(pooled):
        row = pooled[key].conf_int(0.999).loc["alpha"]  # four intervals: one misses in 250 runs of this test
        assert row["lower"] < 0.30 + 0.02 * i < row["upper"]
    assert "4 groups, alpha, beta pooled" in pooled.summary()
    assert "What the groups have in common" in pooled._repr_html_()
    forest = sj.plot.forest_data(pooled, "alpha")
    assert forest.loc[key, "lower"] == pooled[key].conf_int(0.9).loc["alpha", "lower"]


def test_bad_input_is_one_sentence(fit):
    pytest.importorskip("numpyro")
    import numpyro.distributions as dist

    for options, words in (
        ({"priors": {"gamma": dist.Normal(0, 1)}}, "priors names 'gamma'"),
        ({"priors": {"A": dist.Normal(0, 1)}}, "A must be positive"),
        ({"priors": {"alpha": dist.Normal(np.zeros(2), 1)}}, "distribution of one number"),
        ({"observation": "poisson"}, "observation='poisson'"),
        ({"method": "gibbs"}, "method='gibbs'"),
        ({"draws": 0}, "positive numbers"),
        ({"run_effects": True}, "fit with run="),
    ):
        with pytest.raises(ValueError, match=words):
            fit.posterior(**options)
    with pytest.raises(TypeError, match="a mapping to a Distribution or a number"):
        fit.posterior(priors={"alpha": "wide"})


def test_rows_of_laws_of_curves_see_their_own_schedule():
    """The model's centre of every row of every group is the logarithm of what the group's fit predicts."""

    @sj.law(ranges={"A": (0.5, 5.0), "alpha": (0.1, 1.0)})
    def of_curve(step, lr: sj.Curve, *, A: sj.Positive, alpha: sj.Real):
        return A * (lr.total / 10) ** -alpha

    schedules = {name: sj.schedules.cosine(1000, rate) for name, rate in (("p", 0.1), ("q", 0.2), ("r", 0.4))}
    rows = pd.DataFrame({"step": np.tile(np.arange(100, 1001, 100), 3), "run": np.repeat(list("pqr"), 10)})
    rows["lr"], rows["g"] = rows["run"].map(schedules), np.where(rows["run"] == "p", "one", "two")
    rows = sj.datasets.simulate(of_curve, {"A": 3.0, "alpha": 0.3}, rows, noise=0.01)
    fits = list(sj.fit_groups(of_curve, rows, by="g", starts=4).values())
    design, table, *_, places = build(fits)
    values = {name: np.array([fit.params[name] for fit in fits]) for name in ("A", "alpha")}
    with jax.enable_x64(True):
        centre = np.asarray(location(design, table, values)).ravel()[places]
    wanted = np.concatenate([np.log(fit.at_rows.prediction) for fit in fits])
    np.testing.assert_allclose(centre, wanted, rtol=1e-12)
