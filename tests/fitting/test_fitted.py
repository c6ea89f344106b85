"""The record of a fit: equal to itself alone, and what it says of its rows."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from tests.cases.simulated import LOSS, TABLE


def test_a_record_is_equal_to_itself_and_can_be_a_key(best: sj.FitResult) -> None:
    again = sj.fit(sj.laws.chinchilla, TABLE)
    assert best == best and best != again
    assert {best: 1, again: 2}[best] == 1


def test_residuals_are_prediction_over_target_on_logs(best: sj.FitResult) -> None:
    np.testing.assert_allclose(best.residuals, np.log(best.predict(TABLE) / LOSS), atol=1e-12)
    charge = float(np.sum(best.objective.rho(best.residuals)))
    assert best.objective_value == pytest.approx(charge, rel=1e-12)


def test_rows_without_weight_are_not_used() -> None:
    fit = sj.fit(sj.laws.power_law, {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.1]}, weights=[1, 1, 0])
    assert len(fit.data()) == 3 and len(fit.used().data()) == 2
