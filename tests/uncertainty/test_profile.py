"""Profiles: exact on a straight line, open where the data are silent, and worth what they claim."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


def test_the_profile_is_exact_on_a_straight_line(line: sj.FitResult) -> None:
    """With the scale profiled f(alpha) is a parabola and the drop n/2 log(f / f_min), in closed form."""
    found = line.profile("alpha")
    x = np.log(line.data().inputs["x"])
    spread, best = np.sum((x - x.mean()) ** 2), line.objective_value
    table = found.table
    np.testing.assert_allclose(
        table["objective"], best + spread * (table["value"] - found.estimate) ** 2, rtol=1e-9
    )
    half = np.sqrt(best * (np.exp(2 * found.cutoff / 24) - 1) / spread)
    assert (found.lower, found.upper) == pytest.approx(
        (found.estimate - half, found.estimate + half), rel=1e-4
    )
    assert found.identified and not found.better and found.cutoff == pytest.approx(1.3528, abs=1e-4)


def test_likelihood_intervals_cover_where_the_model_is_right() -> None:
    """As the drop is n/2 log(f / f_min), 90 % means P(t_22^2 < 22 (exp(2.7055 / 24) - 1)) = .880."""
    rng = np.random.default_rng(11)
    x = np.geomspace(1, 1e3, 24)
    inside = 0
    for _ in range(15):
        loss = 5 * x**-0.3 * np.exp(rng.normal(0, 0.02, 24))
        found = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError()).profile(
            "alpha", points=8
        )
        inside += found.lower <= 0.3 <= found.upper
    assert inside >= 9  # P(X < 9) is under .2 %


def test_a_flat_profile_is_called_open() -> None:
    """On ten noisy runs within half a decade the floor may vanish altogether: no value is too small."""
    x = np.geomspace(1, 4, 10)
    loss = (1 + 5 * x**-0.3) * np.exp(np.random.default_rng(0).normal(0, 0.01, 10))
    fit = sj.fit(sj.laws.power_law_floor, {"x": x, "loss": loss}, objective=sj.SquaredError())
    found = fit.profile("E")
    assert found.open_below and not found.identified and found.lower == 0
    assert "open below" in str(found) or "unidentified" in str(found)
    with pytest.raises(ValueError, match="the free parameters of this fit are E, A, alpha"):
        fit.profile("gamma")


def test_a_tied_parameter_is_profiled_with_its_partner(runs240: pd.DataFrame) -> None:
    fit = sj.fit(sj.laws.chinchilla, runs240, tied=[("alpha", "beta")])
    table = fit.profile("beta", points=4).table
    np.testing.assert_allclose(table["alpha"], table["value"], rtol=1e-12)
