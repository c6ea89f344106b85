"""A forecast in front of a fit of a metric: the medians go through, the uncertainties join, plans follow."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

LOSS = {"E": 1.8, "A": 60.0, "alpha": 0.25}
AHEAD = {"C": [1e11, 1e12]}


@sj.law
def link(loss, *, a: sj.Positive, b: sj.Positive):
    return a * loss**b


@pytest.fixture(scope="module")
def ahead() -> sj.Forecast:
    C = np.geomspace(1e6, 1e10, 24)
    scatter = np.exp(0.003 * np.random.default_rng(0).normal(size=24))
    return sj.forecast({"C": C, "loss": (LOSS["E"] + LOSS["A"] * C ** -LOSS["alpha"]) * scatter}, at=AHEAD)


@pytest.fixture(scope="module")
def error() -> sj.FitResult:
    loss = np.linspace(1.8, 4.0, 30)
    scatter = np.exp(0.02 * np.random.default_rng(1).normal(size=30))
    return sj.fit(link, {"loss": loss, "error": 0.1 * loss**1.5 * scatter}, target="error")


def test_a_forecast_of_loss_is_one_of_the_metric(ahead, error) -> None:
    found = sj.chain(ahead, error, via="loss")
    band, loss = found.interval(), ahead.interval()
    np.testing.assert_allclose(band["prediction"], error.predict({"loss": loss["prediction"]}), rtol=1e-12)
    C = np.array(AHEAD["C"])
    true = 0.1 * (LOSS["E"] + LOSS["A"] * C ** -LOSS["alpha"]) ** 1.5
    assert ((band["lower"] < true) & (true < band["upper"])).all()
    again = found.predict(AHEAD, interval="prediction")
    np.testing.assert_allclose(again.to_numpy(), band.to_numpy())


def test_uncertainties_join_as_independent_ones_do(ahead, error) -> None:
    """Variances of logs add: b^2 times that of the loss, and that of the fit with its scatter."""
    rng = np.random.default_rng(2)
    draws = np.log(sj.chain(ahead, error).draws(8000))
    loss = ahead.draws(8000)
    at = {"loss": ahead.interval()["prediction"]}
    own = np.log(error.bootstrap(1000).params["a"].to_numpy())[:, None]
    own = own + error.bootstrap(1000).params["b"].to_numpy()[:, None] * np.log(at["loss"].to_numpy())
    scatter = np.log(rng.choice(np.exp(np.asarray(error.residuals)), 8000))
    expected = error.params["b"] ** 2 * np.log(loss).var(axis=0) + own.var(axis=0) + scatter.var()
    np.testing.assert_allclose(draws.var(axis=0), expected, rtol=0.12)  # t draws of 8,000: some 5 %


def test_plans_are_made_for_the_metric(ahead, error) -> None:
    """The cheapest run that reaches an error is the one whose loss the fit gives it for."""
    goal = 0.1 * 2.1**1.5
    compute = sj.cost.of("x", "FLOP")
    with pytest.warns(UserWarning, match="of the draws have no run that reaches it"):
        run = sj.plan(sj.chain(ahead, error), loss=goal, cost=compute).table.iloc[0]
    assert run["loss"] == pytest.approx(goal, rel=1e-9)
    assert error.predict({"loss": ahead.predict({"C": [run["flops"]]})})[0] == pytest.approx(goal, rel=0.01)
    assert run["flops_lower"] < run["flops"] < run["flops_upper"]


def test_stages_must_fit(ahead, error) -> None:
    with pytest.raises(ValueError, match="via='compute': law 'link' has the inputs loss"):
        sj.chain(ahead, error, via="compute")
    with pytest.raises(ValueError, match="band of new runs"):
        sj.chain(ahead, error).predict(AHEAD, interval="confidence")
