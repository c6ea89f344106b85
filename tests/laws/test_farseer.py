"""Farseer: its limits."""

from __future__ import annotations

import numpy as np
import pandas as pd

import scaling_jax as sj

CONSTANTS = dict(sj.published["li2025_farseer"].params)


def test_a_straight_law_is_the_limit_of_bent_ones():
    N = np.geomspace(1e7, 1e11, 9)
    straight, bent = (CONSTANTS | dict.fromkeys(("q", "b", "a"), bend) for bend in (0.0, 1e-7))
    np.testing.assert_allclose(
        sj.laws.farseer(N, 1e11, **bent), sj.laws.farseer(N, 1e11, **straight), rtol=1e-6
    )


def test_data_that_do_not_know_the_size_add_a_power():
    plain = CONSTANTS | {"g": 0.0, "h": 0.0}
    N, D = np.geomspace(1e8, 1e10, 5), 1e11
    added = sj.laws.farseer(N, D, **plain) - sj.laws.farseer(N, 1e300, **plain)
    np.testing.assert_allclose(added, plain["G"] * D ** -plain["beta"], rtol=1e-9)


def test_a_joint_fit_halves_what_the_printed_constants_leave(shared):
    runs = pd.read_csv(shared("scalebench/farseer.csv"))
    fit = sj.fit(sj.laws.farseer, runs[runs["split"] == "train"])
    assert fit.objective_value <= 0.00039019 < 0.55 * 0.00074077
