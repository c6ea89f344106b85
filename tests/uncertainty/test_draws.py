"""Draws: derived quantities, bands of the mean curve and of new runs."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


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


def test_a_new_run_is_less_certain_the_further_it_lies_beyond_the_data(line: sj.FitResult) -> None:
    """Beyond the mean curve's widening: 3.6 residual scales per decade, none inside the data, as is said."""
    at = {"x": [30.0, 1e4, 1e5]}
    new = line.predict(at, interval="prediction")
    scale = np.sqrt(np.sum(line.residuals**2) / 22)
    half = np.log(new["upper"] / new["prediction"])
    assert half[0] < 3 * scale
    assert half[1] > 3.6 * scale and half[2] > 7.2 * scale
    assert "widened" in new.attrs["method"] and "1,000 replicates" in new.attrs["method"]
