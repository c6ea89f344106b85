"""Plans for a budget: published optima, first-order conditions, units, and tokens that will be served."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from tests.planning.constants import PRINTED, REPLICATION, TEX

SOURCE = (sj.laws.chinchilla, PRINTED)
TRAINING = [1e20, 1e22, 5.76e23]
BUDGETS = [1e18, 1e21, 5.76e23, 1e26]


@pytest.mark.parametrize("served", [1e10, 1e12, 1e14])
def test_the_first_order_condition(served):
    """Sardana et al. 2024: the two costs balance once tokens of inference are counted."""
    plan = sj.inference_optimal(SOURCE, TRAINING, served)
    size = PRINTED["alpha"] * PRINTED["A"] * plan["N"] ** -PRINTED["alpha"]
    data = PRINTED["beta"] * PRINTED["B"] * plan["D"] ** -PRINTED["beta"]
    np.testing.assert_allclose(size / data, 1 + served / (3 * plan["D"]), rtol=1e-6)
    np.testing.assert_allclose(plan["N"] * (6 * plan["D"] + 2 * served), TRAINING, rtol=1e-12)


def test_nothing_served_is_chinchillas_optimum():
    columns = ["N", "D", "loss", "tokens_per_param"]
    plan = sj.inference_optimal(SOURCE, TRAINING, 0)
    np.testing.assert_allclose(plan[columns], sj.compute_optimal(SOURCE, TRAINING)[columns], rtol=1e-6)
    np.testing.assert_allclose(plan["training_share"], 1.0)


@pytest.mark.parametrize("served", [-1.0, np.nan, None, "much", []])
def test_tokens_of_inference_that_make_no_sense(served):
    with pytest.raises(ValueError, match="served="):
        sj.inference_optimal(SOURCE, TRAINING, served)


def test_several_demands_for_one_quality():
    """A plan of each, as sj.plan has it: the more is served, the smaller the model that is cheapest."""
    table = sj.inference_optimal(SOURCE, loss=2.0, served=[0, 1e12, 1e13])
    for _, row in table.iterrows():
        whole = sj.cost.training() + sj.cost.serving(tokens=row["served"])
        alone = sj.plan(SOURCE, loss=2.0, cost=whole).table.iloc[0]
        assert row[["N", "D", "flops"]].tolist() == pytest.approx(alone[["N", "D", "flops"]].tolist())
    assert table["N"].is_monotonic_decreasing and table["flops"].is_monotonic_increasing
    with pytest.raises(ValueError, match="budgets by flops=, or a quality by loss="):
        sj.inference_optimal(SOURCE, TRAINING, 1e12, loss=2.0)


GOPHER = 5.76e23
FLOPS = [1e18, 1e21, GOPHER, 1e26]


def test_the_replication_at_gophers_budget():
    """Besiroglu et al. 2024, whose figures are printed to four digits."""
    row = sj.compute_optimal((sj.laws.chinchilla, REPLICATION), GOPHER).iloc[0]
    exponents = sj.allocation_exponents((sj.laws.chinchilla, REPLICATION))["estimate"]
    assert row["N"] == pytest.approx(73.19e9, rel=1e-4)
    assert row["tokens_per_param"] == pytest.approx(17.92, abs=5e-3)
    assert row["N"] / (GOPHER / 6) ** exponents["N"] == pytest.approx(0.11321, abs=5e-6)
    assert exponents["loss"] == pytest.approx(0.17848, abs=5e-6)
    assert exponents["N"] == pytest.approx(
        REPLICATION["beta"] / (REPLICATION["alpha"] + REPLICATION["beta"]), rel=1e-9
    )


@pytest.mark.parametrize(("params", "size", "ratio"), [(PRINTED, 32.2e9, 92.7), (TEX, 40.4e9, 58.9)])
def test_rounded_constants_move_hoffmanns_optimum(params, size, ratio):
    row = sj.compute_optimal((sj.laws.chinchilla, params), GOPHER).iloc[0]
    assert row["N"] == pytest.approx(size, abs=0.05e9)
    assert row["tokens_per_param"] == pytest.approx(ratio, rel=1e-3)  # three digits are given


@pytest.mark.parametrize("params", [REPLICATION, PRINTED])
def test_the_two_costs_balance_at_the_optimum(params):
    plan = sj.compute_optimal((sj.laws.chinchilla, params), FLOPS)
    size = params["alpha"] * params["A"] * plan["N"] ** -params["alpha"]
    data = params["beta"] * params["B"] * plan["D"] ** -params["beta"]
    np.testing.assert_allclose(size, data, rtol=1e-12)
    np.testing.assert_allclose(6 * plan["N"] * plan["D"], FLOPS, rtol=1e-12)


def test_repeated_data_need_their_amount():
    params = {"E": 1.869, "A": 520.8, "B": 1487.7, "alpha": 0.3526596, "R_D": 15.39, "R_N": 5.31}
    with pytest.raises(TypeError, match="given="):
        sj.compute_optimal((sj.laws.data_constrained, params), 1e22)


def test_units_scale_as_they_should():
    """N in millions, D in billions, compute in 1e15 FLOP: A and B take up the factors, the run stays."""
    other = REPLICATION | {
        "A": REPLICATION["A"] * 1e6 ** -REPLICATION["alpha"],
        "B": REPLICATION["B"] * 1e9 ** -REPLICATION["beta"],
    }
    plan = sj.compute_optimal((sj.laws.chinchilla, REPLICATION), FLOPS)
    scaled = sj.compute_optimal((sj.laws.chinchilla, other), np.array(FLOPS) / 1e15)
    np.testing.assert_allclose(scaled["N"] * 1e6, plan["N"], rtol=1e-10)
    np.testing.assert_allclose(scaled["loss"], plan["loss"], rtol=1e-12)


def test_a_law_without_an_optimum_says_so():
    with pytest.warns(UserWarning, match="no optimum inside"):
        plan = sj.compute_optimal((sj.laws.chinchilla, REPLICATION | {"beta": -0.1}), [1e22])
    assert plan["N"].isna().all()


def test_what_a_plan_chooses_cannot_be_given_and_strange_names_are_told():
    source = (sj.laws.chinchilla, REPLICATION)
    with pytest.raises(ValueError, match=r"given holds N=7e\+09, and N and D are what this plan chooses"):
        sj.compute_optimal(source, [1e24], given={"N": 7e9})
    with pytest.raises(ValueError, match="given holds D="):
        sj.inference_optimal(source, [1e24], 1e12, given={"D": 1e12})
    with pytest.raises(ValueError, match=r"given holds 'banana', and law 'chinchilla' has the inputs N, D"):
        sj.compute_optimal(source, [1e24], given={"banana": 3})


def test_a_size_that_nobody_will_train_is_told():
    """Units of a million, or N and D swapped, end in sizes like these."""
    with pytest.warns(UserWarning, match="check the units"):
        plan = sj.compute_optimal((sj.laws.chinchilla, REPLICATION | {"alpha": 0.01}), [1e24])
    assert plan["N"][0] > 1e15


def test_any_law_of_size_and_tokens_has_an_optimum():
    """Kaplan's bracket: its optimum grows with compute, and no neighbour on the budget is better."""
    source = (sj.laws.kaplan, {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103})
    plan = sj.compute_optimal(source, BUDGETS)
    for shift in (0.99, 1.01):
        assert (sj.laws.kaplan(shift * plan["N"], plan["D"] / shift, **source[1]) > plan["loss"]).all()
    assert plan["N"].is_monotonic_increasing


def test_no_split_of_the_budget_is_better():
    """Numeric minimisation over 100,001 splits of C = 6 N D; the grid's step bounds its error."""
    plan = sj.compute_optimal((sj.laws.chinchilla, REPLICATION), BUDGETS)
    for row in plan.itertuples():
        N = np.geomspace(row.N / 3, row.N * 3, 100_001)
        loss = np.asarray(sj.laws.chinchilla(N, row.flops / (6 * N), **REPLICATION))
        assert N[loss.argmin()] == pytest.approx(row.N, rel=1e-4)
        assert loss.min() == pytest.approx(row.loss, rel=1e-9) and (loss >= row.loss * (1 - 1e-14)).all()
