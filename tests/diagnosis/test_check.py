"""New runs against a fitted trend: healthy ones are uniform in p, broken ones are found."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

SCATTER = 0.02


def runs(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    x = np.exp(rng.uniform(np.log(1e3), np.log(1e7), n))
    return {"size": x, "loss": 20 * x**-0.15 * np.exp(SCATTER * rng.normal(size=n))}


@pytest.fixture(scope="module")
def trend() -> sj.FitResult:
    return sj.fit(
        sj.laws.power_law,
        runs(np.random.default_rng(3), 60),
        inputs={"x": "size"},
        objective=sj.SquaredError(),
    )


def test_healthy_runs_are_uniform_in_p(trend):
    """Largest distance of the ECDF of 400 p values from uniform:
    .085 is exceeded with probability .006, and 60 rows shift it by less."""
    p = np.sort(trend.check(runs(np.random.default_rng(4), 400))["p"])
    assert np.abs(p - (np.arange(400) + 0.5) / 400).max() < 0.085


def test_p_and_the_prediction_band_are_one_definition(trend):
    """Below .1 is outside the 90 % band, inside the data and far beyond them."""
    size = np.geomspace(1e3, 1e10, 60)
    table = {"size": size, "loss": 20 * size**-0.15 * np.exp(np.linspace(-0.15, 0.15, 60))}
    band = trend.predict(table, interval="prediction")
    outside = (table["loss"] < band["lower"]) | (table["loss"] > band["upper"])
    assert outside.any() and not outside.all()
    assert ((trend.check(table)["p"] < 0.1) == outside).all()


def test_a_run_that_did_not_converge_stands_out(trend):
    table = runs(np.random.default_rng(5), 8)
    table["loss"][3] *= np.exp(6 * SCATTER)
    found = trend.check(table)
    assert found["p"].idxmin() == 3
    assert found.loc[3, "z"] == pytest.approx(6, abs=3)  # its own scatter and that of the estimated one
    assert found.loc[3, "p"] < 1e-3
    assert found.loc[3, "deviation"] > 0


def test_deviations_do_not_depend_on_the_unit_of_the_target(trend):
    table = runs(np.random.default_rng(3), 60)
    scaled = sj.fit(
        sj.laws.power_law,
        table | {"loss": 1000 * table["loss"]},
        inputs={"x": "size"},
        objective=sj.SquaredError(),
    )
    new = runs(np.random.default_rng(6), 20)
    np.testing.assert_allclose(
        scaled.check(new | {"loss": 1000 * new["loss"]})["z"], trend.check(new)["z"], rtol=1e-5
    )


def test_the_new_table_is_checked(trend):
    with pytest.raises(sj.DataError, match="no column"):
        trend.check({"size": [1e4], "nll": [2.0]})
    with pytest.raises(sj.DataError, match="positive"):
        trend.check({"size": [1e4], "loss": [-2.0]})
    assert len(trend.check({"size": [1e4, 1e5], "nll": [2.0, np.nan]}, target="nll")) == 1


def test_goodness_of_fit_is_judged_on_the_natural_scale(trend):
    data = trend.data()
    miss = data.target - trend.predict(data.inputs)
    # a mean miss near 0
    assert trend.r_squared == pytest.approx(1 - np.var(miss) / np.var(data.target), abs=1e-3)
