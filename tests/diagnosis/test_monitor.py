"""Watching a run: the level holds at every look, faults are seen and dated, and the end is foreseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.diagnosis.monitor import _evidence, _onsets
from tests.planning.constants import REPLICATION

LAW = sj.laws.chinchilla


def run(rng: np.random.Generator, N: float, checkpoints: int) -> pd.DataFrame:
    D = np.linspace(1, 20, checkpoints + 1)[1:] * N
    x = np.log(D)
    V = 0.004**2 + 0.003**2 * np.exp(-2 * np.abs(x[:, None] - x)) + 0.001**2 * np.eye(checkpoints)
    error = np.linalg.cholesky(V) @ rng.normal(size=checkpoints)
    loss = np.asarray(LAW(np.full(checkpoints, N), D, **REPLICATION)) * np.exp(error)
    return pd.DataFrame({"N": N, "D": D, "loss": loss})


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(0)
    runs = [run(rng, N, 15).assign(run=i) for i, N in enumerate(np.geomspace(5e7, 1e9, 8))]
    return sj.fit(LAW, pd.concat(runs), run="run", objective=sj.SquaredError())


@pytest.fixture(scope="module")
def watched():
    return run(np.random.default_rng(5), 2e9, 40)


def test_evidence_is_a_martingale_for_healthy_runs():
    """Of 2,000 healthy runs looked at 50 times, at most one in twenty (2 s.e. more) ever passes 20; its mean
    stays near one."""
    rng, n = np.random.default_rng(0), 50
    x = np.linspace(0, 3, n)
    V = 0.004**2 + 0.003**2 * np.exp(-2 * np.abs(x[:, None] - x)) + 0.001**2 * np.eye(n)
    root = np.linalg.cholesky(V)
    found = np.array([_evidence(V, root @ rng.normal(size=n), 1.0)[0] for _ in range(2000)])
    assert (found.max(axis=1) >= 20).mean() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)
    assert found[:, 0].mean() == pytest.approx(1, abs=0.05)


def test_evidence_does_not_depend_on_what_comes_later():
    rng, n = np.random.default_rng(1), 30
    V, r = 1e-4 * (0.5 + 0.5 * np.eye(n)), 0.01 * rng.normal(size=n)
    whole, part = _evidence(V, r, 1.0)[0], _evidence(V[:12, :12], r[:12], 1.0)[0]
    np.testing.assert_allclose(whole[:12], part, rtol=1e-6)
    assert _onsets(10**6).sum() <= 1 + 1e-9


def test_a_healthy_run(fit, watched):
    found = fit.monitor(watched.head(25), until={"D": watched["D"].iloc[-1]})
    assert found.healthy and found.alarm is None and found.size == 0 and not found.own
    assert found.end["lower"] < found.end["prediction"] < found.end["upper"]
    # the band knows the run's own offset: narrower than the family's
    family = fit.predict(watched.tail(1), interval="prediction").iloc[0]
    assert found.end["upper"] - found.end["lower"] < family["upper"] - family["lower"]
    assert found.end["prediction"] == pytest.approx(watched["loss"].iloc[-1], rel=0.01)
    assert "Healthy after 25 checkpoints" in str(found)


@pytest.mark.parametrize(("fault", "latest"), [(0.01, 26), (0.03, 21)])
def test_faults_are_seen_and_dated(fit, watched, fault, latest):
    ill = watched.copy()
    ill.loc[20:, "loss"] *= 1 + fault
    found = fit.monitor(ill)
    assert not found.healthy and 20 <= found.alarm <= latest
    assert abs(found.onset - 20) <= 1 and 0.3 * fault <= found.size <= 3 * fault
    assert found.end["lower"] <= ill["loss"].iloc[-1] <= found.end["upper"]
    assert "Not healthy" in str(found) and f"clear at row {found.alarm}" in str(found)


def test_a_fit_without_checkpoints_learns_from_the_run_s_own_beginning(watched):
    rng = np.random.default_rng(2)
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(5e7, 1e9, 5), np.geomspace(1e9, 2e10, 5)))
    loss = np.asarray(LAW(N, D, **REPLICATION)) * np.exp(0.004 * rng.normal(size=25))
    fit = sj.fit(LAW, {"N": N, "D": D, "loss": loss}, objective=sj.SquaredError())
    ill = watched.copy()
    ill.loc[25:, "loss"] *= 1.03
    assert fit.monitor(watched).own and fit.monitor(watched).healthy
    assert not fit.monitor(ill).healthy
    with pytest.raises(sj.DataError, match="8 are needed to learn"):
        fit.monitor(watched.head(4))


def test_bad_runs(fit, watched):
    with pytest.raises(sj.DataError, match="in which it rises"):
        fit.monitor(watched.iloc[::-1])
    with pytest.raises(sj.DataError, match="until= names tokens"):
        fit.monitor(watched, until={"tokens": 1e12})
    with pytest.raises(ValueError, match="level=2"):
        fit.monitor(watched, false_alarms=2)


@sj.law(ranges={"E": (1.0, 3.0), "A": (0.1, 2.0), "alpha": (0.1, 1.0)})
def summed(step, lr: sj.Curve, *, E: sj.Positive, A: sj.Positive, alpha: sj.Real):
    return E + A * (lr.total / 10) ** -alpha


def test_a_run_under_a_schedule_is_watched_to_the_end_of_its_own():
    """Its curve is seen from the end too, which a law of numbers would not know."""
    schedules = {f"at {rate}": sj.schedules.constant(4000, rate) for rate in (0.05, 0.1, 0.2)}
    schedules["new"] = sj.schedules.cosine(4000, 0.2)
    steps = np.arange(400, 4001, 200)
    rows = pd.DataFrame({"run": np.repeat(list(schedules), len(steps)), "step": np.tile(steps, 4)})
    rows["lr"] = rows["run"].map(schedules)
    truth = {"E": 2.0, "A": 0.8, "alpha": 0.5}
    rows = sj.datasets.simulate(summed, truth, rows, noise=0.002, seed=3)
    fit = sj.fit(summed, rows[rows["run"] != "new"], run="run", objective=sj.SquaredError())
    begun = rows[(rows["run"] == "new") & (rows["step"] <= 2400)]
    found = fit.monitor(begun, until={"step": 4000})
    assert found.healthy and found.along == "step"
    assert found.end["prediction"] == pytest.approx(summed(4000, schedules["new"], **truth), rel=0.003)
    assert found.end["lower"] < found.end["prediction"] < found.end["upper"]
    ill = begun.assign(loss=begun["loss"] * np.where(begun["step"] > 1800, 1.03, 1.0))
    assert not fit.monitor(ill, until={"step": 4000}).healthy
    with pytest.raises(sj.DataError, match="its curve lr has updates 1 to 4000"):
        fit.monitor(begun, until={"step": 5000})
    assert len(fit.check(begun)) == len(begun)
