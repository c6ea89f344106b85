"""Plans: published optima, first-order conditions, and the search held to the closed form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.frontier import frontier

T1 = {"A": 477.826, "B": 2143.417, "E": 1.817218, "alpha": 0.3473105, "beta": 0.367172}
TEX = {
    "A": np.exp(6.0073404),
    "B": np.exp(6.0179186),
    "E": np.exp(0.5267228),
    "alpha": 0.33917084,
    "beta": 0.2849083,
}
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


@pytest.fixture(scope="module")
def fitted():
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(1e9, 1e11, 6)))
    loss = sj.laws.chinchilla(N, D, **T1) * np.exp(0.003 * np.random.default_rng(0).standard_normal(36))
    return sj.fit(sj.laws.chinchilla, {"N": N, "D": D, "loss": loss}, objective=sj.SquaredError())


def test_no_split_of_the_budget_is_better():
    """Numeric minimisation over 100,001 splits of C = 6 N D; the grid's step bounds its error."""
    plan = sj.compute_optimal((sj.laws.chinchilla, T1), FLOPS)
    for row in plan.itertuples():
        N = np.geomspace(row.N / 3, row.N * 3, 100_001)
        loss = np.asarray(sj.laws.chinchilla(N, row.flops / (6 * N), **T1))
        assert N[loss.argmin()] == pytest.approx(row.N, rel=1e-4)
        assert loss.min() == pytest.approx(row.loss, rel=1e-9) and (loss >= row.loss * (1 - 1e-14)).all()


def test_units_scale_as_they_should():
    """N in millions and D in billions: A and B take up the factors, and compute counted in 1e15 FLOP finds
    the same run."""
    other = T1 | {"A": T1["A"] * 1e6 ** -T1["alpha"], "B": T1["B"] * 1e9 ** -T1["beta"]}
    plan = sj.compute_optimal((sj.laws.chinchilla, T1), FLOPS)
    scaled = sj.compute_optimal((sj.laws.chinchilla, other), np.array(FLOPS) / 1e15)
    np.testing.assert_allclose(scaled["N"] * 1e6, plan["N"], rtol=1e-10)
    np.testing.assert_allclose(scaled["loss"], plan["loss"], rtol=1e-12)


def test_intervals_are_the_percentiles_of_every_draws_own_optimum(fitted):
    """A fit, its bootstrap and anything with `.fit` and `.numbers` are planned from alike."""
    draws = fitted.bootstrap(200)
    plan = sj.compute_optimal(draws, FLOPS, level=0.8)
    own = [
        sj.compute_optimal(
            (fitted.law, dict(zip(fitted.law.labels, map(float, row), strict=True))), [GOPHER]
        )["N"][0]
        for row in draws.numbers
    ]
    at = FLOPS.index(GOPHER)
    np.testing.assert_allclose(
        plan.loc[at, ["N_lower", "N_upper"]].astype(float), np.quantile(own, [0.1, 0.9]), rtol=1e-9
    )
    assert plan.attrs["level"] == 0.8
    point = sj.compute_optimal(fitted, FLOPS)
    np.testing.assert_allclose(plan[list(point)], point, rtol=1e-12)

    class Posterior:
        fit, numbers = fitted, draws.numbers

    pd.testing.assert_frame_equal(sj.compute_optimal(Posterior(), FLOPS, level=0.8), plan)
    assert (plan["N_lower"] < plan["N_upper"]).all()
    ratio = plan["N_upper"] / plan["N_lower"]
    assert ratio.iloc[-1] > ratio.iloc[1], "wider beyond the data"


def test_counts_that_a_plan_must_not_pass_over(fitted):
    table = pd.DataFrame({**fitted.data().inputs, "loss": fitted.data().target})
    for count, words in (
        ({"N": "non-embedding"}, "leaves out the embedding"),
        ({"C": "6ND + attention"}, "convert budgets"),
    ):
        counted = sj.fit(sj.laws.chinchilla, table, objective=sj.SquaredError(), count=count)
        with pytest.warns(UserWarning, match=words):
            plan = sj.compute_optimal(counted, [1e22])
        assert words in plan.attrs["notes"][0]
    assert sj.compute_optimal(fitted, [1e22]).attrs["notes"] == []


def test_a_law_without_an_optimum_says_so():
    with pytest.warns(UserWarning, match="no optimum inside"):
        plan = sj.compute_optimal((sj.laws.chinchilla, T1 | {"beta": -0.1}), [1e22])
    assert plan["N"].isna().all()


@pytest.mark.parametrize(
    ("source", "flops", "error", "words"),
    [
        ((sj.laws.chinchilla, T1), -1.0, ValueError, "positive"),
        ((sj.laws.chinchilla, T1), "much", ValueError, "give numbers"),
        ((sj.laws.chinchilla, {"E": 1.0}), 1e21, ValueError, "has the parameters"),
        ("chinchilla", 1e21, TypeError, "A plan is made from"),
        ((sj.laws.power_law, {"A": 1.0, "alpha": 0.1}), 1e21, TypeError, "needs N and D"),
    ],
)
def test_bad_input_is_one_sentence(source, flops, error, words):
    with pytest.raises(error, match=words):
        sj.compute_optimal(source, flops)


def test_intervals_of_bare_constants_are_refused():
    with pytest.raises(ValueError, match="bare constants have none"):
        sj.compute_optimal((sj.laws.chinchilla, T1), 1e21, level=0.9)
