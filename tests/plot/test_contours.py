"""Contours show the law's own losses, the runs, and the best run of each budget."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_the_numbers_are_the_laws_and_the_plans(best: sj.FitResult) -> None:
    plan = sj.plan(best, flops=[1e22], level=None)
    table = sj.plot.contour_data(plan)
    grid = table[table["kind"] == "loss"]
    np.testing.assert_allclose(grid["loss"], best.predict(grid[["N", "D"]]), rtol=1e-12)
    assert (table["kind"] == "run").sum() == len(best.data())
    frontier = table[table["kind"] == "frontier"]
    expected = sj.compute_optimal(best, frontier["flops"])
    np.testing.assert_allclose(frontier["N"], expected["N"], rtol=1e-6)
    star = table[table["kind"] == "plan"].iloc[0]
    assert star["N"] == plan.table["N"][0] and star["flops"] == 1e22


def test_a_fit_takes_budgets_and_printed_constants_need_no_runs(best: sj.FitResult) -> None:
    table = sj.plot.contour_data(best, flops=[1e22, 1e23])
    assert (table["kind"] == "plan").sum() == 2
    ax = sj.plot.contours(sj.published["hoffmann2022"])
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_other_inputs_stay_as_in_the_largest_run() -> None:
    source = sj.published["muennighoff2023"]
    plan = sj.plan(source, flops=[9.3e21], limits={"U": 25e9}, level=None)
    table = sj.plot.contour_data(plan)
    star, grid = table[table["kind"] == "plan"].iloc[0], table[table["kind"] == "loss"]
    near = grid.iloc[np.argmin(np.abs(np.log(grid["N"] / star["N"])) + np.abs(np.log(grid["D"] / star["D"])))]
    assert near["loss"] == pytest.approx(star["loss"], rel=0.01)


def test_a_law_of_one_input_has_none(line: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="takes x"):
        sj.plot.contours(line)
