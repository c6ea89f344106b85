"""Laws of continual pre-training: their limits, and the largest share that costs no more than tolerated."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

CONSTANTS = {"E": 1.2, "A": 300.0, "alpha": 0.34, "B": 60.0, "eta": 0.3, "beta": 0.25}
CONSTANTS |= {"C": 0.3, "eps": 0.1, "gamma": 0.5}


def test_at_one_share_it_is_chinchilla():
    N, D = np.meshgrid([1e8, 1e10], [1e9, 1e11])
    floor = CONSTANTS["E"] + CONSTANTS["C"] / (0.25 + CONSTANTS["eps"]) ** CONSTANTS["gamma"]
    same = {"E": floor, "A": 300.0, "alpha": 0.34, "B": 60.0 * 0.25**0.3, "beta": 0.25}
    assert sj.laws.d_cpt(N, D, 0.25, **CONSTANTS) == pytest.approx(sj.laws.chinchilla(N, D, **same), 1e-12)


def test_without_any_share_it_is_finite_and_does_not_depend_on_data():
    low, high = sj.laws.d_cpt(1e9, [1e8, 1e12], 0.0, **CONSTANTS)
    assert np.isfinite(low) and low == high


def test_the_critical_share_costs_what_is_tolerated():
    constants = {"a": 0.2, "s": 1.7, "b": 2.48}
    share = sj.laws.critical_mixture(2.5, [0.0, 0.01, 0.5], **constants)
    assert sj.laws.general_loss(share[:2], **constants) == pytest.approx([2.5, 2.525], 1e-12)
    assert share[2] == 1.0  # everything may be the domain's
    assert sj.laws.critical_mixture(2.4, **constants) == 0.0  # nothing may
