"""Draws: derived quantities, bands of the mean curve and of new runs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.uncertainty.draws import extrapolation


def test_derived_quantities_come_with_intervals(replicates) -> None:
    derived = replicates.derive(lambda p: {"share": p["beta"] / (p["alpha"] + p["beta"])})
    assert derived.loc["share", "estimate"] == pytest.approx(0.5139, abs=1e-4)
    assert derived.loc["share", "se"] == pytest.approx(0.01998, rel=0.065)


def test_bands_contain_the_estimate_and_predictions_are_wider_than_the_mean(line: sj.FitResult) -> None:
    at = {"x": [10.0, 1e4, 1e5]}
    mean, new = line.predict(at, interval="confidence"), line.predict(at, interval="prediction")
    assert ((mean["lower"] < mean["prediction"]) & (mean["prediction"] < mean["upper"])).all()
    assert ((new["upper"] - new["lower"]) > (mean["upper"] - mean["lower"])).all()
    assert mean["extrapolation"].round(9).tolist() == [0.0, 1.0, 2.0]
    np.testing.assert_allclose(mean["prediction"], line.predict(at))
    with pytest.raises(ValueError, match="'confidence' is the band of the mean curve"):
        line.predict(at, interval="credible")


def test_a_new_runs_band_does_not_depend_on_what_is_asked_beside_it(line: sj.FitResult) -> None:
    """Equal rows have equal ends, so that a band along a curve is smooth."""
    draws = line.bootstrap(200)
    many = draws.predict({"x": np.array([3.0, 7.0, 3.0, 30.0])}, interval="prediction")
    one = draws.predict({"x": np.array([3.0])}, interval="prediction")
    np.testing.assert_array_equal(many.iloc[0], many.iloc[2])
    np.testing.assert_allclose(one.iloc[0], many.iloc[0], rtol=1e-12)


def test_a_new_run_is_less_certain_the_further_it_lies_beyond_the_data(line: sj.FitResult) -> None:
    """A tenth of the prediction per decade beyond the data, none inside, and .7 of the mean curve's band."""
    at = {"x": [30.0, 1e4, 1e5]}
    new, mean = line.predict(at, interval="prediction"), line.predict(at, interval="confidence")
    scale = np.sqrt(np.sum(line.residuals**2) / 22)
    half = np.log(new["upper"] / new["prediction"])
    assert half[0] < 3 * scale
    reach = 0.7 * np.log(mean["upper"] / mean["lower"]) / 2
    np.testing.assert_allclose(half[1:], np.add(reach[1:], [0.105, 0.21]))
    wide = line.predict(at, interval="prediction", level=0.99)
    assert (wide["upper"] > new["upper"]).all()
    assert "widened" in new.attrs["method"] and "1,000 replicates" in new.attrs["method"]


def test_a_simultaneous_band_holds_the_whole_curve() -> None:
    """60 simulated tables, the true curve over two decades: pointwise bands hold all of it too seldom."""
    rng, x = np.random.default_rng(1), np.geomspace(1, 100, 16)
    losses = 3 / np.sqrt(x) * np.exp(0.02 * rng.normal(size=(60, 16)))
    table = {"x": np.tile(x, 60), "loss": losses.ravel(), "table": np.repeat(np.arange(60), 16)}
    draws = sj.fit_groups(sj.laws.power_law, table, by="table", objective=sj.SquaredError()).bootstrap(200)
    at = np.geomspace(1, 100, 40)
    held, true = [], np.tile(3 / np.sqrt(at), 60)
    for simultaneous in (False, True):
        band = draws.predict({"x": at}, simultaneous=simultaneous)
        inside = (band["lower"] <= true) & (true <= band["upper"])
        held.append(inside.groupby("group").all().mean())
    # of 60 tables, two binomial standard deviations below 87 %, what the bootstrap holds of one point
    assert held[1] >= 0.78 and held[1] > held[0] + 0.05


def test_simultaneous_bands_are_wider_and_of_one_shape(line: sj.FitResult) -> None:
    at = {"x": np.geomspace(10, 1e5, 30)}
    one, all_ = (line.predict(at, "confidence", simultaneous=s) for s in (False, True))
    ratio = np.log(all_["upper"] / all_["lower"]) / np.log(one["upper"] / one["lower"])
    assert ratio.min() > 1.05 and ratio.max() < 1.5
    new = line.predict(at, "prediction", simultaneous=True)
    assert (new["upper"] >= all_["upper"] - 1e-12).all() and (new["lower"] < line.predict(at)).all()


def test_a_band_keeps_the_index_of_the_frame_it_was_asked_for(line: sj.FitResult) -> None:
    frame = pd.DataFrame({"x": [2.0, 3.0]}, index=[5, 9])
    assert line.predict(frame, interval="prediction").index.tolist() == [5, 9]
    with pytest.raises(ValueError, match="predict takes one table or mapping of inputs"):
        line.predict(7e9, 1e12)


def test_a_corner_where_nothing_was_run_is_extrapolation() -> None:
    """The largest size was run short, the smallest long: the largest, long, is new, as far as half the
    compute beyond."""
    N, D = np.array([1e7, 1e8, 1e9, 1e7, 1e8]), np.array([2e10, 1e10, 6e9, 4e9, 3e9])
    loss = 2 + 1e3 / N**0.4 + 1e3 / D**0.3
    fit = sj.fit("chinchilla", {"N": N, "D": D, "loss": loss})
    found = extrapolation(fit, {"N": np.array([1e9, 1e8, 1e10]), "D": np.array([2e10, 5e9, 2e11])})
    compute = np.log10(1e9 * 2e10 / (1e9 * 6e9)) / 2
    np.testing.assert_allclose(found, [compute, 0.0, np.log10(1e10 * 2e11 / (1e9 * 6e9)) / 2], rtol=1e-9)
