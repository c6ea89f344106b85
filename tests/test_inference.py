"""Inference-aware optimum: Sardana et al.'s first-order condition, and Chinchilla's optimum where nothing is
served."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

PRINTED = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}
SOURCE = (sj.laws.chinchilla, PRINTED)
FLOPS = [1e20, 1e22, 5.76e23]


@pytest.mark.parametrize("served", [1e10, 1e12, 1e14])
def test_the_first_order_condition(served):
    """L2 of the acceptance list."""
    plan = sj.inference_optimal(SOURCE, FLOPS, served)
    size = PRINTED["alpha"] * PRINTED["A"] * plan["N"] ** -PRINTED["alpha"]
    data = PRINTED["beta"] * PRINTED["B"] * plan["D"] ** -PRINTED["beta"]
    np.testing.assert_allclose(size / data, 1 + served / (3 * plan["D"]), rtol=1e-6)
    np.testing.assert_allclose(plan["N"] * (6 * plan["D"] + 2 * served), FLOPS, rtol=1e-12)


def test_nothing_served_is_chinchillas_optimum():
    columns = ["N", "D", "loss", "tokens_per_param"]
    plan = sj.inference_optimal(SOURCE, FLOPS, 0)
    np.testing.assert_allclose(plan[columns], sj.compute_optimal(SOURCE, FLOPS)[columns], rtol=1e-6)
    np.testing.assert_allclose(plan["training_share"], 1.0)


@pytest.mark.parametrize("served", [-1.0, np.nan, [1e12]])
def test_tokens_of_inference_that_make_no_sense(served):
    with pytest.raises(ValueError, match="served="):
        sj.inference_optimal(SOURCE, FLOPS, served)
