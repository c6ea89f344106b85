"""A forecast's picture shows its own numbers, its members and their weights."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


@pytest.fixture(scope="module")
def ahead(best: sj.FitResult) -> sj.Forecast:
    runs = best.data()
    return sj.forecast({**runs.inputs, "loss": runs.target}, "loss", at={"N": [7e10], "D": [1.4e12]})


def test_the_numbers_are_the_forecasts_own(ahead: sj.Forecast) -> None:
    table = sj.plot.forecast_data(ahead)
    target = table[table["kind"] == "target"].iloc[0]
    said = ahead.interval().iloc[0]
    assert target[["value", "lower", "upper"]].tolist() == said[["prediction", "lower", "upper"]].tolist()
    members = table[table["kind"] == "member"].groupby("member")["weight"].first()
    np.testing.assert_allclose(members.loc[list(ahead.weights.index)], ahead.weights)
    whole = table[table["kind"] == "forecast"]
    at = np.argmin(np.abs(np.log(whole["x"] / target["x"])))
    assert whole["value"].iloc[at] == pytest.approx(said["prediction"], rel=0.02)


def test_the_fan_names_what_weighs_most(ahead: sj.Forecast) -> None:
    ax = sj.plot.forecast(ahead)
    first = ahead.weights.idxmax()
    assert any(text.get_text().startswith(first) for text in ax.texts)
    assert ax.get_ylabel() == "loss at 20 tokens per parameter"


def test_weights_are_bars(ahead: sj.Forecast) -> None:
    ax = sj.plot.weights(ahead)
    widths = [bar.get_width() for bar in ax.patches]
    np.testing.assert_allclose(widths, 100 * np.sort(ahead.weights))
