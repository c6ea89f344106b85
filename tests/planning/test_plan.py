"""Plans: published allocations and closed forms, what limits are worth, other runs, intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.source import Source
from tests.cases.catalogue import JOINT_MOE
from tests.planning.constants import TEX

# the replication's rounded constants, for numbers that were computed from them
R = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
H = TEX
CHINCHILLA = sj.laws.chinchilla
REPEATS = {"E": np.exp(0.6254804), "A": np.exp(6.255414), "B": np.exp(7.3049974), "alpha": 0.3526596}


@pytest.mark.parametrize(
    ("params", "factors", "largest"),
    [
        (H, {0.5: 1.132203, 2: 1.210187, 4: 2.934729, 8: 125.8109}, 10.09301),
        (R, {0.5: 1.147608, 2: 1.259304, 4: 4.465323}, 6.829983),
    ],
)
def test_the_price_of_a_smaller_model(params, factors, largest):
    """Free of scale and of E, A, B: (1 - (b/a)(k^a - 1))^(-1/b) / k, and impossible from k_max on."""
    plan = sj.plan((CHINCHILLA, params), flops=[1e19, 1e21, 1e24])
    for times, factor in factors.items():
        np.testing.assert_allclose(plan.smaller(times)["factor"], factor, rtol=1e-6)
    assert np.isinf(plan.smaller(1.001 * largest)["factor"]).all()
    assert np.isfinite(plan.smaller(0.97 * largest)["factor"]).all()
    a, b = params["alpha"], params["beta"]
    same_cost = (b * 4**a + a * 4**-b) / (a + b)  # of the reducible loss
    np.testing.assert_allclose(
        (plan.smaller(4)["loss"] - params["E"]) / (plan.table["loss"] - params["E"]), same_cost, rtol=1e-9
    )


def test_a_loss_a_size_and_a_cap():
    source = (CHINCHILLA, R)
    run = sj.plan(source, loss=2.0).table.iloc[0]
    assert run["flops"] == pytest.approx(2.4748025e23, rel=1e-6)
    assert run[["N", "D"]].tolist() == pytest.approx([4.6855646e10, 8.8029323e11], rel=1e-6)
    best = sj.plan(source, flops=1e23)
    small = best.off(N=8e9).iloc[0]
    assert small["D_equal"] == pytest.approx(7.0758849e12, rel=1e-6)
    assert small["factor"] == pytest.approx(3.3964248, rel=1e-6)
    held = sj.plan(source, loss=best.table["loss"], limits={"N": 8e9}).table.iloc[0]
    assert held["D"] == pytest.approx(7.0758849e12, rel=1e-6) and held["N"] == 8e9
    capped = sj.plan(source, flops=1e24, limits={"D": (None, 1e12)})
    run = capped.table.iloc[0]
    assert run["N"] == pytest.approx(1e24 / 6e12, rel=1e-9) and run["D"] == pytest.approx(1e12, rel=1e-9)
    assert run["loss"] == pytest.approx(1.9625040, rel=1e-7) and run["binding"] == "FLOP, D <= 1e+12"
    price = capped.multipliers.set_index("limit")["price"]
    assert price["D <= 1e+12"] == pytest.approx(0.010143946, rel=1e-6)
    assert sj.plan(source, flops=[1e21, 1e24]).table["worth"].tolist() == pytest.approx(
        [0.0377624, 0.0129652], rel=1e-5
    )
    free = sj.plan(source, flops=1e24)
    dearer = free.table["flops"] / sj.plan(source, loss=run["loss"]).table["flops"]
    assert dearer[0] == pytest.approx(1.1149493, rel=1e-6)


def test_limits_that_leave_budget_over():
    run = sj.plan((CHINCHILLA, R), flops=1e24, limits={"N": (None, 1e10), "D": (None, 1e12)}).table.iloc[0]
    assert run["spent"] == pytest.approx(6e22, rel=1e-9)
    assert run["binding"] == "N <= 1e+10, D <= 1e+12"
    assert run["N"] == pytest.approx(1e10, rel=1e-9) and run["D"] == pytest.approx(1e12, rel=1e-9)


@pytest.mark.parametrize(
    ("size", "served", "N", "D", "ratio"),
    [
        (1e9, 1e10, 8.63532e8, 3.39828e10, 0.992323),
        (7e9, 1e12, 3.78980e9, 6.30861e11, 0.830153),
        (13e9, 2e12, 7.12031e9, 1.29514e12, 0.836791),
        (30e9, 1e13, 1.39336e10, 4.57641e12, 0.734132),
        (70e9, 1e13, 4.24598e10, 8.28178e12, 0.890165),
    ],
)
def test_models_that_will_be_served(size, served, N, D, ratio):
    """Sardana et al. 2024, at a compute-optimal size's loss: aA N^-a / (bB D^-b) = 1 + D_inf / 3 D."""
    a, b = H["alpha"], H["beta"]
    growth = (a * H["A"] / (b * H["B"])) ** (1 / (a + b))
    flops = 6 * (size / growth) ** ((a + b) / b)
    base = sj.plan((CHINCHILLA, H), flops=flops).table.iloc[0]
    whole = sj.cost.training() + sj.cost.serving(tokens=served)
    run = sj.plan((CHINCHILLA, H), loss=base["loss"], cost=whole).table.iloc[0]
    assert run[["N", "D"]].tolist() == pytest.approx([N, D], rel=1e-5)
    assert run["flops"] / (flops + 2 * base["N"] * served) == pytest.approx(ratio, rel=1e-5)
    balance = a * H["A"] * run["N"] ** -a / (b * H["B"] * run["D"] ** -b)
    assert balance == pytest.approx(1 + served / (3 * run["D"]), rel=1e-7)


