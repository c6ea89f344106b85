"""The best number of bits, as Kumar et al. 2024 have it."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_bits_of_the_best_run_do_not_depend_on_its_budget():
    constants = {
        "A": 4299.0,
        "B": 18060.0,
        "alpha": 0.4965,
        "gamma_w": 2.6745,
        "gamma_a": 2.2102,
        "gamma_kv": 0.9578,
    }
    bits = sj.laws.precision_optimum(
        np.logspace(18, 26, 9), n_w=0.3037, n_a=1.4072, n_kv=2.4185, **constants
    ).P
    assert bits[0] == pytest.approx(7.0, abs=0.02)
    np.testing.assert_allclose(bits, bits[0], rtol=1e-6)
