"""After pre-training: half-points, peaks and ends."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_half_way_at_the_midpoint_and_nothing_before():
    constants = {"R0": 0.3, "A": 0.8, "C_mid": 2e3, "B": 1.4}
    assert sj.laws.rl_sigmoid(2e3, **constants) == pytest.approx(0.55, abs=1e-15)
    assert sj.laws.rl_sigmoid(1e-30, **constants) == pytest.approx(0.3, abs=1e-12)


def test_rewards_peak_where_they_are_said_to():
    for law, peak in ((sj.laws.best_of_n, 1 / (2 * 0.1)), (sj.laws.rl_overoptimisation, np.exp(1 / 0.1 - 1))):
        near = law(peak * np.array([1 - 1e-3, 1.0, 1 + 1e-3]), alpha=1.0, beta=0.1)
        assert near[1] > max(near[0], near[2])


def test_coverage_of_a_beta_law_begins_at_its_mean_and_ends_with_its_exponent():
    alpha, beta = 0.2955, 12.37
    assert sj.laws.coverage_beta(1, alpha=alpha, beta=beta) == pytest.approx(
        alpha / (alpha + beta), rel=1e-12
    )
    left = 1 - sj.laws.coverage_beta(np.array([1e7, 1e8]), alpha=alpha, beta=beta)
    assert np.log10(left[0] / left[1]) == pytest.approx(alpha, rel=1e-4)
