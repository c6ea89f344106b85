"""The backtest predicts what it did not see, and says when its interval missed."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj


def test_the_backtest_predicts_what_it_did_not_see(fit245: sj.FitResult) -> None:
    tested = fit245.backtest()
    assert "top decade of 6ND (19 rows)" in str(tested) and len(tested.table) == 19
    kept = fit245.data().take(np.flatnonzero(~np.isin(fit245.data().rows, tested.table.index)))
    alone = sj.fit(fit245.law, {**kept.inputs, "loss": kept.target})
    np.testing.assert_allclose(list(tested.params.values()), alone.numbers, rtol=1e-6)


def test_the_backtest_says_when_the_interval_missed() -> None:
    x = np.geomspace(1, 1e3, 40)
    scatter = np.exp(np.random.default_rng(2).normal(0, 0.005, 40))
    straight = sj.fit(sj.laws.power_law, {"x": x, "loss": 5 * x**-0.3 * scatter}).backtest()
    bent = sj.fit(sj.laws.power_law, {"x": x, "loss": (5 * x**-0.3 + 0.3 * (x > 120)) * scatter}).backtest()
    assert not straight.missed and straight.coverage >= 0.7
    assert bent.missed and "THE INTERVAL MISSED" in str(bent)
    assert sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}).backtest() is None
