"""Schedules have the rates they promise, and a log gives those that were run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.schedules import with_curves
from tests.cases.schedules import CURVES

PEAK, FLOOR = 3e-4, 3e-5
LOG = pd.DataFrame({"run": "a", "step": [1, 5], "lr": [1.0, 0.5]})


@pytest.mark.parametrize("name", CURVES)
def test_rates_are_those_that_were_logged(name, shared):
    runs = pd.read_csv(shared("lr_schedules/curves.csv"))
    logged = runs[runs["schedule"] == name]
    # the table prints rates to ten digits
    np.testing.assert_allclose(CURVES[name][logged["step"] - 1], logged["lr"], rtol=1e-8)


@pytest.mark.parametrize("shape", ["linear", "1-sqrt", "cosine", "exponential"])
def test_a_cooldown_falls_from_the_peak_to_its_final_rate(shape):
    rates = sj.schedules.cooldown(1000, PEAK, shape=shape, final=FLOOR, warmup=100)
    assert rates[99] == PEAK == rates.max() and rates[-1] == pytest.approx(FLOOR, rel=1e-12)
    assert (np.diff(rates[99:]) < 0).all() and (np.diff(rates[:100]) > 0).all()
    held = sj.schedules.wsd(1000, PEAK, cooldown=0.9, shape=shape, final=FLOOR, warmup=100)
    np.testing.assert_array_equal(held, rates)


def test_a_log_gives_the_curves_that_were_run(shared):
    runs = pd.read_csv(shared("lr_schedules/curves.csv"))
    log = runs[(runs["size_m"] == 25)].sample(frac=1, random_state=0)
    found = sj.schedules.from_table(log, run="schedule")
    assert found.index.equals(log.index)
    for name in ("constant_24000", "cosine_24000", "wsdld_20000_24000"):
        rates = found.loc[found["schedule"] == name, "lr"].iloc[0].rates
        # records lie 128 updates apart: a linear decay of 4,000 turns inside a gap
        np.testing.assert_allclose(rates, CURVES[name][: len(rates)], atol=2e-2 * PEAK)
        assert abs(rates.sum() / CURVES[name][: len(rates)].sum() - 1) < 1e-3
    law = sj.laws.tissue
    by_name = sj.read_runs(law, log, run="schedule", inputs={"lr": CURVES})
    from_log = sj.read_runs(law, found, run="schedule")
    assert len(from_log.inputs["lr"].views.total) == len(by_name.inputs["lr"].views.total)


def test_rates_and_losses_may_be_logged_at_different_updates(tmp_path):
    """Two runs as a tracker exports them: rates every 10 updates from 0 on, losses every 25."""
    made = {"cosine": sj.schedules.cosine(200, PEAK, warmup=20)}
    made |= {"wsd": sj.schedules.wsd(200, PEAK, cooldown=50, shape="linear", warmup=20)}
    steps = np.unique(np.r_[np.arange(0, 201, 10), np.arange(25, 201, 25)])
    log = pd.concat([pd.DataFrame({"run": name, "step": steps}) for name in made], ignore_index=True)
    rates = [0.0 if step == 0 else made[run][step - 1] for run, step in log.itertuples(index=False)]
    log["train/lr"] = np.where(log["step"] % 10 == 0, rates, np.nan)
    log["loss"] = np.where(log["step"] % 25 == 0, 3.0 + 1.0 / (log["step"] + 1), np.nan)
    log.to_csv(tmp_path / "log.csv", index=False)
    found = sj.read_runs(tmp_path / "log.csv", curves="train/lr")
    one = found.loc[found["run"] == "wsd", "train/lr"].iloc[0].rates
    np.testing.assert_allclose(one, made["wsd"], rtol=1e-12, atol=1e-18)  # straight between its records
    rows = found[found["step"] > 0].dropna(subset=["loss"])
    runs = sj.read_runs(sj.laws.tissue, rows, run="run", inputs={"lr": "train/lr"})
    assert len(runs) == 16 and len(runs.inputs["lr"].views.total) <= 16


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sj.schedules.constant(10**18, 1.0), "updates from 1 to 1e"),
        (lambda: sj.schedules.cosine(10, 0.0), "peak=0.0: give a finite rate above zero"),
        (lambda: sj.schedules.constant(10, 1.0, warmup=11), "from 0 to the 10 of the run"),
        (lambda: sj.schedules.wsd(10, 1.0, cooldown=9, warmup=2), "the 8 updates after the warm-up"),
        (lambda: sj.schedules.wsd(10, 1.0, shape="square"), "there are 'linear', '1-sqrt'"),
        (lambda: sj.schedules.wsd(10, 1.0, shape="exponential"), "never reaches zero"),
        (lambda: sj.schedules.cosine(10, 1.0, final=2.0), "from zero to the peak"),
        (lambda: sj.schedules.curve([1.0, np.nan]), "the rate is nan at update 2"),
        (lambda: sj.schedules.curve([1.0, -1.0]), "the rate is -1.0 at update 2"),
        (lambda: sj.schedules.curve([[1.0], [2.0]]), "an array of shape"),
        (lambda: sj.schedules.curve([1.0], warmup=-1), "warmup=-1"),
        (lambda: sj.schedules.curve([1.0], knots=0), "knots=0"),
        (lambda: sj.schedules.from_table(LOG.drop(columns="lr")), "no column 'lr': the table has run, step"),
        (lambda: sj.schedules.from_table(LOG.assign(step=[-1, 5])), "Run 'a': updates are whole numbers"),
        (
            lambda: sj.schedules.from_table(LOG.assign(lr=[1.0, np.nan])),
            "last rate is of update 1, .* go to 5",
        ),
        (lambda: with_curves(LOG, 5), "curves=5: give a column's name"),
        (lambda: with_curves(LOG, [None]), "give a column's name"),
        (lambda: sj.schedules.from_table(LOG.assign(lr=np.nan)), "Run 'a': it has no rate"),
    ],
)
def test_what_is_no_schedule_is_refused_in_a_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()
