"""Lanes run in float64 without the global flag, and near sizes share a program."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.engine import lanes
from scaling_jax.engine.devices import lane_program
from scaling_jax.engine.lanes import Chunks
from tests.cases.simulated import FIFTY


def share_of_single_precision(solver: sj.LM) -> float:
    """Share of the lanes whose end is a number of single precision, as chance gives to one in 2^29."""
    ends = sj.fit(sj.laws.chinchilla, FIFTY, starts=100, screen=False, solver=solver).evidence.finished_value
    return float(np.mean(np.float32(ends) == ends))


def test_lanes_are_float64_and_the_global_flag_stays() -> None:
    assert jax.config.jax_enable_x64 is False
    assert share_of_single_precision(sj.LM()) == 0
    assert share_of_single_precision(sj.LM(dtype="float32")) > 0.5
    assert jax.config.jax_enable_x64 is False and jnp.ones(1).dtype == jnp.float32


def test_near_sizes_share_a_program(nothing_compiles) -> None:
    sj.fit(sj.laws.chinchilla, FIFTY.head(48), fixed={"E": 1.7})
    with nothing_compiles():
        for rows in (47, 45, 41):
            huber = sj.Huber(rows * 1e-4)
            sj.fit(sj.laws.chinchilla, FIFTY.head(rows), objective=huber, fixed={"E": 1.7})


def in_turn_or_not(n_lanes: int) -> bool:
    """Whether so many lanes of a table of 300 rows and five parameters run one after the other."""
    problem = SimpleNamespace(n_rows=300, n_coordinates=5)
    return Chunks.of(problem, n_lanes, n_lanes, None, 1).in_turn


def test_lanes_in_turn_end_where_lanes_side_by_side_do(monkeypatch) -> None:
    table = pd.concat([FIFTY] * 3)
    assert in_turn_or_not(32) and not in_turn_or_not(lanes.FEW_LANES + 1)
    one = sj.fit(sj.laws.chinchilla, table)
    monkeypatch.setattr(lanes, "ENOUGH_FOR_ONE", np.inf)
    assert not in_turn_or_not(32)
    other = sj.fit(sj.laws.chinchilla, table)
    # sums over rows are rounded in another order
    assert one.objective_value == pytest.approx(other.objective_value, rel=1e-13)
    np.testing.assert_allclose(one.evidence.finished_value, other.evidence.finished_value, rtol=1e-9)


def test_of_lanes_in_turn_only_the_wanted_are_computed() -> None:
    double = lane_program(lambda x, shared: x * shared["y"], (0, {"y": None}), None, in_turn=True)
    found = double(np.arange(4, dtype=np.float32), {"y": np.float32(2)}, np.int32(3))
    np.testing.assert_array_equal(found, [0, 2, 4, 0])
