"""Approach 1: exponents of simulated and real curves, the exact envelope and hull, invariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import ConvexHull

import scaling_jax as sj
from tests.allocation.budgets import LAW, SHARE

METHODS = pytest.mark.parametrize("method", ["minimum", "hull"])


def simulated(sizes, checkpoints=80, params=LAW):
    N, D = (
        grid.ravel()
        for grid in np.meshgrid(np.geomspace(1e7, 1e10, sizes), np.geomspace(1e8, 1e12, checkpoints))
    )
    return pd.DataFrame({"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, **params), "run": N})


@pytest.fixture(scope="module")
def curves():
    return simulated(20)


@METHODS
@pytest.mark.parametrize(("sizes", "within"), [(20, 2e-3), (160, 1e-4)])
def test_true_exponents_come_back(method, sizes, within):
    """What is left, the staircase of sizes and chords between checkpoints, shrinks with sizes and rows."""
    found = sj.envelope(simulated(sizes, 80 if sizes == 20 else 300), run="run", method=method)
    assert found.exponents().loc["N", "estimate"] == pytest.approx(SHARE, abs=within)
    assert found.exponents()["estimate"].sum() == pytest.approx(1, abs=1e-9), "6 N D = C, at every point"
    step = 1000 ** (1 / (sizes - 1))
    best = sj.compute_optimal((sj.laws.chinchilla, LAW), found.inside["flops"])
    assert np.abs(np.log(found.inside["N"].to_numpy() / best["N"])).max() < np.log(step)
    assert (found.inside["loss"].to_numpy() > best["loss"] * (1 - 1e-9)).all()


def test_the_frontier_of_the_loss_is_the_laws_own(curves):
    found = sj.envelope(curves, run="run")
    assert found.frontier.params["gamma"] == pytest.approx(0.34 * 0.28 / 0.62, abs=2e-3)
    plan = sj.compute_optimal(found, [1e20, 1e22])
    np.testing.assert_allclose(
        plan["loss"], sj.compute_optimal((sj.laws.chinchilla, LAW), [1e20, 1e22])["loss"], rtol=2e-3
    )
    assert sj.allocation_exponents(found)["estimate"].equals(found.exponents()["estimate"])


def test_every_point_is_the_lowest_curve(curves):
    """Against each run interpolated on its own by NumPy."""
    found = sj.envelope(curves, run="run", points=50)
    for row in found.table.iloc[3:-3:7].itertuples():
        losses = {}
        for name, part in curves.groupby("run"):
            C = 6 * part["N"] * part["D"]
            if C.min() <= row.flops <= C.max():
                losses[name] = np.exp(np.interp(np.log(row.flops), np.log(C), np.log(part["loss"])))
        assert row.run == min(losses, key=losses.get)
        assert row.loss == pytest.approx(min(losses.values()), rel=1e-12)
        assert row.edge == (row.N in (min(losses), max(losses)))


def test_the_hull_is_the_convex_hull(curves):
    found = sj.envelope(curves, run="run", method="hull")
    points = np.log(np.column_stack([6 * curves["N"] * curves["D"], curves["loss"]]))
    lower = ConvexHull(points).equations[:, 1] < 0
    vertices = np.unique(ConvexHull(points).simplices[lower])
    np.testing.assert_allclose(np.log(found.table["flops"]), np.sort(points[vertices, 0]), rtol=1e-12)


@METHODS
def test_units_and_order_do_not_matter(curves, method):
    at = sj.envelope(curves, run="run", method=method, points=200).exponents()["estimate"]
    shuffled = curves.sample(frac=1, random_state=0).assign(
        N=curves["N"] / 1e6, D=curves["D"] / 1e9, loss=curves["loss"] * 1.4427
    )
    pd.testing.assert_series_equal(
        sj.envelope(shuffled, run="run", method=method, points=200).exponents()["estimate"], at, rtol=1e-9
    )
    spent = curves.assign(spent=6e-15 * curves["N"] * curves["D"])
    other = sj.envelope(spent, run="run", flops="spent", method=method, points=200).exponents()["estimate"]
    pd.testing.assert_series_equal(other, at, rtol=1e-9)


@METHODS
def test_draws_that_hold_every_run_are_the_envelope_itself(curves, method, monkeypatch):
    found = sj.envelope(curves, run="run", method=method)
    monkeypatch.setattr(
        "scaling_jax.allocation.envelope.counts", lambda indices, size: np.ones((len(indices), size))
    )
    draws = found.bootstrap(3)
    # draws follow tangents of 1,500 slopes, not each hull's own edges
    within = 1e-12 if method == "minimum" else 2e-3
    np.testing.assert_allclose(draws.drawn_lines[:, 0], draws.lines[:, :1] * np.ones(3), rtol=within)
    np.testing.assert_allclose(
        draws.loss, np.tile(found.inside["loss"].iloc[found.frontier_rows], (3, 1)), rtol=1e-5
    )


@METHODS
def test_our_sweep_agrees_with_approach_2_within_the_intervals(our_sweep, method):
    if method == "hull":
        with pytest.warns(UserWarning, match="Only 3 sizes are ever best"):
            found = sj.envelope(our_sweep, run="run", N="n_params", D="tokens", method=method)
    else:
        found = sj.envelope(our_sweep, run="run", N="n_params", D="tokens", method=method)
    interval = found.bootstrap(300).exponents().loc["N"]
    other = sj.isoflop(our_sweep, budget="budget", N="n_params", D="tokens").exponents().loc["N", "estimate"]
    assert interval["lower"] < other < interval["upper"]


def test_a_real_family_of_one_schedule_has_few_sizes_per_budget(shared):
    """Every Pythia is trained to one number of tokens: a budget has few sizes to choose from, as is said."""
    rows = pd.read_csv(shared("hitchhikers/checkpoints.csv.gz"), low_memory=False)
    rows = rows[(rows["source"] == "pythia") & rows["family"].notna()]
    family = rows[rows["family"] == rows["family"].value_counts().index[0]]
    with pytest.warns(UserWarning, match="points the best size is the smallest or largest that got there"):
        found = sj.envelope(family, run="model", N="n_params", D="tokens_seen", smooth=2)
    assert 0.5 < found.table["edge"].mean() < 1
    assert 0 < found.exponents().loc["N", "estimate"] < 1


def test_smoothing_takes_noise_from_the_envelope(curves):
    noisy = curves.assign(
        loss=curves["loss"] * np.exp(0.02 * np.random.default_rng(0).standard_normal(len(curves)))
    )
    rough, smooth = (sj.envelope(noisy, run="run", smooth=width) for width in (0, 4))
    true = sj.compute_optimal((sj.laws.chinchilla, LAW), rough.table["flops"])["loss"].to_numpy()
    assert np.mean(np.log(rough.table["loss"] / true)) < -0.01, "the lucky win"
    inside = ~smooth.table["edge"]
    assert abs(np.mean(np.log(smooth.table["loss"] / true)[inside])) < 0.005


def test_bad_input_is_one_sentence(curves):
    with pytest.raises(sj.DataError, match="no column 'trial'"):
        sj.envelope(curves, run="trial")
    with pytest.raises(sj.DataError, match="values of 'N'; a run is one model"):
        sj.envelope(curves.assign(run=0), run="run")
    with pytest.raises(sj.DataError, match="positive and finite"):
        sj.envelope(curves.assign(loss=np.nan), run="run")
    with pytest.raises(sj.DataError, match="have 2 sizes"):
        sj.envelope(simulated(2), run="run")
    with pytest.raises(sj.DataError, match="a power law needs two"):
        sj.envelope(simulated(3), run="run")
    with pytest.raises(sj.DataError, match="there is no hull"):
        sj.envelope(curves.assign(loss=curves["N"] * curves["D"]), run="run", method="hull")
    with pytest.raises(sj.DataError, match="must name its run"):
        sj.envelope(curves.assign(run=None), run="run")
    with pytest.raises(ValueError, match="minimum, hull"):
        sj.envelope(curves, run="run", method="lowest")
    with pytest.raises(ValueError, match="points=3"):
        sj.envelope(curves, run="run", points=3)
    with pytest.raises(ValueError, match="positive number of replicates"):
        sj.envelope(curves, run="run").bootstrap(0)
