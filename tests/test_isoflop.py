"""Approach 2: its known bias on noise-free runs (T11), its exact exponent, and what it says about poor tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

LAW = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
FLOPS = [1e19, 1e20, 1e21, 1e22]


def centred(factor, params=LAW):
    best = sj.compute_optimal((sj.laws.chinchilla, params), FLOPS)
    N = (best["N"].to_numpy()[:, None] * np.geomspace(1 / factor, factor, 15)).ravel()
    C = np.repeat(FLOPS, 15)
    return pd.DataFrame({"C": C, "N": N, "D": C / (6 * N), "loss": sj.laws.chinchilla(N, C / (6 * N), **params)}), best


@pytest.mark.parametrize(("factor", "bias"), [(2, 0.0033), (16, 0.054)])
def test_the_level_is_biased_and_the_exponent_is_not(factor, bias):
    runs, best = centred(factor)
    found = sj.isoflop(runs, budget="C")
    np.testing.assert_allclose(found.table["N"] / best["N"] - 1, bias, atol=1e-3)
    assert found.exponents().loc["N", "estimate"] == pytest.approx(0.28 / 0.62, abs=1e-10)
    np.testing.assert_allclose(sj.compute_optimal(found, FLOPS)["N"], found.table["N"], rtol=1e-9)


def test_equal_exponents_have_no_bias():
    runs, best = centred(16, LAW | {"beta": 0.34})
    np.testing.assert_allclose(sj.isoflop(runs, budget="C").table["N"], best["N"], rtol=1e-9)


def test_a_vertex_on_an_edge_is_said_and_left_out():
    runs, best = centred(4)
    kept = runs[(runs["C"] < 1e22) | (runs["N"] > 1.5 * best["N"].iloc[-1])]
    with pytest.warns(UserWarning, match="vertex outside"):
        found = sj.isoflop(kept, budget="C")
    assert found.table["edge"].tolist() == [False, False, False, True]
