"""Schedules stand over the losses that were measured under them and those that the law gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import scaling_jax as sj
from tests.plot.test_plot import figure_of, looked_at

RATES = {
    "held": sj.schedules.constant(900, 1e-3, warmup=50),
    "early": sj.schedules.wsd(900, 1e-3, cooldown=0.6, warmup=50),
    "late": sj.schedules.wsd(900, 1e-3, cooldown=0.2, warmup=50),
}
TRUTH = {"L0": 2.5, "A": 0.6, "alpha": 0.4, "C": 300.0, "span": 50.0}
STEPS = np.arange(100, 901, 100)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    loss = [sj.laws.tissue(STEPS, rates, **TRUTH) for rates in RATES.values()]
    run = np.repeat(list(RATES), len(STEPS))
    return pd.DataFrame({"run": run, "step": np.tile(STEPS, 3), "loss": np.concatenate(loss)})


@pytest.fixture(scope="module")
def fit(table: pd.DataFrame) -> sj.FitResult:
    own = table[table["run"] != "late"]
    return sj.fit("tissue", own, run="run", inputs={"lr": RATES}, fixed={"span": 50.0})


def test_each_schedule_has_its_rates_its_runs_and_the_law(fit: sj.FitResult, table: pd.DataFrame) -> None:
    late = table[table["run"] == "late"]
    found = sj.plot.schedule_data(fit, late, curves={"next": sj.schedules.constant(2000, 1e-3)})
    assert found.groupby("run", sort=False)["part"].first().to_dict() == {
        "held": "fitted", "early": "fitted", "late": "held out", "next": "planned"
    }  # fmt: skip
    parts = dict(tuple(found[found["run"] == "late"].groupby("kind")))
    rates, law = parts["rate"], parts["law"]
    np.testing.assert_allclose(rates["value"], RATES["late"][rates["step"].astype(int) - 1])
    np.testing.assert_allclose(parts["measured"]["value"], late["loss"])
    # simulated without scatter and fitted exactly; 180 updates that fall are seen in 24 stretches
    truth = sj.laws.tissue(law["step"].to_numpy(), RATES["late"], **TRUTH)
    np.testing.assert_allclose(law["value"], truth, rtol=1e-5)
    assert found.loc[found["run"] == "next", "step"].max() == 2000


def test_what_has_no_curve_is_told(fit: sj.FitResult, table: pd.DataFrame, line: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="no learning-rate curve called 'other': give curves="):
        sj.plot.schedules(fit, runs=["held", "other"])
    with pytest.raises(ValueError, match="lacks the column 'run'"):
        sj.plot.schedules(fit, table.drop(columns="run"))
    with pytest.raises(ValueError, match="takes no learning-rate curve"):
        sj.plot.schedules(line)


@looked_at
def test_schedules_over_their_losses(fit: sj.FitResult, table: pd.DataFrame) -> Figure:
    return figure_of(sj.plot.schedules(fit, table[table["run"] == "late"]))
