"""Runs to train next lie where the design has them, and say what they buy."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_places_and_shares_are_the_designs_own() -> None:
    found = sj.next_runs(sj.published["besiroglu2024_huber"], 1e22, flops=1e24)
    ax = sj.plot.next_runs(found)
    discs = ax.collections[0]
    np.testing.assert_allclose(discs.get_offsets(), found.table[["N", "D"]])
    order = np.argsort(discs.get_sizes())
    assert (np.diff(found.table["share"].to_numpy()[order]) >= 0).all()
    assert ax.get_title(loc="left").endswith("of the loss at 1e24 FLOP")


def test_precision_comes_down_to_its_floor() -> None:
    bought = sj.precision_for(sj.published["besiroglu2024_huber"], [1e20, 1e22], flops=1e24)
    ax = sj.plot.precision(bought)
    line, floor = ax.get_lines()
    np.testing.assert_allclose(line.get_ydata(), 100 * bought["halfwidth"])
    assert (floor.get_ydata() <= line.get_ydata() + 1e-9).all()
    assert floor.get_ydata()[0] == pytest.approx(100 * 1.6449 * bought["floor"].iloc[0], rel=1e-3)
