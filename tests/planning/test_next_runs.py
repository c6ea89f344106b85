"""Next runs: the greedy design near the bound, the discrepancy in it, and what a budget buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.next_runs import _goal
from scaling_jax.planning.optimal_design import least_variance
from scaling_jax.planning.source import source_of
from tests.planning.test_optimal_design import E, G, K, gradients

LAW = sj.laws.power_law_floor
FRONTIER = {"E": E, "A": K * 1e18**G, "alpha": G}
SIZES = np.logspace(18, 21, 13)


def plan(**words):
    options = {"flops": 1e23, "candidates": {"x": SIZES}, "run_sd": 0.003} | words
    return sj.next_runs((LAW, FRONTIER), options.pop("budget", 1e22), **options)


def test_where_the_law_is_trusted_the_bound_is_near():
    """In whole runs nine tenths of what the linear program reaches with fractions of runs."""
    found = plan(discrepancy=0.0)
    bound = least_variance(gradients(SIZES), gradients(np.array([1e23]))[0], np.full(13, 0.003), SIZES)
    # what is believed of parameters before any run makes up for rounding here
    assert 0.9 <= bound.variance / 1e22 / found.after**2 <= 1.05


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
    """Each budget has a grid of its own; on a known sweep a larger one alone found a wider interval."""
    entry = sj.published["besiroglu2024_huber"]
    budgets = [1e23, 1e20, 1e22, 1e21]
    bought = sj.precision_for(entry, budgets, flops=1e24, discrepancy=0.005)
    assert bought["budget"].tolist() == budgets
    ordered = bought.sort_values("budget")
    assert ordered["sd"].is_monotonic_decreasing and ordered["floor"].is_monotonic_decreasing
    assert (bought["floor"] <= bought["sd"]).all()


def test_runs_that_exist_count_as_made():
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e9, 4), np.geomspace(2e9, 2e10, 4)))
    true = sj.published["besiroglu2024_huber"].params
    loss = np.asarray(sj.laws.chinchilla(N, D, **true)) * np.exp(
        0.003 * np.random.default_rng(0).normal(size=16)
    )
    fit = sj.fit(sj.laws.chinchilla, {"N": N, "D": D, "loss": loss}, objective=sj.SquaredError())
    known, new = (
        sj.next_runs(fit, 1e21, flops=1e23),
        sj.next_runs((fit.law, fit.params), 1e21, flops=1e23, run_sd=0.003),
    )
    assert known.before < 0.3 * new.before and known.after < known.before
    assert list(known.table.columns) == ["N", "D", "runs", "cost", "share"]
    assert known.spent <= 1e21 and "the interval of the loss at 1e+23 FLOP goes from" in str(known)
    exponent = sj.next_runs(fit, 1e21, parameter="alpha")
    assert exponent.after < exponent.before
    assert sj.next_runs(fit, 1e21, at={"N": 1e10, "D": 2e11}).after < 0.1


def test_costs_and_candidates_of_one_s_own():
    table = pd.DataFrame({"x": SIZES, "hours": np.sqrt(SIZES)})
    found = plan(candidates=table, cost="hours", budget=1e11)
    assert found.spent <= 1e11
    same = plan(candidates=table, cost=np.sqrt(SIZES), budget=1e11)
    pd.testing.assert_frame_equal(found.table, same.table)


def test_the_best_size_of_a_budget_is_an_answer():
    """Its gradient is that of (alpha + beta) ln N* = ln(alpha A / beta B) + beta ln(C / 6)."""
    entry = sj.published["besiroglu2024_huber"]
    A, B, alpha, beta = (entry.params[name] for name in ("A", "B", "alpha", "beta"))
    total, log_c = alpha + beta, np.log(1e24 / 6)
    log_n = (np.log(alpha * A / (beta * B)) + beta * log_c) / total
    want = [0.0, 1 / total, -1 / total, (1 / alpha - log_n) / total, (-1 / beta + log_c - log_n) / total]
    found = _goal(source_of(entry, draws=False), None, 1e24, "N", None).slopes
    # E, A and B by their logarithms; central differences of a step of 1e-4 are good to its square
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-6)
    bought = sj.next_runs(entry, 1e22, flops=1e24, of="N")
    assert bought.after < bought.before and "the best N for 1e+24 FLOP" in str(bought)


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
        ({"cost": -SIZES}, "positive, finite number"),
        ({"level": 3}, "level=3"),
        ({"discrepancy": -1.0}, "discrepancy=-1.0: give 'table'"),
    ],
)
def test_bad_questions(words, message):
    with pytest.raises(ValueError, match=message):
        plan(**words)
