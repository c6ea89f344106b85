"""Pictures of plans draw the runs, optima and bands that the results hold."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def drawn(ax, label):
    return next(line for line in ax.get_lines() if line.get_label() == label)


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_isoflop_curves_pass_through_their_optima(our_sweep, method):
    found = sj.isoflop(our_sweep, budget="budget", N="n_params", D="tokens", method=method)
    ax = sj.plot.isoflop(found)
    stars = drawn(ax, "optimum")
    np.testing.assert_array_equal(stars.get_xydata(), found.inside[["N", "loss"]])
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in dots) == len(our_sweep)
    curves = [line for line in ax.get_lines() if line.get_marker() == "None"]
    for curve, (x, y) in zip(curves, stars.get_xydata(), strict=True):
        assert np.interp(np.log(x), np.log(curve.get_xdata()), curve.get_ydata()) == pytest.approx(
            y, rel=1e-3
        )
        assert curve.get_ydata().min() == pytest.approx(y, rel=1e-3)


def test_envelope_lies_on_the_lowest_curves(our_sweep):
    found = sj.envelope(our_sweep, run="run", N="n_params", D="tokens")
    ax = sj.plot.envelope(found)
    np.testing.assert_array_equal(
        drawn(ax, "best for its compute").get_xydata(), found.inside[["flops", "loss"]]
    )
    assert len([one for one in ax.get_lines() if one.get_linewidth() < 1]) == our_sweep["run"].nunique()


def test_the_band_holds_the_power_law(our_sweep):
    found = sj.isoflop(our_sweep, budget="budget", N="n_params", D="tokens", run="run")
    draws = found.bootstrap(50, resample="run")
    ax = sj.plot.allocation(found, draws)
    np.testing.assert_array_equal(drawn(ax, "optima").get_xydata(), found.inside[["flops", "N"]])
    law = drawn(ax, f"N* grows as C^{found.exponents().loc['N', 'estimate']:.3f}")
    expected = draws.optimal(law.get_xdata())
    np.testing.assert_allclose(law.get_ydata(), expected["N"])
    corners = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert corners.min() == pytest.approx(expected["N_lower"].min())
    assert corners.max() == pytest.approx(expected["N_upper"].max())


def test_a_plan_is_its_columns():
    constants = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}
    table = sj.compute_optimal((sj.laws.chinchilla, constants), np.geomspace(1e20, 1e24, 9))
    table = table.assign(N_lower=0.8 * table["N"], N_upper=1.3 * table["N"])
    ax = sj.plot.plan(table, "N", label="printed")
    np.testing.assert_array_equal(drawn(ax, "printed").get_xydata(), table[["flops", "N"]])
    assert ax.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(table["N_upper"].max())
    assert ax.get_ylabel() == "best model size N* (parameters)"
    assert "printed" in [text.get_text() for text in ax.texts]
    with pytest.raises(ValueError, match="tokens_per_param"):
        sj.plot.plan(table, "compute")


def test_a_plan_is_followed_from_its_runs_to_its_goals(best):
    plan = sj.plan(best, flops=[1e22, 1e24])
    table = sj.plot.plan_data(plan, "tokens_per_param", published=["hoffmann2022"])
    goals = table[table["kind"] == "goal"]
    np.testing.assert_array_equal(goals["value"], plan.table["tokens_per_param"])
    np.testing.assert_array_equal(goals["upper"], plan.table["tokens_per_param_upper"])
    path = table[(table["who"] == "plan") & (table["kind"] == "path")]
    runs = best.data().inputs
    C = 6 * runs["N"] * runs["D"]
    assert path["flops"].min() == pytest.approx(C.min()) and path["flops"].max() > 1e24
    expected = sj.compute_optimal(best, path["flops"])
    np.testing.assert_allclose(path["value"], expected["tokens_per_param"], rtol=1e-6)
    other = sj.compute_optimal(sj.published["hoffmann2022"], path["flops"])
    np.testing.assert_allclose(table.loc[table["who"] == "hoffmann2022", "value"], other["tokens_per_param"])
    ax = sj.plot.plan(plan, published=["hoffmann2022"])
    assert {"this plan", "hoffmann2022", "end of data"} <= {text.get_text() for text in ax.texts}


def test_the_cheapest_run_of_a_loss_lies_on_the_path_too():
    plan = sj.plan(sj.published["besiroglu2024"], loss=2.0)
    goal = sj.plot.plan_data(plan).query("kind == 'goal'").iloc[0]
    assert goal["flops"] == pytest.approx(plan.table["flops"][0]) and goal["value"] == plan.table["N"][0]
    assert sj.plot.plan(plan, "loss").get_ylabel() == "loss of the best run"


def test_money_is_an_axis_of_its_own():
    cost = sj.cost.money(price=2.0, peak=989e12)
    plan = sj.plan(sj.published["besiroglu2024"], budget=[2e6], cost=cost)
    assert sj.plot.plan(plan, "D").get_xlabel() == "cost ($)"


def test_a_plan_without_a_size_is_drawn_by_what_it_chooses():
    law = sj.laws.power_law
    plan = sj.plan((law, {"A": 5.0, "alpha": 0.3}), flops=[1e3, 1e5], cost="x")
    table = sj.plot.plan_data(plan, "loss")
    np.testing.assert_allclose(table["value"], 5 * table.iloc[:, 2] ** -0.3)
    assert sj.plot.plan(plan).get_xscale() == "log"
