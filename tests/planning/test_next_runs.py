"""Next runs: the greedy design near the bound, the discrepancy in it, and what a budget buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.optimal_design import least_variance
from tests.planning.test_optimal_design import E, G, K, gradients

LAW = sj.laws.power_law_floor
FRONTIER = {"E": E, "A": K * 1e18**G, "alpha": G}
SIZES = np.logspace(18, 21, 13)


def plan(**words):
    options = {"flops": 1e23, "candidates": {"x": SIZES}, "run_sd": 0.003, "most": None} | words
    return sj.next_runs((LAW, FRONTIER), options.pop("budget", 1e22), **options)


def test_where_the_law_is_trusted_the_bound_is_near():
    """In whole runs nine tenths of what the linear program reaches with fractions of runs."""
    found = plan(discrepancy=0.0)
    bound = least_variance(gradients(SIZES), gradients(np.array([1e23]))[0], np.full(13, 0.003), SIZES)
    # what is believed of parameters before any run makes up for rounding here
    assert 0.9 <= bound.variance / 1e22 / found.after**2 <= 1.05


def test_runs_that_do_not_scatter_are_taken_as_exact_as_tables_are():
    found = plan(run_sd=0.0, discrepancy=0.0)
    assert 0 < found.bound <= found.after < 1e-4


def test_a_discrepancy_brings_the_dear_runs_back():
    trusting, careful = plan(discrepancy=0.0), plan(discrepancy=0.005)
    assert careful.table["x"].iloc[0] == pytest.approx(1e21)
    assert careful.table["share"].iloc[0] > 0.7 > trusting.table.query("x > 9e20")["share"].sum()
    # the printed sd of the best design of this case is .0126
    assert careful.after == pytest.approx(0.0126, rel=0.1)
    assert careful.floor < careful.after and trusting.after < careful.after


def test_more_budget_buys_more_and_no_more_than_the_floor():
    bought = sj.precision_for(
        (LAW, FRONTIER), [1e20, 1e21, 1e22], flops=1e23, candidates={"x": SIZES}, run_sd=0.003
    )
    assert bought["sd"].is_monotonic_decreasing and (bought["sd"] >= bought["floor"]).all()
    np.testing.assert_allclose(bought["halfwidth"], 1.6449 * bought["sd"], rtol=1e-4)


def test_a_larger_budget_is_never_worse():
    """All budgets choose among the same places, and what one paid for a larger one pays for."""
    entry = sj.published["besiroglu2024_huber"]
    budgets = [1e23, 1e20]
    bought = sj.precision_for(entry, budgets, flops=1e24, discrepancy=0.005, most=8)
    assert bought["budget"].tolist() == budgets
    ordered = bought.sort_values("budget")
    assert ordered["sd"].is_monotonic_decreasing and ordered["floor"].is_monotonic_decreasing
    assert (bought["floor"] <= bought["sd"]).all() and (bought["bound"] <= bought["sd"]).all()
    assert (bought["runs"] <= 8).all() and (bought["largest"] <= bought["budget"]).all()


def test_runs_that_exist_count_as_made():
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e9, 4), np.geomspace(2e9, 2e10, 4)))
    true = sj.published["besiroglu2024_huber"].params
    loss = np.asarray(sj.laws.chinchilla(N, D, **true)) * np.exp(
        0.003 * np.random.default_rng(0).normal(size=16)
    )
    fit = sj.fit(sj.laws.chinchilla, {"N": N, "D": D, "loss": loss}, objective=sj.SquaredError())
    few = {"N": [1e8, 3e8, 1e9], "D": [2e9, 8e9, 2e10]}
    known, new = (
        sj.next_runs(fit, 1e21, flops=1e23, most=5),
        sj.next_runs((fit.law, fit.params), 1e21, flops=1e23, run_sd=0.003, candidates=few),
    )
    assert known.before < 0.3 * new.before and known.after < known.before
    assert list(known.table.columns) == ["N", "D", "runs", "cost", "share"]
    assert known.spent <= 1e21 and "the interval of the loss at 1e+23 FLOP goes from" in str(known)
    exponent = sj.next_runs(fit, 1e21, parameter="alpha", candidates=few)
    assert exponent.after < exponent.before
    assert sj.next_runs(fit, 1e21, at={"N": 1e10, "D": 2e11}, candidates=few).after < 0.1


def test_costs_and_candidates_of_one_s_own():
    table = pd.DataFrame({"x": SIZES, "hours": np.sqrt(SIZES)})
    found = plan(candidates=table, cost="hours", budget=1e11)
    assert found.spent <= 1e11
    same = plan(candidates=table, cost=np.sqrt(SIZES), budget=1e11)
    pd.testing.assert_frame_equal(found.table, same.table)


def test_runs_that_tell_laws_apart_are_worth_more():
    """Two fits of the same rows that agree there and not beyond: their distance counts, and runs where they
    differ lessen it."""
    x = np.geomspace(1e18, 1e20, 8)
    loss = 3.0 * (x / 1e18) ** -0.05 * np.exp(0.002 * np.random.default_rng(1).normal(size=8))
    fits = [
        sj.fit(law, {"x": x, "loss": loss}, objective=sj.SquaredError())
        for law in (sj.laws.power_law, sj.laws.power_law_floor)
    ]
    words = {"at": {"x": 1e24}, "candidates": {"x": SIZES}, "discrepancy": 0.0, "run_sd": 0.002}
    both = sj.next_runs(fits, 1e22, **words)
    each = [sj.next_runs(fit, 1e22, **words) for fit in fits]
    assert both.before > min(one.before for one in each) and both.after < both.before
    assert both.table["laws_apart"].max() > 0 and "laws_apart" not in each[0].table


def test_recipes_and_their_contrast():
    """Recipes alike get runs alike; a difference has twice the variance of a level on half the money."""
    recipes = {"web": (LAW, FRONTIER), "code": (LAW, FRONTIER | {"A": 1.01 * FRONTIER["A"]})}
    words = {"flops": 1e23, "candidates": {"x": SIZES}, "run_sd": 0.003, "most": None, "discrepancy": 0.005}
    found = sj.next_runs(recipes, 2e22, contrast=("web", "code"), **words)
    level = sj.next_runs(recipes["web"], 1e22, **words)
    assert found.after == pytest.approx(np.sqrt(2) * level.after, rel=0.02)
    spent = found.table.groupby("recipe")["cost"].sum()
    assert spent["web"] == pytest.approx(spent["code"], rel=0.2)
    assert found.gap > 0 and "web is ahead" in str(found) and 0 < found.settled < 1
    every = sj.next_runs(recipes, 2e22, **words)
    assert every.after == pytest.approx(level.after, rel=0.02) and "of every recipe" in str(every)
    with pytest.raises(ValueError, match="name two of the recipes, which are web, code"):
        sj.next_runs(recipes, 2e22, contrast=("web", "math"), **words)
    with pytest.raises(ValueError, match="names two recipes"):
        sj.next_runs(recipes["web"], 2e22, contrast=("web", "code"), **words)


def test_a_forecast_is_laws_under_weights_with_the_error_of_its_band():
    """Before any run the answer is as open as the forecast's own band says."""
    x = np.geomspace(1e18, 1e20, 10)
    loss = (1.5 + 3.0 * (x / 1e18) ** -0.2) * np.exp(0.003 * np.random.default_rng(0).normal(size=10))
    ahead = sj.forecast({"x": x, "loss": loss}, target="loss", at={"x": 1e21})
    found = sj.next_runs(ahead, 1e20, at={"x": 1e21}, candidates={"x": np.geomspace(1e18, 1e20, 5)})
    band = ahead.interval()
    half = 0.5 * np.log(band["upper"][0] / band["lower"][0])
    assert 1.645 * found.before == pytest.approx(half, rel=0.1)
    assert found.after < found.before


