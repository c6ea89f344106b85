"""Learning: nothing of a suite that is left out stays behind, and families that are alike are found alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scaling_jax.forecasting.calibration import nothing_learned, shipped
from scaling_jax.forecasting.lessons import Lessons, Past, fit_tasks, learn, shares_of
from scaling_jax.forecasting.rows import Known


def simulated(suites: int, alpha: float = 0.3, seed: int = 0) -> list[Past]:
    """Curves with a floor and nearly one exponent, two families per suite."""
    rng, out = np.random.default_rng(seed), []
    for s in range(suites):
        for f in range(2):
            x, own = np.linspace(-3, 1, 9), alpha + 0.02 * rng.normal()
            floor = 0.7 * np.exp(0.1 * rng.normal())
            y = np.log(floor + (1 - floor) * np.exp(-own * x)) + 0.002 * rng.normal(size=9)
            known = Known(("x",), x[:7, None], y[:7], np.ones(7), None)
            out.append(Past(f"suite {s}", f"{s} {f}", f"{s} {f}", known, x[8:], float(y[8])))
    return out


PAST = simulated(4)


def test_nothing_of_the_suite_left_out_stays_behind() -> None:
    spoiled = [replace(one, truth=one.truth + 1.0) if one.suite == "suite 2" else one for one in PAST]
    found, again = (Lessons(past, nothing_learned()).learned("suite 2") for past in (PAST, spoiled))
    assert found.to_json() == again.to_json()
    assert found.to_json() != Lessons(spoiled, nothing_learned()).learned("suite 1").to_json()


def test_exponents_that_families_share_are_found() -> None:
    found = learn(PAST)
    mean, sd = found.populations["power_law_floor"]["alpha"]
    before = nothing_learned().populations["power_law_floor"]["alpha"]
    assert sd < before[1] and abs(mean - 0.3) < abs(before[0] - 0.3)
    assert found.suites == 4


def test_own_families_move_what_ships_a_little() -> None:
    found = learn(PAST, shipped())
    own, ships = (one.populations["power_law_floor"]["alpha"][0] for one in (found, shipped()))
    assert 0 < abs(own - ships) < 0.1 and found.suites == shipped().suites + 4


def test_suites_and_families_count_alike() -> None:
    share = shares_of([*PAST, replace(PAST[0], curve="again"), replace(PAST[0], suite="own", family="own")])
    suite = np.array([*(one.suite for one in PAST), "suite 0", "own"])
    assert [share[suite == s].sum() for s in np.unique(suite)] == pytest.approx([1.0] * 5)


def test_tasks_are_forecast_each_under_its_own() -> None:
    seen = fit_tasks(PAST, [shipped()] * len(PAST))
    error = [one.truth - seen[i].centre[0] for i, one in enumerate(PAST)]
    assert np.max(np.abs(error)) < 0.02  # ten scatters: two steps of a half beyond the data
