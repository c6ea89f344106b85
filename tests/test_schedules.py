"""Schedules have the rates they promise, and their sums are those that the definitions give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.schedules import CURVES

PEAK, FLOOR = 3e-4, 3e-5


def by_definition(rates: np.ndarray, momentum: float, warmup: int) -> tuple[list[float], list[float]]:
    """S1 and S2 update by update, as the paper writes them."""
    total = area = m = 0.0
    S1, S2 = [], []
    for i, rate in enumerate(rates):
        m = momentum * m + (rates[i - 1] - rate if i >= max(warmup, 1) else 0.0)
        total, area = total + rate, area + m
        S1.append(total)
        S2.append(area)
    return S1, S2


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


@pytest.mark.parametrize("warmup", [None, 0, 30])
def test_sums_are_those_of_the_definition(warmup):
    rates = np.r_[np.linspace(0.1, 1.0, 30), np.random.default_rng(0).uniform(0.0, 0.9, 50)]
    S1, S2 = by_definition(rates, 0.9, 30 if warmup is None else warmup)
    found = sj.schedules.features(rates, momentum=0.9, warmup=warmup)
    np.testing.assert_allclose(found["S1"], S1, rtol=1e-13)
    np.testing.assert_allclose(found["S2"], S2, rtol=1e-12, atol=1e-13)


def test_no_annealing_at_a_constant_rate_and_a_drop_is_worth_itself_over_one_less_the_momentum():
    assert not sj.schedules.features(CURVES["constant_24000"])["S2"].any()
    dropped = np.r_[np.full(100, 1.0), np.full(5000, 0.3)]
    last = sj.schedules.features(dropped, at=5000, momentum=0.99)["S2"]
    assert last == pytest.approx(0.7 / (1 - 0.99), rel=1e-10)  # what is left of the momentum is .99^4900


def test_checkpoints_of_many_runs_are_those_of_each():
    table = pd.DataFrame({"run": ["a", "b", "a"], "step": [3, 2, 1]}, index=[7, 8, 9])
    curves = {"a": [1.0, 0.5, 0.25], "b": [2.0, 1.0]}
    found = table.assign(**sj.schedules.features(curves, table["step"], run=table["run"], momentum=0.5))
    for row in found.itertuples():
        alone = sj.schedules.features(curves[row.run], row.step, momentum=0.5)
        assert (alone["S1"][0], alone["S2"][0]) == (row.S1, row.S2)


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
        (lambda: sj.schedules.features([1.0, np.nan]), "lr is nan at update 2"),
        (lambda: sj.schedules.features([1.0], at=2), "at holds 2, and lr has updates 1 to 1"),
        (lambda: sj.schedules.features([1.0], at=[0.5]), "whole numbers of updates"),
        (lambda: sj.schedules.features([1.0], momentum=1.0), "0 to below 1"),
        (lambda: sj.schedules.features([1.0], warmup=-1), "warmup=-1"),
        (lambda: sj.schedules.features([1.0], run=["a"]), "give lr as a mapping of curves"),
        (lambda: sj.schedules.features({"a": [1.0]}), "give at= and run="),
        (lambda: sj.schedules.features({"a": [1.0]}, [1], run=["b"]), "no curve is called 'b'"),
        (lambda: sj.schedules.features({"a": [1.0]}, [1, 1], run=["a"]), "2 checkpoints and run 1 names"),
    ],
)
def test_what_is_no_schedule_is_refused_in_a_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call()
