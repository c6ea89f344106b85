"""Plans: published optima, first-order conditions, and the search held to the closed form."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine.frontier import frontier

T1 = {"A": 477.826, "B": 2143.417, "E": 1.817218, "alpha": 0.3473105, "beta": 0.367172}
TEX = {"A": np.exp(6.0073404), "B": np.exp(6.0179186), "E": np.exp(0.5267228), "alpha": 0.33917084, "beta": 0.2849083}
PRINTED = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}
GOPHER = 5.76e23
FLOPS = [1e18, 1e21, GOPHER, 1e26]


def test_the_replication_at_gophers_budget():
    """T8 of the acceptance list; its figures are printed to four digits."""
    row = sj.compute_optimal((sj.laws.chinchilla, T1), GOPHER).iloc[0]
    exponents = sj.allocation_exponents((sj.laws.chinchilla, T1))["estimate"]
    assert row["N"] == pytest.approx(73.19e9, rel=1e-4)
    assert row["tokens_per_param"] == pytest.approx(17.92, abs=5e-3)
    assert row["N"] / (GOPHER / 6) ** exponents["N"] == pytest.approx(0.11321, abs=5e-6)
    assert exponents["loss"] == pytest.approx(0.17848, abs=5e-6)
    assert exponents["N"] == pytest.approx(T1["beta"] / (T1["alpha"] + T1["beta"]), rel=1e-9)


@pytest.mark.parametrize(("params", "size", "ratio"), [(PRINTED, 32.2e9, 92.7), (TEX, 40.4e9, 58.9)])
def test_rounded_constants_move_hoffmanns_optimum(params, size, ratio):
    row = sj.compute_optimal((sj.laws.chinchilla, params), GOPHER).iloc[0]
    assert row["N"] == pytest.approx(size, abs=0.05e9)
    assert row["tokens_per_param"] == pytest.approx(ratio, rel=1e-3)  # three digits are given


@pytest.mark.parametrize("params", [T1, PRINTED])
def test_the_two_costs_balance_at_the_optimum(params):
    plan = sj.compute_optimal((sj.laws.chinchilla, params), FLOPS)
    size = params["alpha"] * params["A"] * plan["N"] ** -params["alpha"]
    data = params["beta"] * params["B"] * plan["D"] ** -params["beta"]
    np.testing.assert_allclose(size, data, rtol=1e-12)
    np.testing.assert_allclose(6 * plan["N"] * plan["D"], FLOPS, rtol=1e-12)


@pytest.mark.parametrize(
    ("law", "params"),
    [
        (sj.laws.chinchilla, T1),
        (sj.laws.chinchilla_tied, {"E": 1.869, "A": 520.8, "B": 1487.7, "alpha": 0.3526596}),
        (sj.laws.chinchilla_gamma, T1 | {"gamma": 0.7}),
    ],
)
def test_the_search_finds_the_closed_form(law, params):
    closed = sj.compute_optimal((law, params), FLOPS)
    searched = frontier(law, law.flatten(params)[None], np.array(FLOPS), np.asarray(0.0), {})
    np.testing.assert_allclose(searched.N[0], closed["N"], rtol=1e-8)
    np.testing.assert_allclose(searched.loss[0], closed["loss"], rtol=1e-12)


def test_any_law_of_size_and_tokens_has_an_optimum():
    """Kaplan's bracket: its optimum grows with compute, and no neighbour on the budget is better."""
    source = (sj.laws.kaplan, {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103})
    plan = sj.compute_optimal(source, FLOPS)
    for shift in (0.99, 1.01):
        assert (sj.laws.kaplan(shift * plan["N"], plan["D"] / shift, **source[1]) > plan["loss"]).all()
    assert plan["N"].is_monotonic_increasing


def test_repeated_data_need_their_amount():
    params = {"E": 1.869, "A": 520.8, "B": 1487.7, "alpha": 0.3526596, "R_D": 15.39, "R_N": 5.31}
    with pytest.raises(TypeError, match="given="):
        sj.compute_optimal((sj.laws.data_constrained, params), 1e22)
