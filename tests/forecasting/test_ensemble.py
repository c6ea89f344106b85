"""Weights: they add to one, follow the back-tests near the horizon asked for, and rest on others without."""

from __future__ import annotations

import numpy as np

from scaling_jax.forecasting.ensemble import CAUSES, Judged, outlook
from scaling_jax.forecasting.members import fit_members
from scaling_jax.forecasting.population import VAGUE, Population
from scaling_jax.forecasting.rows import Known, cutoffs
from scaling_jax.laws import power_law, power_law_floor

X = np.linspace(-4, 0, 9)
TABLE = Known(("x",), X[:, None], np.log(1 + np.exp(-0.5 * X)), np.ones(9), None)
ASKED = np.array([[1.0], [3.0]])
CUTS = cutoffs(TABLE, ASKED)
COMMON = [[Population.of(law, VAGUE[law.name])] * len(CUTS) for law in (power_law, power_law_floor)]
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


def test_causes_grow_with_the_distance() -> None:
    tests = Judged(np.full((len(ALIKE), 1), 0.02), np.ones(1), np.ones(1))
    near, far = outlook(BATCH, 0, tests, ALIKE, 0.05).causes
    for cause in ("parameters", "members", "backtest", "decades"):
        assert far[CAUSES.index(cause)] > near[CAUSES.index(cause)]
