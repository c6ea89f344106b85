"""The annealing law on published curves: one fit of three schedules predicts six others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.schedules import CURVES, WANTED, fitted, with_sums


@pytest.mark.parametrize("momentum", [0.998, 0.999])
def test_three_schedules_tell_six_others(momentum, shared):
    table = with_sums(pd.read_csv(shared("lr_schedules/curves.csv")), momentum)
    for size, found in fitted(table).iterrows():
        params, objective, r2, mae = WANTED[size, momentum]
        # the wanted objectives and constants have six and five printed digits
        assert found["status"] == "converged" and found["objective"] <= objective * (1 + 5e-6)
        assert list(found[["L0", "A", "alpha", "C"]]) == pytest.approx(params, rel=1e-4)
        assert found["R2"] == pytest.approx(r2, abs=1e-4)
        assert mae is None or found["MAE"] == pytest.approx(mae, abs=2e-5)


def test_at_a_constant_rate_it_is_a_power_law_with_a_floor():
    sums = sj.schedules.features(CURVES["constant_24000"], at=[3_000, 24_000])
    found = sj.laws.tissue(**sums, L0=2.5, A=0.65, alpha=0.42, C=1.0)
    np.testing.assert_allclose(
        found, sj.laws.power_law_floor(sums["S1"], E=2.5, A=0.65, alpha=0.42), rtol=1e-14
    )
