"""The decision on a law: what it says of our own sweep, of a hopeless law and of a true one."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.diagnosis.adequacy import LEVEL, Adequacy, look
from scaling_jax.fitting import members


@pytest.fixture(scope="module")
def sweep() -> sj.FitResult:
    """The Chinchilla law on our own sweep, as the command line fits it."""
    return sj.fit(
        sj.laws.chinchilla,
        sj.datasets.load("tiny_sweep"),
        inputs={"N": "n_params", "D": "tokens"},
        run="run",
        where="arm == 'main' and final",
    )


@pytest.fixture(scope="module")
def found(sweep: sj.FitResult) -> Adequacy:
    return sweep.adequacy()


def test_the_sweep_s_parabola_is_reported(sweep: sj.FitResult, found: Adequacy) -> None:
    """Residuals of the certified optimum are a parabola in the prediction: 1.2 % too high at both ends."""
    assert found.speaks and "too high at both ends of the predicted loss" in found.sentence
    low, middle, high = found.table.loc["bend in loss", ["lowest", "middle", "highest"]]
    assert low > 0.8 and high > 0.8 and middle < -0.2
    assert 0.01 < found.size < 0.015


def test_a_law_is_tried_before_it_is_named(sweep: sj.FitResult, found: Adequacy) -> None:
    """`chinchilla_gamma` and `bracket` are the laws with half the extrapolation error there."""
    assert found.suggestion in ("chinchilla_gamma", "bracket") and found.suggestion in found.sentence
    assert (found.tried.loc[["chinchilla_gamma", "bracket"], "removed"] > 0.75).all()
    runs = sweep.data()
    other = sj.fit(getattr(sj.laws, found.suggestion), runs.inputs | {"loss": runs.target}, run=runs.run)
    assert look(other).trends.p.min() > LEVEL


def test_drift_is_that_of_a_refit(sweep: sj.FitResult, found: Adequacy) -> None:
    runs = sweep.data()
    size = runs.inputs["N"] * runs.inputs["D"]
    kept = (size > np.quantile(size, 0.5)).astype(float)
    alone = sj.fit(sj.laws.chinchilla, runs.inputs | {"loss": runs.target}, run=runs.run, weights=kept)
    drift = found.drift.loc["without the smallest half of 6ND"]
    for label in sweep.law.labels:
        assert drift.loc[label, "then"] == pytest.approx(alone.params[label], rel=1e-4)
    assert found.drift["z"].dropna().abs().max() < 4


def test_looking_refits_nothing(sweep: sj.FitResult, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "solve", None)
    seen = look(sj.FitResult.of(sweep))
    assert seen.speaks and not len(seen.tried) and not len(seen.drift)
    assert seen.p == look(sweep).p


def test_every_representation_holds_the_sentence(found: Adequacy) -> None:
    assert (
        found.sentence in str(found)
        and found.sentence in repr(found)
        and found.sentence in found._repr_html_()
    )
    assert "bend in loss" in str(found) and "<table" in found._repr_html_()


def test_a_true_law_is_left_alone() -> None:
    x = np.geomspace(1, 1e4, 40)
    loss = (1 + 3 / x**0.5) * np.exp(0.01 * np.random.default_rng(2).normal(size=40))
    right = sj.fit(sj.laws.power_law_floor, {"x": x, "loss": loss}).adequacy()
    assert (
        not right.speaks
        and right.p > LEVEL
        and right.tried.empty
        and right.sentence.startswith("The residuals")
    )
    wrong = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}).adequacy()
    assert (
        wrong.speaks
        and wrong.suggestion == "power_law_floor"
        and wrong.tried.loc["power_law_floor", "p"] > LEVEL
    )


def test_repeated_runs_count() -> None:
    """Two sizes far apart and a seed's scatter: the law misses the means of seeds by what no trend shows."""
    x = np.repeat(np.geomspace(1, 1e4, 12), 4)
    rng = np.random.default_rng(0)
    off = np.repeat(rng.normal(size=12), 4)
    loss = 3 * x**-0.2 * np.exp(0.02 * off + 0.001 * rng.normal(size=48))
    found = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError()).adequacy()
    assert found.lack is not None and found.lack.p < 1e-6 and found.speaks
    assert "repeated runs differ" in found.sentence


def test_a_miss_that_matters_to_nobody_is_none() -> None:
    x = np.geomspace(1, 1e4, 24)
    found = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x**0.2 * (1 + 1e-6 * np.log(x) ** 2)}).adequacy()
    assert found.p <= LEVEL and not found.speaks and "too small to matter" in found.sentence


def test_few_runs_are_said_to_be_few() -> None:
    found = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1.1]}).adequacy()
    assert np.isnan(found.p) and not found.speaks and found.sentence.startswith("3 runs are too few")
