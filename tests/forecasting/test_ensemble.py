"""Weights: they add to one, follow the back-tests near the horizon asked for, and rest on others without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scaling_jax.forecasting.calibration import shipped
from scaling_jax.forecasting.ensemble import CAUSES, Judged, judge, outlook
from scaling_jax.forecasting.members import fit_members
from scaling_jax.forecasting.population import Population
from scaling_jax.forecasting.rows import Known, cutoffs
from scaling_jax.laws import power_law, power_law_floor

X = np.linspace(-4, 0, 9)
TABLE = Known(("x",), X[:, None], np.log(1 + np.exp(-0.5 * X)), np.ones(9), None)
ASKED = np.array([[1.0], [3.0]])
CUTS = cutoffs(TABLE, ASKED)
KNOWN = [Population(np.array([0.0, 0.2]), np.array([1.0, 0.3])), shipped().population(power_law_floor)]
COMMON = [[known] * len(CUTS) for known in KNOWN if known is not None]
BATCH = fit_members([power_law, power_law_floor], COMMON, CUTS)
ALIKE = np.ones(len(BATCH.members))


def test_weights_follow_the_tests_near_the_horizon() -> None:
    """A member that is best at short horizons weighs most at the near run, and less at the far one."""
    horizon = TABLE.horizon(ASKED)
    error = np.full((len(ALIKE), 2), 0.05)
    error[0] = [0.001, 0.1]
    seen = outlook(BATCH, 0, Judged(error, horizon, np.ones(2)), ALIKE, 0.05)
    np.testing.assert_allclose(seen.weights.sum(axis=0), 1.0)
    assert np.argmax(seen.weights[:, 0]) == 0 and seen.weights[0, 0] > seen.weights[0, 1]
    assert seen.causes.shape == (2, len(CAUSES)) and (seen.causes >= 0).all()


def test_without_tests_what_is_usual_decides() -> None:
    none = Judged(np.zeros((len(ALIKE), 0)), np.zeros(0), np.zeros(0))
    usual = np.linspace(0.5, 1.5, len(ALIKE))
    seen = outlook(BATCH, 0, none, usual, 0.05)
    assert (np.diff(seen.weights, axis=0) < 0).all()
    backtest = seen.causes[:, CAUSES.index("backtest")]
    assert (backtest > 0).all() and backtest[1] > backtest[0]


def test_a_member_that_says_nothing_has_no_weight_and_spoils_nothing() -> None:
    """Laws of one's own may leave their domain beyond the data, or be left open by the rows."""
    said = BATCH.predicted[0].copy()
    said[0], unsure = np.nan, BATCH.unsure[0].copy()
    unsure[0] = np.inf
    spoiled = replace(BATCH, predicted=[said, *BATCH.predicted[1:]], unsure=[unsure, *BATCH.unsure[1:]])
    spoiled.predicted[1] = spoiled.predicted[1].copy()
    spoiled.predicted[1][0] = np.inf
    tests = judge(spoiled, range(1, len(CUTS)))
    seen = outlook(spoiled, 0, tests, ALIKE, 0.05)
    assert (seen.weights[0] == 0).all() and np.isfinite(seen.causes).all() and np.isfinite(seen.centre).all()


def test_causes_grow_with_the_distance() -> None:
    tests = Judged(np.full((len(ALIKE), 1), 0.02), np.ones(1), np.ones(1))
    near, far = outlook(BATCH, 0, tests, ALIKE, 0.05).causes
    for cause in ("parameters", "members", "backtest", "decades"):
        assert far[CAUSES.index(cause)] > near[CAUSES.index(cause)]
