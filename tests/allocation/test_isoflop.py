"""Approach 2: its known bias on noise-free runs, splines, coverage, our own sweep, and poor tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.allocation.budgets import FLOPS, LAW, SHARE, centred


def noisy(factor, sd, seed):
    runs, _ = centred(factor, points=9)
    return runs.assign(
        loss=runs["loss"] * np.exp(sd * np.random.default_rng(seed).standard_normal(len(runs)))
    )


@pytest.mark.parametrize(("factor", "bias"), [(2, 0.0033), (16, 0.054)])
def test_the_level_is_biased_and_the_exponent_is_not(factor, bias):
    """Czech et al. 2026 (arXiv:2603.22339): the vertex of a parabola about a noise-free optimum is off."""
    runs, best = centred(factor)
    found = sj.isoflop(runs, budget="C")
    np.testing.assert_allclose(found.table["N"] / best["N"] - 1, bias, atol=1e-3)
    assert found.exponents().loc["N", "estimate"] == pytest.approx(SHARE, abs=1e-10)
    np.testing.assert_allclose(sj.compute_optimal(found, FLOPS)["N"], found.table["N"], rtol=1e-9)


def test_the_bias_in_tokens_of_unequal_exponents():
    """23 % of D* is missing where exponents are .465 and .155 and sizes reach a factor of 16."""
    runs, best = centred(16, LAW | {"alpha": 0.465, "beta": 0.155})
    np.testing.assert_allclose(sj.isoflop(runs, budget="C").table["D"] / best["D"] - 1, -0.23, atol=5e-3)


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_equal_exponents_have_no_bias(method):
    runs, best = centred(16, LAW | {"beta": 0.34})
    np.testing.assert_allclose(sj.isoflop(runs, budget="C", method=method).table["N"], best["N"], rtol=1e-9)


@pytest.mark.parametrize(("factor", "bias"), [(2, 1e-3), (16, 3e-3)])
def test_a_spline_has_next_to_no_bias(factor, bias):
    """0.02 % and 0.28 % (sizes a factor 1.5 apart), where parabolas have 0.33 % and 5.4 %."""
    runs, best = centred(factor)
    found = sj.isoflop(runs, budget="C", method="akima")
    np.testing.assert_allclose(found.table["N"] / best["N"], 1, atol=bias)
    # E in log L bends the spline with compute
    assert found.exponents().loc["N", "estimate"] == pytest.approx(SHARE, abs=1e-6)
    np.testing.assert_allclose(found.table["loss"], best["loss"], rtol=1e-5)


def test_our_sweep_by_both_methods(our_sweep, read):
    """The vertices are those of NumPy's own parabolas;
    both methods agree within each other's intervals, and fall inside the sizes."""
    for row in read.table.itertuples():
        part = our_sweep[our_sweep["budget"] == row.flops]
        bend, slope, _ = np.polyfit(np.log(part["n_params"]), part["loss"], 2)
        assert np.log(row.N) == pytest.approx(-slope / (2 * bend), rel=1e-9)
        assert part["n_params"].min() < row.N < part["n_params"].max()
    seeds = our_sweep.groupby(["budget", "n_params"], as_index=False)[["tokens", "loss"]].mean()
    spline = sj.isoflop(seeds, budget="budget", N="n_params", D="tokens", method="akima")
    draws = spline.bootstrap(500, noise=read.noise).exponents()
    assert draws.loc["N", "lower"] < read.exponents().loc["N", "estimate"] < draws.loc["N", "upper"]
    assert read.noise == pytest.approx(0.011 / 1.7, rel=0.2)  # .011 nats between seeds, at losses near 1.7
    assert "N* grows as C^0.48 [0.46, 0.49]" in str(read) and "C^0.48" in read._repr_html_()


def test_resampled_runs_are_weighted_parabolas(read, our_sweep):
    """A replicate is what NumPy finds on the rows drawn; trunks are drawn whole."""
    draws = read.bootstrap(50, seed=3, resample="run")
    labels = read.runs["run"].unique()
    order = pd.factorize(read.runs["run"])[0]
    drawn = np.random.default_rng(3).integers(len(labels), size=(50, len(labels)))
    times = np.bincount(drawn[0], minlength=len(labels))[order]
    part = (read.runs["flops"] == read.inside["flops"].iloc[3]).to_numpy()
    bend, slope, _ = np.polyfit(
        np.log(read.runs["N"][part]), read.runs["loss"][part], 2, w=np.sqrt(times[part])
    )
    assert np.log(draws.N[0, 3]) == pytest.approx(-slope / (2 * bend), rel=1e-9)


def test_no_noise_gives_no_interval():
    runs, _ = centred(4)
    draws = sj.isoflop(runs, budget="C").bootstrap(20, noise=0.0)
    np.testing.assert_allclose(draws.exponents()["upper"], draws.exponents()["estimate"], rtol=1e-12)
    assert set(draws.optima()["kept"]) == {1.0}


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_intervals_cover_the_true_exponent(method):
    """60 tables of 0.3 % noise, 90 % intervals from each one's own: 54 expected, binomial sd 2.3."""
    inside = 0
    for seed in range(60):
        interval = (
            sj.isoflop(noisy(4, 0.003, seed), budget="C", method=method)
            .bootstrap(200, seed=seed)
            .exponents()
            .loc["N"]
        )
        inside += interval["lower"] <= SHARE <= interval["upper"]
    assert inside >= 48, inside


