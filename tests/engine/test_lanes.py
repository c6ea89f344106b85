"""Lanes run in float64 without the global flag, and near sizes share a program."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import scaling_jax as sj
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
