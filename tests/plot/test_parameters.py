"""Pairs of parameters show the draws, the estimate, and the ridge that profiles find."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_draws_and_estimate_are_the_bootstraps_own(line: sj.FitResult) -> None:
    draws = line.bootstrap(60)
    table = sj.plot.pair_data(draws, ridge=False)
    np.testing.assert_array_equal(table.loc[table["kind"] == "draw", ["A", "alpha"]], draws.params)
    assert table.loc[table["kind"] == "estimate", "alpha"].item() == line.params["alpha"]


def test_the_ridge_is_the_profile(line: sj.FitResult) -> None:
    table = sj.plot.pair_data(line.bootstrap(60))
    ridge = table[(table["kind"] == "ridge") & (table["along"] == "alpha")]
    found = line.profile("alpha").table.set_index("value")["A"]
    np.testing.assert_allclose(ridge["A"], found.loc[ridge["alpha"]])


def test_a_triangle_of_axes(line: sj.FitResult) -> None:
    axes = sj.plot.pairs(line.bootstrap(60), ridge=False)
    assert axes.shape == (2, 2) and not axes[0, 1].get_visible()
    assert axes[1, 0].get_xlabel() == "A" and axes[1, 0].get_ylabel() == "alpha"
    with pytest.raises(ValueError, match="the draws hold A, alpha"):
        sj.plot.pairs(line, ["beta"])