def test_checkpoints_are_read_at_budgets():
    """Between checkpoints a third apart the loss is read to 1e-3,
    tokens exactly; runs that end before a budget are no part of it."""
    law = {"A": 50.0, "alpha": 0.1, "beta": 0.12}
    N, D = (
        g.ravel()
        for g in np.meshgrid(np.geomspace(1e7, 1e10, 12), np.geomspace(1e8, 1e12, 30), indexing="ij")
    )
    bowl = 1 + 0.02 * np.log(D / (20 * N)) ** 2
    curves = pd.DataFrame(
        {"N": N, "D": D, "loss": sj.laws.multiplicative(N, D, **law) * bowl, "run": [f"m{n:.3g}" for n in N]}
    )
    found = sj.isoflop(curves, budget=FLOPS[:3], run="run")
    assert found.runs.groupby("flops").size().to_dict() == {1e19: 12, 1e20: 11, 1e21: 7}
    row = found.runs.iloc[5]
    exact = sj.laws.multiplicative(row["N"], row["D"], **law) * (
        1 + 0.02 * np.log(row["D"] / (20 * row["N"])) ** 2
    )
    assert row["D"] == pytest.approx(row["flops"] / (6 * row["N"]), rel=1e-12)
    assert row["loss"] == pytest.approx(exact, rel=1e-3)
    with pytest.raises(ValueError, match="name the column of runs"):
        sj.isoflop(curves, budget=[1e19, 1e20])


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_an_optimum_on_an_edge_is_said_and_left_out(method):
    runs, best = centred(4)
    kept = runs[(runs["C"] < 1e22) | (runs["N"] > 1.5 * best["N"].iloc[-1])]
    with pytest.warns(UserWarning, match=r"1e\+22 has its optimum outside"):
        found = sj.isoflop(kept, budget="C", method=method)
    assert found.table["edge"].tolist() == [False, False, False, True]
    assert len(found.bootstrap(5, noise=1e-3).optima()) == 3


def test_too_few_sizes_or_budgets_are_said():
    runs, _ = centred(4)
    two = runs[runs["C"] < 5e20]
    with pytest.warns(UserWarning, match="Fewer than three budgets"):
        found = sj.isoflop(two, budget="C")
    assert np.isnan(found.optimal(1e21)["loss"][0]), "two optima make no frontier"
    thin = pd.concat([runs[runs["C"] < 5e21], runs[runs["C"] > 5e21].head(2)])
    with pytest.warns(UserWarning, match=r"1e\+22 has 2 sizes"):
        assert len(sj.isoflop(thin, budget="C").table) == 3
    with pytest.raises(sj.DataError, match="1 budgets have an optimum inside"):
        sj.isoflop(runs[runs["C"] < 5e19], budget="C")


def test_bad_input_is_one_sentence():
    runs, _ = centred(4)
    found = sj.isoflop(runs, budget="C", method="akima")
    with pytest.raises(sj.DataError, match="no column 'size'"):
        sj.isoflop(runs, budget="C", N="size")
    with pytest.raises(sj.DataError, match="'loss'"):
        sj.isoflop(runs.assign(loss=-1.0), budget="C")
    with pytest.raises(sj.DataError, match="must hold numbers"):
        sj.isoflop(runs.assign(loss="much"), budget="C")
    with pytest.raises(ValueError, match="parabola, akima"):
        sj.isoflop(runs, budget="C", method="cubic")
    with pytest.raises(ValueError, match="runs cannot be left out"):
        found.bootstrap(10, resample="run")
    with pytest.raises(ValueError, match="n is positive"):
        found.bootstrap(0)


@pytest.mark.parametrize("method", ["parabola", "akima"])
@pytest.mark.parametrize("noise", [0.0, 1e-15])
def test_a_loss_that_is_the_same_at_all_sizes_has_no_optimum(method: str, noise: float) -> None:
    runs, _ = centred(4, points=9)
    flat = runs.assign(loss=2.7 * (1 + noise * np.random.default_rng(0).standard_normal(len(runs))))
    with pytest.raises(
        sj.DataError, match=r"^0 budgets have an optimum inside .* the loss 2\.7 at all sizes"
    ):
        sj.isoflop(flat, budget="C", method=method)


def test_a_flat_budget_is_left_out_of_the_power_laws() -> None:
    runs, _ = centred(4, points=9)
    lowest = runs["C"].min()
    mixed = runs.assign(loss=runs["loss"].where(runs["C"] > lowest, 2.7))
    with pytest.warns(UserWarning, match="has the loss 2.7 at all sizes, so none is the best"):
        found = sj.isoflop(mixed, budget="C")
    assert found.table["edge"].tolist() == [True] + [False] * (len(found.table) - 1)
    assert found.exponents().loc["N", "estimate"] == pytest.approx(SHARE, abs=1e-9)
