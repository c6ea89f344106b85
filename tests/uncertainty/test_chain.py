"""Chained fits on the over-trained models of Gadre et al. 2024: compute to loss, loss to downstream error."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


@sj.law(ranges={"eta": (0.02, 0.5)})
def reducible(C, M, *, E: sj.Positive, a: sj.Positive, b: sj.Positive, eta: sj.Real):
    return E + (a * M**eta + b * M**-eta) * C**-eta


@sj.law(ranges={"gamma": (0.1, 3.0)})
def error_of_loss(loss, *, eps: sj.Positive, k: sj.Positive, gamma: sj.Positive):
    return eps - k * jnp.exp(-gamma * loss)


@pytest.fixture(scope="module")
def models(overtrained: pd.DataFrame) -> pd.DataFrame:
    return overtrained[overtrained["dataset"] == "redpajama"]


@pytest.fixture(scope="module")
def chained(models: pd.DataFrame):
    options = {"objective": sj.SquaredError(on="raw"), "run": "name"}
    loss = sj.fit(
        reducible,
        models,
        inputs={"C": "flops_6nd", "M": "token_multiplier"},
        target="loss_c4_eval",
        where="fit_loss_default == 1",
        **options,
    )
    error = sj.fit(
        error_of_loss,
        models,
        inputs={"loss": "loss_c4_eval"},
        target="err_avg_17",
        where="fit_error_default == 1",
        **options,
    )
    return sj.chain(loss, error, via="loss")


def test_predicted_errors_are_the_papers(chained, models: pd.DataFrame) -> None:
    """Gadre et al. 2024, table 2: 3.637 % at 1.4e9 and M = 640, .046 % at 6.9e9 and M = 20."""
    large = models[
        (models["n_params"] > 1e9)
        & models["token_multiplier"].isin([20, 640])
        & (models["fit_error_default"] == 0)
    ]
    predicted = chained.predict(large.sort_values("n_params"))
    measured = large.sort_values("n_params")["err_avg_17"].to_numpy()
    # percentages are printed to three decimals; the fits' tolerance moves them by up to .05 points
    np.testing.assert_allclose(100 * np.abs(predicted / measured - 1), [3.637, 0.046], atol=0.05)


def test_band_holds_the_prediction(chained, models: pd.DataFrame) -> None:
    band = chained.predict(models[models["n_params"] > 1e9], interval="confidence")
    assert (band["lower"] < band["prediction"]).all() and (band["prediction"] < band["upper"]).all()


@sj.law
def proportional(loss, *, m: sj.Positive):
    return m * loss


def test_draws_are_paired_by_run() -> None:
    """Stages fitted to the same runs have the same draws, replicate by replicate; strangers do not."""
    rng = np.random.default_rng(0)
    table = {"loss": rng.uniform(1, 2, 12), "y": rng.uniform(1, 2, 12), "run": [f"r{i}" for i in range(12)]}
    first = sj.fit(proportional, table, target="y", run="run")
    stranger = sj.fit(proportional, {**table, "run": [f"s{i}" for i in range(12)]}, target="y", run="run")
    for second, same in ((first, True), (stranger, False)):
        left, right = sj.chain(first, second).draws
        assert np.array_equal(left.numbers, right.numbers) is same


def test_bad_links_are_named(chained) -> None:
    with pytest.raises(ValueError, match="has the inputs loss"):
        sj.chain(*chained.stages, via="perplexity")
    with pytest.raises(ValueError, match="two fits or more"):
        sj.chain(chained.stages[0])
    with pytest.raises(ValueError, match="mean curve"):
        chained.predict({"C": [1e20], "M": [20]}, interval="prediction")
