"""Several outputs of the same runs: what they share, what is each one's own, and that runs stay whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

SQUARED = sj.SquaredError()
X = np.geomspace(1, 1e4, 24)
LUCK = np.random.default_rng(0).normal(0, 0.02, 24)
NOISE = np.random.default_rng(1).normal(0, 0.01, 24)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two losses of the same runs with one exponent, one of them missing in a third of the runs."""
    web = 5 * X**-0.2 * np.exp(LUCK)
    code = np.where(np.arange(24) % 3, 2 * X**-0.2 * np.exp(LUCK + NOISE), np.nan)
    return pd.DataFrame({"x": X, "web": web, "code": code, "again": web})


def test_outputs_that_share_nothing_are_fits_of_their_own(table):
    fits = sj.fit("power_law", table, target=["web", "code"], objective=SQUARED)
    for name in ("web", "code"):
        alone = sj.fit("power_law", table.dropna(subset=[name]), target=name, objective=SQUARED)
        np.testing.assert_allclose(fits[name].numbers, alone.numbers, rtol=1e-8)
        assert fits[name].status == "converged" and fits[name].sources["target"] == name
    assert list(fits.predict(table)) == ["web", "code"] and len(fits.predict(table)) == 24
    assert fits.summary().startswith("2 outputs:")


def test_what_is_shared_is_what_groups_of_the_long_table_share(table):
    fits = sj.fit("power_law", table, target=["web", "code"], objective=SQUARED, shared=["alpha"])
    long = table.melt("x", ["web", "code"], "output", "loss").dropna()
    groups = sj.fit_groups("power_law", long, by="output", objective=SQUARED, shared=["alpha"])
    np.testing.assert_allclose(fits.params, groups.params, rtol=1e-8)
    assert np.ptp(fits.params["alpha"]) == 0
    assert fits.params.loc["web", "alpha"] == pytest.approx(0.2, abs=0.01)


def test_a_heavy_output_decides_what_is_shared(table):
    steeper = table.assign(code=table["code"] * X**-0.1)
    asked = {"target": {"w": "web", "c": "code"}, "objective": SQUARED, "shared": ["alpha"]}
    heavy = sj.fit("power_law", steeper, output_weights={"c": 1e6}, **asked)
    code = sj.fit("power_law", steeper.dropna(), target="code", objective=SQUARED)
    assert heavy.params.loc["w", "alpha"] == pytest.approx(code.params["alpha"], abs=1e-5)


def test_the_same_output_twice_tells_no_more_than_once(table):
    """Of twice the same numbers the shared exponent has the error of one, and no draw tells them apart."""
    twice = sj.fit("power_law", table, target=["web", "again"], objective=SQUARED, shared=["alpha"])
    once = sj.fit("power_law", table, target="web", objective=SQUARED)
    np.testing.assert_allclose(twice["web"].cov(), once.cov(), rtol=1e-6)
    np.testing.assert_allclose(twice["web"].jackknife(), once.jackknife(), rtol=1e-6)
    draws = twice.bootstrap(200)
    apart = draws.derive(lambda of: of["web"]["A"] / of["again"]["A"] - 1)
    assert np.abs(apart[["lower", "upper"]].to_numpy()).max() < 1e-6
    width = draws["web"].conf_int().loc["alpha", ["lower", "upper"]]
    alone = once.bootstrap(200, method="run").conf_int().loc["alpha", ["lower", "upper"]]
    assert np.ptp(width) == pytest.approx(np.ptp(alone), rel=0.25)  # 200 draws each: widths err by 8 %


def test_outputs_that_share_nothing_are_drawn_together_too(table):
    fits = sj.fit("power_law", table, target=["web", "code"], objective=SQUARED)
    band = fits.predict({"x": [1e5]}, interval="confidence")
    assert list(band.columns[:3]) == [("web", "prediction"), ("web", "lower"), ("web", "upper")]
    ratio = fits.draws.derive(lambda of: of["code"]["alpha"] - of["web"]["alpha"])["se"]
    apart = np.hypot(*(fits[name].conf_int().loc["alpha", "se"] for name in fits))
    assert ratio.item() < 0.8 * apart  # what a run's luck does to both cancels


def test_what_is_for_outputs_alone_is_refused_elsewhere(table):
    with pytest.raises(ValueError, match="are for several outputs"):
        sj.fit("power_law", table, target="web", shared=["alpha"])
    fits = sj.fit("power_law", table, target=["web", "code"])
    with pytest.raises(ValueError, match="stay together"):
        fits.bootstrap(10, method="row")
    with pytest.raises(ValueError, match="leave scale= and paired= out"):
        fits.bootstrap(10, paired=False)
    with pytest.raises(sj.UnderdeterminedError, match="Outputs"):
        sj.fit("power_law_floor", table.head(2), target=["web", "again"], strict=True)