def test_money_of_training_and_of_serving():
    """Sardana's own example in dollars: tokens are served at other prices and shares of other peaks."""
    S = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.336, "beta": 0.283}
    train = sj.cost.money(price=1.40, peak=3.12e14, mfu=0.5)
    prefill = sj.cost.money(price=0.60, peak=6.24e14, mfu=0.4, of=sj.cost.serving(tokens=1e13))
    decode = sj.cost.money(price=0.60, peak=6.24e14, mfu=0.2, of=sj.cost.serving(tokens=2.5e12))
    loss = 1.947  # of 70e9 parameters on 1e12 tokens, as they round it
    run = sj.plan((CHINCHILLA, S), loss=loss, cost=train + prefill + decode).table.iloc[0]
    assert run[["N", "D", "money"]].tolist() == pytest.approx([2.05273e10, 3.30212e12, 1.42506e6], rel=1e-5)
    flop = sj.plan((CHINCHILLA, S), loss=loss, cost=sj.cost.training() + sj.cost.serving(tokens=2e12))
    assert flop.table.loc[0, ["N", "D"]].tolist() == pytest.approx([2.41836e10, 2.65705e12], rel=1e-5)
    hours = sj.cost.gpu_hours(peak=989e12)
    by_hours = sj.plan((CHINCHILLA, R), budget=float(hours(N=1.0, D=1e24 / 6)), cost=hours).table.iloc[0]
    by_flop = sj.plan((CHINCHILLA, R), flops=1e24).table.iloc[0]
    assert by_hours[["N", "D"]].tolist() == pytest.approx(by_flop[["N", "D"]].tolist(), rel=1e-12)


HOURS = {"peak": 989e12, "mfu": 0.4}


@pytest.mark.parametrize(
    ("name", "cost", "amount"),
    [
        ("gpu_hours", sj.cost.gpu_hours(**HOURS), 1e24 / (989e12 * 0.4 * 3600)),
        ("days", sj.cost.days(devices=1024, **HOURS), 1e24 / (989e12 * 0.4 * 3600) / (24 * 1024)),
        ("money", sj.cost.money(price=2.0, **HOURS), 2 * 1e24 / (989e12 * 0.4 * 3600)),
        ("money", sj.cost.money(price=2.0, unit="EUR", **HOURS), 2 * 1e24 / (989e12 * 0.4 * 3600)),
        ("flops", sj.cost.training(), 1e24),
    ],
)
def test_a_budget_has_the_name_of_its_unit(name, cost, amount):
    """The same run whatever it is paid in, and other names are refused with the remedy."""
    by_flop = sj.plan((CHINCHILLA, R), flops=1e24).table.iloc[0]
    run = sj.plan((CHINCHILLA, R), cost=cost, **{name: amount}).table.iloc[0]
    assert run[["N", "D"]].tolist() == pytest.approx(by_flop[["N", "D"]].tolist(), rel=1e-12)
    for other in {"gpu_hours", "days", "money", "flops"} - {name}:
        with pytest.raises(ValueError, match=rf"{other}= is in .*: give {name}="):
            sj.plan((CHINCHILLA, R), cost=cost, **{other: 1e24})


