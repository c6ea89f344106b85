"""The optimum of the Chinchilla replication (Besiroglu et al. 2024), to the digits it can be known to.

Reference objectives are converged optima of the sum of Huber losses on log residuals; parameters beside them
are determined only to about the square root of that precision, which is where their tolerances come from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


def test_the_optimum_on_240_runs(fit240: sj.FitResult) -> None:
    assert fit240.objective_value <= 1.018274018e-3 * (1 + 1e-7)
    p = fit240.params
    assert p["alpha"] == pytest.approx(0.3473105, abs=2e-5) and p["beta"] == pytest.approx(0.367172, abs=2e-5)
    assert p["E"] == pytest.approx(1.817218, abs=1e-4)
    assert p["A"] == pytest.approx(477.826, abs=0.2) and p["B"] == pytest.approx(2143.417, abs=2.0)
    assert fit240.status == "converged" and fit240.n_agree == fit240.certificate.n_finished


def test_the_optimum_on_245_runs(replication: pd.DataFrame) -> None:
    fit = sj.fit(sj.laws.chinchilla, replication)
    assert fit.objective_value <= 1.826010523e-3 * (1 + 1e-7)
    assert fit.params["beta"] == pytest.approx(0.453049, abs=1e-4)
    assert set(range(4)) <= set(fit.certificate.outliers), "rows 0 to 3 are the digitisation's outliers"


@pytest.mark.parametrize(
    ("delta", "objective"), [(1e-2, 4.69622488e-3), (1e-1, 5.73094350e-3), (1e-4, 1.11778748e-4)]
)
def test_other_thresholds_have_their_own_optima(
    runs240: pd.DataFrame, delta: float, objective: float
) -> None:
    fit = sj.fit(sj.laws.chinchilla, runs240, objective=sj.Huber(delta))
    assert fit.objective_value <= objective * (1 + 1e-6)
    assert fit.objective_value == pytest.approx(objective, rel=1e-6)


@pytest.mark.parametrize("factor", [1 / 240, 1e-6, 1e6])
def test_mean_sum_and_weights_give_the_same_parameters(
    runs240: pd.DataFrame, fit240: sj.FitResult, factor: float
) -> None:
    scaled = sj.fit(sj.laws.chinchilla, runs240, weights=np.full(240, factor))
    np.testing.assert_allclose(scaled.numbers, fit240.numbers, rtol=1e-5)
    assert scaled.objective_value == pytest.approx(factor * fit240.objective_value, rel=1e-8)
    assert scaled.status == "converged"


@pytest.mark.parametrize("objective", [sj.AbsoluteError(), sj.Huber(1e-6)], ids=["absolute", "tiny delta"])
def test_absolute_deviations_give_the_published_values(runs240: pd.DataFrame, objective: sj.Huber) -> None:
    """The published 482.01 / 2085.43 minimise absolute deviations, not the Huber objective described."""
    fit = sj.fit(sj.laws.chinchilla, runs240, objective=objective)
    assert np.abs(fit.residuals).sum() <= 1.12951
    assert fit.params["A"] == pytest.approx(482.01, rel=2e-3)
    assert fit.params["B"] == pytest.approx(2085.43, rel=2e-3)
    assert fit.params["alpha"] == pytest.approx(0.3478, abs=2e-4)
    assert fit.params["beta"] == pytest.approx(0.3658, abs=2e-4)


def test_the_optimum_at_gophers_budget_follows_in_closed_form(fit240: sj.FitResult) -> None:
    """Closed-form optimum under C = 6ND at the Gopher budget."""
    p = fit240.params
    exponent = p["beta"] / (p["alpha"] + p["beta"])
    G = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    N = G * (5.76e23 / 6) ** exponent
    assert pytest.approx(73.19e9, rel=2e-3) == N and pytest.approx(0.11321, rel=2e-3) == G
    assert pytest.approx(17.92, rel=3e-3) == 5.76e23 / 6 / N / N
    assert p["alpha"] * p["beta"] / (p["alpha"] + p["beta"]) == pytest.approx(0.17848, abs=2e-5)
