"""Printed constants of experts and streams repeat what their papers say of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

TABLE_4 = {1: (30.364, 0.1817, 53.984, 0.1965), 8: (21.84, 0.1676, 119.84, 0.2339)}
"""Experts -> A, alpha, B, beta as printed for them alone."""
OPTIMA = {
    (1e20, 1): (1.7e9, 9.7e9),
    (1e20, 8): (990e6, 17e9),
    (1e20, 32): (669e6, 24.9e9),
    (1e22, 1): (18.88e9, 88.3e9),
    (1e22, 32): (12.28e9, 135.7e9),
}
"""Compute and experts -> active parameters and tokens; those of 1e20 are printed to two or three digits."""


def laws_at(experts: float) -> dict[str, float]:
    return sj.laws.joint_moe_at(experts, **sj.published["ludziejewski2025"].params)


@pytest.mark.parametrize("experts", TABLE_4)
def test_the_joint_law_is_the_chinchilla_law_printed_for_each_number_of_experts(experts: int) -> None:
    at = laws_at(experts)
    assert [at[name] for name in ("A", "alpha", "B", "beta")] == pytest.approx(TABLE_4[experts], rel=3e-3)
    N, D = np.geomspace(1e7, 1e11, 5), 3e10
    np.testing.assert_allclose(
        sj.published["ludziejewski2025"](N, D, experts), sj.laws.chinchilla(N, D, **at), rtol=1e-12
    )


@pytest.mark.parametrize(("flops", "experts"), OPTIMA)
def test_its_optimal_runs_are_the_printed_ones(flops: float, experts: int) -> None:
    """Two printed digits, from rounded constants: 2 %."""
    at = laws_at(experts)
    product, both = flops / 6, at["alpha"] + at["beta"]
    N = (at["alpha"] * at["A"] / (at["beta"] * at["B"])) ** (1 / both) * product ** (at["beta"] / both)
    assert (N, product / N) == pytest.approx(OPTIMA[flops, experts], rel=0.02)


def test_leverage_and_best_granularity_are_those_of_the_text():
    entry = sj.published["ling2025"]
    assert entry(0.031, 12, 1e22) == pytest.approx(7.245, abs=1e-3)
    best = 2 ** (-entry.params["beta"] / (2 * entry.params["gamma"]))
    assert best == pytest.approx(11.3, abs=0.05)
    assert entry(0.031, best, 1e22) > max(entry(0.031, best * np.array([0.9, 1.1]), 1e22))
    assert entry(1.0, 1.0, 1e20) == pytest.approx(1, abs=0.01)


def test_quantised_training_has_the_printed_ratios():
    """Loss to 4 bits in activations over that in weights, at 594e6 parameters."""
    weights, activations = sj.published["chen2025qat_w4a16"], sj.published["chen2025qat_w16a4"]
    for group, ratio, expected in ((32, 100, 1.646), (32, 1000, 1.226), (256, 1000, 1.647)):
        run = (594e6, ratio * 594e6, group)
        assert activations(*run) / weights(*run) == pytest.approx(expected, abs=1e-3)
    assert sj.published["chen2025qat_w4a4"](594e6, 1e11, 1) == 0


def test_more_data_hurt_beyond_the_printed_amounts():
    """Tokens at which the slope in D vanishes: 1,730e12 in BF16, 27e12 in E4M3, .4e12 in E2M1."""
    entry = sj.published["sun2025_fp"]
    for (e, m), printed in {(8, 7): 1.73e15, (4, 3): 2.7e13, (2, 1): 4e11}.items():
        D = printed * np.geomspace(0.8, 1.25, 4001)
        least = D[np.argmin(entry(1e9, D, e, m, 128))]
        assert least == pytest.approx(printed, rel=0.02)  # printed to two or three digits
    assert entry(1e9, 1e11, 2, 1, 1) == entry(1e9, 1e11, 8, 7, 1)


def test_farseer_s_constants_predict_what_they_are_known_for(shared):
    runs = pd.read_csv(shared("scalebench/farseer.csv"))
    entry = sj.published["li2025_farseer"]
    miss = np.abs(entry(runs["N"].to_numpy(), runs["D"].to_numpy()) / runs["loss"] - 1)
    train = runs["split"] == "train"
    assert 100 * miss[train].mean() == pytest.approx(0.2263, abs=1e-4)
    assert 100 * miss[~train].mean() == pytest.approx(0.4764, abs=1e-4)
    largest = runs.loc[runs["N"].idxmax()]
    assert entry(largest["N"], largest["D"]) == pytest.approx(0.440217, abs=1e-6)