def test_what_is_given_is_a_limit():
    source = (sj.laws.data_constrained, REPEATS | {"R_D": 15.387756, "R_N": 5.309743})
    one, two = (sj.plan(source, flops=9.3e21, **{how: {"U": 25e9}}).table for how in ("given", "limits"))
    pd.testing.assert_frame_equal(one, two)
    with pytest.raises(ValueError, match="stands in limits= and in given="):
        sj.plan(source, flops=9.3e21, given={"U": 25e9}, limits={"U": 2e9})


def test_kaplans_closed_form_is_a_plan():
    """At the critical batch of the loss that is reached, whose tokens the cost holds."""
    law, C = sj.laws.kaplan_steps, [1e19, 1e23]
    steps = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}

    def flop(N, S_min):
        return 6 * N * S_min * 2e8 * law(N, S_min, **steps) ** (-1 / 0.21)

    run, best = sj.plan((law, steps), budget=C, cost=flop).table, sj.laws.kaplan_optimum(C)
    np.testing.assert_allclose(run["N"], best.N, rtol=1e-6)
    np.testing.assert_allclose(run["S_min"], best.S_min, rtol=1e-6)
    np.testing.assert_allclose(run["loss"], best.loss, rtol=1e-9)


def test_repeated_tokens():
    """Epochs and the size over Chinchilla's depend on C / U^2; without decay the plan is Chinchilla's."""
    law, decays = sj.laws.data_constrained, {"R_D": 15.387756, "R_N": 5.309743}
    for ratio, epochs, share in ((1, 1.9472, 0.9285), (16, 9.4884, 0.7622), (100, 27.2086, 0.6645)):
        for unique in (1e9, 1e10, 1e11):
            flops = ratio * unique**2
            run = sj.plan((law, REPEATS | decays), flops=flops, limits={"U": unique}).table.iloc[0]
            fresh = sj.plan((sj.laws.chinchilla_tied, REPEATS), flops=flops).table.iloc[0]
            assert run["epochs"] == pytest.approx(epochs, rel=1e-4)
            assert run["N"] / fresh["N"] == pytest.approx(share, rel=1e-4)
    asked = {"flops": 9.3e21, "limits": {"U": 25e9}}
    run = sj.plan((law, REPEATS | decays), **asked).table.iloc[0]
    assert run[["N", "epochs"]].tolist() == pytest.approx([6.8152e9, 9.0974], rel=1e-4)
    assert run["loss"] == pytest.approx(2.225089, abs=1e-6)
    other = sj.plan((law, REPEATS | {"R_D": 95.365, "R_N": 1.7059}), **asked).table.iloc[0]
    assert other["N"] == pytest.approx(3.64e9, rel=1e-3) and other["epochs"] == pytest.approx(17.0, abs=0.05)
    endless = sj.plan((law, REPEATS | {"R_D": 1e9, "R_N": 1e9}), **asked).table.iloc[0]
    fresh = sj.plan((sj.laws.chinchilla_tied, REPEATS), flops=9.3e21).table.iloc[0]
    assert endless["N"] == pytest.approx(fresh["N"], rel=1e-6)
    capped = sj.plan((law, REPEATS | decays), flops=9.3e21, limits={"U": 25e9, "epochs": (None, 4)})
    assert capped.table["epochs"][0] == pytest.approx(4, rel=1e-9)
    assert capped.table["binding"][0] == "FLOP, D / U <= 4"


PRECISION = {
    "A": 4299.0, "B": 18060.0, "E": 2.7648, "alpha": 0.4965,
    "gamma_w": 2.6745, "gamma_a": 2.2102, "gamma_kv": 0.9578, "n_w": 0.3037, "n_a": 1.4072, "n_kv": 2.4185,
}  # fmt: skip


