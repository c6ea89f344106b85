"""Both approaches give plans: the columns, and the frontier of the loss."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from tests.allocation.budgets import LAW, centred


def test_optimal_has_the_columns_of_a_plan(read):
    plan = sj.compute_optimal(read, [1e11, 5e13], level=0.9)
    point = sj.compute_optimal(read, [1e11, 5e13])
    assert list(point) == ["flops", "N", "D", "loss", "tokens_per_param", "extrapolation"]
    np.testing.assert_allclose(plan[list(point)], point, rtol=1e-12)
    # D is rounded to whole updates
    np.testing.assert_allclose(6 * point["N"] * point["D"], point["flops"], rtol=5e-3)
    assert point["extrapolation"][0] == 0 and point["extrapolation"][1] == pytest.approx(1, abs=1e-9)
    for name in ("N", "D", "loss", "tokens_per_param"):
        assert (plan[f"{name}_lower"] < plan[name]).all() and (plan[name] < plan[f"{name}_upper"]).all()
    assert plan["N_upper"][1] / plan["N_lower"][1] > plan["N_upper"][0] / plan["N_lower"][0]


def test_the_loss_column_is_the_saturating_frontier():
    runs, _ = centred(2)
    found = sj.isoflop(runs, budget="C")
    assert found.frontier.params["gamma"] == pytest.approx(0.34 * 0.28 / 0.62, abs=1e-6)
    np.testing.assert_allclose(
        found.optimal([1e24])["loss"],
        sj.compute_optimal((sj.laws.chinchilla, LAW), [1e24])["loss"],
        rtol=1e-5,
    )
