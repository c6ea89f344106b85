"""Kaplan et al. 2020's identities."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax import laws
from scaling_jax.laws.kaplan_relations import PF_DAY, kaplan_optimum, off_size_cost, time_and_examples

CONSTANTS = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}
BUDGETS = PF_DAY * np.logspace(-8, 4, 13)


def test_kaplans_closed_forms_agree_with_each_other():
    """Powers of 1/alpha_N = 13 to 20 carry a rounding error of about that many units in the last place."""
    best = kaplan_optimum(BUDGETS)
    np.testing.assert_allclose(6 * best.N * best.B * best.S_min / BUDGETS, 1.0, rtol=2e-14)
    np.testing.assert_allclose(laws.kaplan_steps(best.N, best.S_min, **CONSTANTS), best.loss, rtol=1e-14)
    np.testing.assert_allclose(
        laws.kaplan_critical_batch(best.loss, B_star=2e8, alpha_B=0.21), best.B, rtol=1e-14
    )
    np.testing.assert_allclose(
        best.loss, (1 + 0.077 / 0.76) * (CONSTANTS["N_c"] / best.N) ** 0.077, rtol=1e-14
    )
    np.testing.assert_allclose(best.D, 2 * best.S_min * best.B, rtol=1e-15)


def test_kaplans_printed_constants_imply_these_exponents_not_the_fitted_ones():
    best = kaplan_optimum(PF_DAY)
    assert best.alpha_C == pytest.approx(0.05245, abs=5e-6)
    assert best.C_c / PF_DAY == pytest.approx(1.53e8, rel=5e-3)
    assert pytest.approx(6.0e8, rel=1e-2) == best.N
    per_decade = [np.log10(kaplan_optimum(10 * PF_DAY)[i] / best[i]) for i in (1, 2, 3)]
    np.testing.assert_allclose(per_decade, [0.681, 0.250, 0.069], atol=5e-4)
    assert sum(per_decade) == pytest.approx(1.0, abs=1e-12)


def test_the_optimum_is_the_cheapest_size_at_its_loss():
    """The off-size cost follows from L(N, S_min) alone: compute at equal loss, critical batch unchanged."""
    best = kaplan_optimum(PF_DAY)
    ratio = np.array([0.5, 0.8, 1.0, 1.5, 3.0])
    left = best.loss - (CONSTANTS["N_c"] / (best.N * ratio)) ** 0.077
    steps = CONSTANTS["S_c"] * left ** (-1 / 0.76)
    np.testing.assert_allclose(off_size_cost(ratio), ratio * steps / best.S_min, rtol=1e-12)
    assert off_size_cost([1 - 1e-3, 1.0, 1 + 1e-3]).argmin() == 1


def test_time_and_examples_lie_on_the_hyperbola():
    S, E = time_and_examples(100.0, 1e8, np.logspace(3, 9, 7))
    # S/S_min - 1 loses digits at large batches
    np.testing.assert_allclose((S / 100 - 1) * (E / 1e8 - 1), 1.0, rtol=1e-9)