def test_the_best_precision_does_not_depend_on_compute():
    """Kumar et al. 2024: 7.00 bits; one precision for weights, activations and cache is a formula."""
    tied = {"P_a": "P_w", "P_kv": "P_w"}
    plan = sj.plan(
        (sj.laws.precision, PRECISION), flops=[1e20, 1e24], cost=sj.cost.precision("P_w"), limits=tied
    )
    np.testing.assert_allclose(plan.table["P_w"], 7.002, atol=2e-3)
    assert plan.table["P_w"][0] == pytest.approx(plan.table["P_w"][1], rel=1e-6)
    known = {name: value for name, value in PRECISION.items() if name != "E"}
    np.testing.assert_allclose(plan.table["N"], sj.laws.precision_optimum([1e20, 1e24], **known).N, rtol=1e-6)


def test_a_list_of_what_can_be_built():
    """The best of a list is the best of its members one by one."""
    sizes = [1e9, 3e9, 7e9, 2e10]
    plan = sj.plan((CHINCHILLA, R), flops=[1e21, 1e23], limits={"N": sizes})
    for row in plan.table.itertuples():
        losses = [float(CHINCHILLA(N, row.flops / (6 * N), **R)) for N in sizes]
        assert sizes[int(np.argmin(losses))] == row.N and row.loss == pytest.approx(min(losses), rel=1e-12)


def test_joint_laws_of_experts_give_the_printed_optima():
    """Ludziejewski et al. 2025, table 1: active size and tokens for a budget and a number of experts."""
    for flops, experts, N, D in ((1e20, 1, 1.7e9, 9.7e9), (1e20, 8, 990e6, 17e9), (1e20, 32, 669e6, 24.9e9)):
        run = sj.plan((sj.laws.joint_moe, JOINT_MOE), flops=flops, limits={"E": experts}).table.iloc[0]
        assert run[["N", "D"]].tolist() == pytest.approx([N, D], rel=0.02)


def test_memory_and_ratios_are_limits():
    source = (CHINCHILLA, R)
    held = sj.plan(source, flops=1e24, limits={sj.cost.memory(bytes=2): 80e9, "D / N": (None, 500)})
    run = held.table.iloc[0]
    assert run["N"] == pytest.approx(4e10, rel=1e-9) and run["binding"] == "FLOP, 2 N (bytes) <= 8e+10"
    exact = sj.plan(source, flops=1e24, limits={"tokens_per_param": 100}).table.iloc[0]
    assert exact["tokens_per_param"] == pytest.approx(100, rel=1e-9)
    assert exact["flops"] == pytest.approx(6 * exact["N"] * exact["D"], rel=1e-9)


def test_curves_for_pictures():
    plan = sj.plan((CHINCHILLA, R), flops=[1e21, 1e23])
    loss = plan.iso_loss(n=9, span=10)
    known = loss.dropna()
    np.testing.assert_allclose(known["loss"], known["curve"], rtol=1e-9)
    np.testing.assert_allclose(known["loss"], CHINCHILLA(known["N"], known["D"], **R), rtol=1e-9)
    assert known.groupby("curve")["flops"].min().to_numpy() == pytest.approx([1e23, 1e21], rel=1e-9)
    assert loss["D"].isna().any(), "left of a size that no training makes good enough"
    cost = plan.iso_cost(n=9, span=10)
    np.testing.assert_allclose(6 * cost["N"] * cost["D"], cost["curve"], rtol=1e-9)
    assert cost.groupby("curve")["loss"].min().tolist() == pytest.approx(plan.table["loss"].tolist())


def test_how_wide_the_optimum_is():
    """At both ends the loss is what was allowed; near the best it rises by (ab / 2) (ln k)^2 of L - E."""
    plan = sj.plan((CHINCHILLA, R), flops=[1e21, 1e24])
    wide = plan.flat(slack=1e-4)
    for end in ("N_least", "N_most"):
        there = CHINCHILLA(wide[end], wide["flops"] / (6 * wide[end]), **R)
        np.testing.assert_allclose(there, plan.table["loss"] * (1 + 1e-4), rtol=1e-9)
    share = 1e-4 * plan.table["loss"] / (plan.table["loss"] - R["E"])
    near = np.exp(np.sqrt(2 * share / (R["alpha"] * R["beta"])))
    np.testing.assert_allclose(np.sqrt(wide["N_most"] / wide["N_least"]), near, rtol=2e-3)  # to second order
    with pytest.raises(ValueError, match="share of the loss"):
        plan.flat(slack=0)


