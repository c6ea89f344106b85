"""A watched run is drawn in its band, with the evidence below, and alarms where the monitor has them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

X = np.geomspace(1, 100, 24)


def losses(seed: int) -> np.ndarray:
    return 3 / X**0.5 * np.exp(0.01 * np.random.default_rng(seed).normal(size=len(X)))


@pytest.fixture(scope="module")
def fit() -> sj.FitResult:
    table = pd.concat([pd.DataFrame({"x": X, "loss": losses(i), "run": i}) for i in range(4)])
    return sj.fit(sj.laws.power_law, table, run="run", objective=sj.SquaredError())


def test_a_healthy_run_has_no_alarm(fit: sj.FitResult) -> None:
    watched = fit.monitor({"x": X[:16], "loss": losses(9)[:16]}, until={"x": 100.0})
    over, under = sj.plot.monitor(watched)
    assert "healthy so far" in [text.get_text() for text in over.texts]
    np.testing.assert_array_equal(under.get_lines()[0].get_ydata(), watched.table["evidence"])
    np.testing.assert_array_equal(watched.table["x"], X[:16])
    assert over.get_xlim()[1] > 100


def test_a_fault_is_marked_where_it_began_and_where_it_was_clear(fit: sj.FitResult) -> None:
    watched = fit.monitor({"x": X, "loss": losses(9) * np.where(np.arange(24) >= 12, 1.1, 1.0)})
    over, _ = sj.plot.monitor(watched)
    upright = {line.get_xdata()[0] for line in over.get_lines() if len(set(line.get_xdata())) == 1}
    assert {X[watched.onset], X[watched.alarm]} <= upright
    assert any("not healthy" in text.get_text() for text in over.texts)
