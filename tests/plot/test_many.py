"""Groups stand side by side on the same axes, and forests and maps hold their numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


@pytest.fixture(scope="module")
def fits() -> sj.FitGroups:
    x = np.geomspace(1, 1e3, 10)
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"x": x, "loss": 5 * x**-a * np.exp(0.02 * rng.normal(size=10)), "family": name})
        for name, a in (("one", 0.2), ("two", 0.3), ("three", 0.4))
    ]
    return sj.fit_groups(sj.laws.power_law, pd.concat(parts, ignore_index=True), by="family")


def test_every_group_has_its_axes(fits: sj.FitGroups) -> None:
    axes = sj.plot.groups(fits)
    assert [ax.get_title(loc="left") for ax in axes] == ["one", "two", "three"]
    assert len({ax.get_xlim() for ax in axes}) == 1 and len({ax.get_ylim() for ax in axes}) == 1


def test_a_forest_is_the_bootstraps_intervals(fits: sj.FitGroups) -> None:
    draws = fits.bootstrap(60)
    table = sj.plot.forest_data(draws, "alpha")
    assert list(table.index) == ["three", "two", "one"]
    expected = draws["two"].conf_int().loc["alpha", ["estimate", "lower", "upper"]]
    np.testing.assert_allclose(table.loc["two", ["estimate", "lower", "upper"]], expected)
    ax = sj.plot.forest(draws, "alpha")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two", "three"]
    with pytest.raises(ValueError, match="the law has A, alpha"):
        sj.plot.forest(draws, "beta")


def test_a_cell_is_the_mean_of_its_rows() -> None:
    laws = pd.DataFrame({"share": [0.1, 0.1, 0.5], "sizes": [2, 2, 3], "error": [0.1, 0.3, 0.04]})
    ax = sj.plot.heat(laws, "share", "sizes", "error")
    assert [text.get_text() for text in ax.texts] == ["0.2", "0.04"]
    with pytest.raises(ValueError, match="no column 'size'"):
        sj.plot.heat(laws, "share", "size", "error")