def test_a_rival_optimum_of_the_fit_is_planned_too():
    numbers = CHINCHILLA.flatten(R)
    rivals = CHINCHILLA.flatten(H)[None]
    with pytest.warns(UserWarning, match=r"plans N = 4.04e\+10 where this one plans 7.\d+e\+10"):
        sj.plan(Source(CHINCHILLA, numbers, rivals=rivals), flops=5.76e23)


def sourced(draws: int = 200, **moved: float) -> Source:
    numbers = CHINCHILLA.flatten(R)
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal((draws, 5)))
    return Source(CHINCHILLA, numbers, numbers * noise, method="simulated", **moved)


def test_intervals_are_those_of_every_draws_own_plan():
    source = sourced()
    plan = sj.plan(source, flops=[1e21, 1e24], level=0.8)
    own = [sj.plan(Source(CHINCHILLA, row), flops=1e24).table["N"][0] for row in source.draws]
    assert plan.table.loc[1, ["N_lower", "N_upper"]].tolist() == pytest.approx(np.quantile(own, [0.1, 0.9]))
    columns = list(plan.table)
    assert columns[:7] == ["flops", "N", "N_lower", "N_upper", "D", "D_lower", "D_upper"]
    assert plan.table.attrs["level"] == 0.8 and "80 % intervals from 200 draws" in str(plan)
    assert "lower" in plan.exponents() and list(sj.plan(source, flops=1e21, level=None).table)[1:3] == [
        "N",
        "D",
    ]
    middle = sj.plan(sourced(median=True), flops=[1e24])
    assert middle.table["N"][0] == pytest.approx(np.median(own)) and "medians" in middle.notes[-1]
    price = plan.smaller(4).iloc[1]
    each = [sj.plan(Source(CHINCHILLA, row), flops=1e24).smaller(4)["factor"][0] for row in source.draws[:1]]
    assert price["factor_lower"] < price["factor"] < price["factor_upper"] and price["impossible"] == 0
    assert plan.drawn is not None and each[0] > 0


def test_draws_without_an_optimum_are_counted_and_move_nothing_else():
    source = sourced(100)
    draws = source.draws.copy()
    draws[:3, 4] = -0.01
    with pytest.warns(UserWarning, match=r"3.0 % of the draws have no optimum inside"):
        some = sj.plan(Source(CHINCHILLA, source.numbers, draws), flops=1e24).table
    rest = sj.plan(Source(CHINCHILLA, source.numbers, draws[3:]), flops=1e24).table
    pd.testing.assert_frame_equal(some, rest)


