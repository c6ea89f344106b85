"""The fan holds the runs, the law, and the bands that the fit itself gives."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.fitting.fitted import Fitted


def test_dots_at_the_ratio_are_as_measured_and_others_keep_their_residual(best: sj.FitResult) -> None:
    table = sj.plot.fan_data(best, ratio=20.0)
    runs = best.data()
    dots = table[table["kind"].isin(("run", "moved"))]
    on = np.abs(np.log(runs.inputs["D"] / runs.inputs["N"] / 20)) <= np.log(1.25)
    np.testing.assert_array_equal(dots["kind"] == "run", on)
    np.testing.assert_array_equal(dots.loc[dots["kind"] == "run", "value"], runs.target[on])
    C = 6 * runs.inputs["N"] * runs.inputs["D"]
    there = best.predict({"N": np.sqrt(C / 120), "D": 20 * np.sqrt(C / 120)})
    np.testing.assert_allclose(np.log(there / dots["value"])[~on], best.residuals[~on], rtol=1e-9)


def test_bands_are_the_fits_own(best: sj.FitResult) -> None:
    ahead = {"N": [7e10], "D": [1.4e12], "loss": [2.0]}
    table = sj.plot.fan_data(best, ahead)
    target = table[table["kind"] == "target"].iloc[0]
    mean, new = (best.predict(ahead, interval=kind) for kind in ("confidence", "prediction"))
    assert target["value"] == mean["prediction"][0] and target["measured"] == 2.0
    assert (target["mean_lower"], target["mean_upper"]) == (mean["lower"][0], mean["upper"][0])
    assert (target["lower"], target["upper"]) == (new["lower"][0], new["upper"][0])
    law = table[table["kind"] == "law"]
    runs = best.data().inputs
    assert (law.loc[law["x"] <= (6 * runs["N"] * runs["D"]).max(), "beyond"] == 0).all()
    assert law["x"].max() == pytest.approx(1.5 * 6 * 7e10 * 1.4e12)


def test_the_picture_says_what_it_shows(best: sj.FitResult) -> None:
    before = dict(matplotlib.rcParams)
    ax = sj.plot.fan(best, {"N": [7e10], "D": [1.4e12]})
    assert ax.get_xlabel() == "training compute C (FLOP)"
    assert ax.get_ylabel() == "loss at 20 tokens per parameter"
    assert {"law", "90 %, new run", "end of data"} <= {text.get_text() for text in ax.texts}
    assert dict(matplotlib.rcParams) == before


def test_one_input_and_a_posteriors_cousins_will_do(line: sj.FitResult) -> None:
    draws = line.bootstrap(40)
    assert isinstance(draws.fit, Fitted)
    assert sj.plot.fan(draws).get_xlabel() == "x"


def test_what_cannot_be_drawn_is_told(best: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="along='width': use one of N, D"):
        sj.plot.fan(best, along="width")
