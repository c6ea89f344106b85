"""The solver of best runs, held to closed forms and to fine grids."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.source import Source
from tests.cases import plans
from tests.planning.constants import REPLICATION

FLOPS = [1e18, 1e21, 5.76e23, 1e26]
SOLVED = sj.cost.of("6 * N * D", "FLOP")  # 6 N D that is not recognised as such, so that it is searched


@pytest.mark.parametrize(
    ("law", "params"),
    [
        (sj.laws.chinchilla, REPLICATION),
        (sj.laws.chinchilla_tied, {"E": 1.869, "A": 520.8, "B": 1487.7, "alpha": 0.3526596}),
        (sj.laws.chinchilla_gamma, REPLICATION | {"gamma": 0.7}),
    ],
)
def test_the_solver_finds_the_closed_form(law, params):
    closed = sj.plan((law, params), flops=FLOPS)
    solved = sj.plan((law, params), flops=FLOPS, cost=SOLVED)
    columns = ["N", "D", "loss", "tokens_per_param", "worth"]
    np.testing.assert_allclose(solved.table[columns], closed.table[columns], rtol=1e-9)
    np.testing.assert_allclose(solved.exponents(), closed.exponents(), rtol=1e-9)
    assert solved.residual.max() < 1e-12


def test_the_solver_reaches_the_loss_of_the_closed_form():
    source = (sj.laws.chinchilla, REPLICATION)
    there = sj.plan(source, flops=FLOPS).table
    for cost in (None, SOLVED):
        back = sj.plan(source, loss=there["loss"], cost=cost)
        np.testing.assert_allclose(back.table["flops"], FLOPS, rtol=1e-9)
        np.testing.assert_allclose(back.table[["N", "D"]], there[["N", "D"]], rtol=1e-9)
        np.testing.assert_allclose(back.table["worth"], there["worth"], rtol=1e-9)
        np.testing.assert_allclose(
            back.exponents()["estimate"], sj.plan(source, flops=FLOPS).exponents()["estimate"], rtol=1e-8
        )


def test_gadres_ratio_does_not_depend_on_compute():
    """M* = (b / a)^(1 / 2 eta); m times as many tokens per parameter cost ((m^eta + m^-eta) / 2)^(1/eta)."""
    c4 = {"E": 1.5083, "a": 141.28, "b": 189.52, "eta": 0.12124}
    plan = sj.plan((sj.laws.overtraining, c4), flops=[1e20, 1e23])
    best = (c4["b"] / c4["a"]) ** (1 / (2 * c4["eta"]))
    np.testing.assert_allclose(plan.table["M"], best, rtol=1e-9)
    for m, factor in ((2, 1.02952), (8, 1.29615), (32, 2.02923)):
        np.testing.assert_allclose(plan.smaller(1 / m, of="M")["factor"], factor, rtol=1e-5)


def test_grids_find_no_better_run():
    """Five laws with and without closed form under random budgets, caps and ratios; `benchmarks.allocations`
    does the same for 22."""
    found = plans.table(["chinchilla", "kaplan", "data_constrained", "hernandez_loss", "interaction"], 12)
    assert found["agree"].all(), found[~found["agree"]].to_string()
    assert found["residual"][found["plan"].notna()].max() < 1e-7
    assert found["binding"].nunique() > 15, "limits bind in many ways"


def test_draws_and_budgets_are_one_batch(nothing_compiles):
    """20 budgets x 1,000 draws are 20,000 lanes of the program that solved one."""
    rng = np.random.default_rng(0)
    kaplan = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    numbers = sj.laws.kaplan.flatten(kaplan)
    many = Source(sj.laws.kaplan, numbers, numbers * np.exp(0.02 * rng.standard_normal((1000, 4))))
    sj.plan(many, flops=1e21)
    with nothing_compiles():
        plan = sj.plan(many, flops=np.geomspace(1e18, 1e26, 20))
    assert plan.drawn.loss.shape == (1000, 20) and np.isfinite(plan.drawn.loss).all()
    assert plan.drawn.residual.max() < 1e-9
    one = sj.plan((sj.laws.kaplan, dict(zip(kaplan, many.draws[7], strict=True))), flops=1e22).table.iloc[0]
    assert plan.drawn.inputs["N"][7].min() < one["N"] < plan.drawn.inputs["N"][7].max()