def test_what_cannot_be_had_is_said():
    source = (CHINCHILLA, R)
    with pytest.warns(UserWarning, match="loss 1.5 cannot be met: no run within the limits predicts it"):
        assert np.isnan(sj.plan(source, loss=1.5).table["N"][0])
    with pytest.warns(UserWarning, match=r"FLOP 1e\+20 cannot be met: the limits contradict it"):
        sj.plan(source, flops=1e20, limits={"N": (1e12, None), "D": (1e12, None)})
    with pytest.warns(UserWarning, match="no optimum inside"):
        sj.plan((CHINCHILLA, R | {"beta": -0.1}), flops=1e22)
    with pytest.warns(UserWarning, match="check the units"):
        sj.plan((CHINCHILLA, R | {"alpha": 0.01}), flops=1e24)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({}, ValueError, "one of flops="),
        ({"flops": 1e21, "loss": 2.0}, ValueError, "one of flops="),
        ({"flops": -1.0}, ValueError, "positive"),
        ({"loss": "low"}, ValueError, "give numbers"),
        ({"flops": 1e21, "level": 2}, ValueError, "between 0 and 1"),
        ({"flops": 1e21, "limits": {"banana": 3}}, ValueError, "names 'banana', which is no input"),
        ({"flops": 1e21, "limits": {"N": (1e10, 1e9)}}, ValueError, "lower end 1e[+]10 is above"),
        ({"flops": 1e21, "limits": {"N": "much"}}, ValueError, "needs? much"),
        ({"flops": 1e21, "limits": {"N": np.nan}}, ValueError, "not what a limit is made of"),
        ({"flops": 1e21, "limits": [1]}, TypeError, "give a mapping"),
        ({"flops": 1e21, "limits": {"N": 1e9, "D": 1e10}}, ValueError, "nothing is left to choose"),
        ({"flops": 1e21, "cost": 6.0}, TypeError, "give one of sj.cost"),
        ({"flops": 1e21, "cost": "6 * N * U"}, ValueError, "need U, which law"),
        ({"flops": 1e21, "cost": "2 * N", "limits": {"N": 1e9}}, ValueError, "does not rise"),
        (
            {"flops": 1e21, "cost": sj.cost.gpu_hours(peak=1e15)},
            ValueError,
            "in GPU-hours: give gpu_hours=",
        ),
        ({"flops": 1e21, "better": "best"}, ValueError, "say 'lower' or 'higher'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(asked, error, words):
    with pytest.raises(error, match=words):
        sj.plan((CHINCHILLA, R), **asked)


def test_other_runs_are_those_the_plan_chooses():
    plan = sj.plan((CHINCHILLA, R), flops=1e21)
    for held, words in (
        ({"P": 2.0}, "not what this plan chooses"),
        ({}, "one positive number"),
        ({"N": -1}, "one positive"),
    ):
        with pytest.raises(ValueError, match=words):
            plan.off(**held)
    with pytest.raises(ValueError, match="positive number"):
        plan.smaller(0)


def test_a_chain_is_planned_for_its_metric():
    """The cheapest run of an error is the cheapest run of the loss that gives it."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(1e9, 1e11, 6)))
    loss = sj.fit(CHINCHILLA, {"N": N, "D": D, "loss": CHINCHILLA(N, D, **R)}, objective=sj.SquaredError())
    at = np.geomspace(2, 4, 12)
    truth = {"eps": 0.85, "k": 2.0, "gamma": 0.75}
    error = sj.fit(
        sj.laws.error_from_loss,
        {"loss": at, "error": sj.laws.error_from_loss(at, **truth)},
        target="error",
        objective=sj.SquaredError(on="raw"),
    )
    wanted = float(sj.laws.error_from_loss(2.2, **truth))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = sj.plan(sj.chain(loss, error), loss=wanted, level=None).table.iloc[0]
    straight = sj.plan((CHINCHILLA, R), loss=2.2).table.iloc[0]
    assert run[["N", "D", "flops"]].tolist() == pytest.approx(
        straight[["N", "D", "flops"]].tolist(), rel=1e-3
    )
    assert run["loss"] == pytest.approx(wanted, rel=1e-6), "the metric asked for, not the loss in between"


def test_groups_are_planned_one_by_one():
    plans = sj.plan({"a": (CHINCHILLA, R), "b": (CHINCHILLA, H)}, flops=[1e21, 1e24])
    assert list(plans) == ["a", "b"] and plans.table["group"].tolist() == ["a", "a", "b", "b"]
    pd.testing.assert_frame_equal(plans["b"].table, sj.plan((CHINCHILLA, H), flops=[1e21, 1e24]).table)
    assert "1e+24" in str(plans)


def test_approaches_are_planned_from_as_laws_are():
    C, N = (grid.ravel() for grid in np.meshgrid([1e19, 1e20, 1e21, 1e22], np.geomspace(1e8, 1e10, 21)))
    runs = pd.DataFrame({"C": C, "N": N, "D": C / (6 * N)})
    runs["loss"] = CHINCHILLA(runs["N"], runs["D"], **R)
    found = sj.isoflop(runs, budget="C", method="akima")
    plan = sj.plan(found, flops=[1e23], level=None)
    pd.testing.assert_frame_equal(
        plan.table[["flops", "N", "D", "loss"]], found.optimal([1e23])[["flops", "N", "D", "loss"]]
    )
    reached = sj.plan(found, loss=plan.table["loss"], level=None)
    assert reached.table["flops"][0] == pytest.approx(1e23, rel=1e-6)


def test_shares_that_need_not_add_up_are_refused_and_what_is_left_can_be_said() -> None:
    law = sj.laws.mixture_additive("c", "w")
    params = dict.fromkeys(law.params, 0.5) | {"A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}
    with pytest.raises(ValueError, match="The shares c, w add up to one"):
        sj.plan((law, params), flops=1e20)
    run = sj.plan((law, params), flops=1e20, limits={"w": "1 - c"}).table.iloc[0]
    assert run["c"] + run["w"] == pytest.approx(1.0)