def test_a_region_is_searched_finer_than_a_grid():
    """At most eight runs out of ranges beat those of a coarse table, and come near the bound."""
    entry = sj.published["besiroglu2024_huber"]
    words = {"flops": 1e24, "most": 8, "discrepancy": 0.005}
    found = sj.next_runs(entry, 1e22, candidates={"N": (1e8, 1e10), "D": (1e9, 4e11)}, **words)
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e10, 4), np.geomspace(1e9, 4e11, 4)))
    coarse = sj.next_runs(entry, 1e22, candidates={"N": N, "D": D}, **words)
    assert found.after < coarse.after and found.table["runs"].sum() <= 8
    assert 0.9 <= found.efficiency <= 1


def test_without_repeats_every_place_is_trained_once():
    found = plan(budget=5e21, discrepancy=0.0, replicate=False)
    assert (found.table["runs"] == 1).all() and len(found.table) > 3
    assert found.after >= plan(budget=5e21, discrepancy=0.0).after


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"flops": None}, "Say what the runs are for"),
        ({"parameter": "alpha"}, "Say what the runs are for"),
        ({"flops": None, "parameter": "beta"}, "has E, A, alpha"),
        ({"flops": None, "at": {"N": 1.0}}, "has the inputs x"),
        ({"of": "N"}, "with flops= and a law of N and D"),
        ({"budget": -1.0}, "budget=-1.0"),
        ({"budget": 1e10}, "more than the budget"),
        ({"candidates": {"N": [1.0]}}, "needs the input x"),
        ({"most": 0}, "most=0: give how many"),
        ({"cost": -SIZES}, "positive, finite number"),
        ({"level": 3}, "level=3"),
        ({"discrepancy": -1.0}, "discrepancy=-1.0: give 'table'"),
    ],
)
def test_bad_questions(words, message):
    with pytest.raises(ValueError, match=message):
        plan(**words)
