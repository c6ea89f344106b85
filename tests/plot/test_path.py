"""The way through a law's inputs passes the runs that it is made for."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.plot.path import path_through

N = np.geomspace(1e7, 1e9, 9)
RUNS = {"N": N, "D": 20 * N}


def test_growing_compute_at_the_runs_own_ratio() -> None:
    way = path_through(RUNS)
    assert way.along == "C" and way.ratio == pytest.approx(20)
    here = way.at(way.place(RUNS))
    np.testing.assert_allclose(here["N"], N)
    np.testing.assert_allclose(here["D"], 20 * N)
    assert way.near(RUNS).all() and not way.near({"N": N, "D": 40 * N}).any()


def test_what_is_asked_for_sets_the_ratio() -> None:
    way = path_through(RUNS, ahead={"N": np.array([7e10]), "D": np.array([1.4e13])})
    assert way.ratio == pytest.approx(200) and way.words == "200 tokens per parameter"


def test_another_input_may_grow() -> None:
    way = path_through(RUNS, along="D")
    assert way.held == {"N": 1e9} and way.words == "N = 1B"
    np.testing.assert_array_equal(way.near(RUNS), N == 1e9)
    assert path_through({"C": N}).along == "C" and path_through({"C": N}).words == ""
    with pytest.raises(ValueError, match="use one of N, D"):
        path_through(RUNS, along="width")
