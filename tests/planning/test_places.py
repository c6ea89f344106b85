"""Places where runs may be trained: tables, and ranges that grow finer about the chosen."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.places import places_of

LAW = sj.laws.chinchilla
RANGES = {"N": (1e8, 3e9), "D": (1e9, 3e11), "D / N": (10.0, 100.0)}


def test_ranges_hold_and_grow_finer():
    """Halving twice about one place: its neighbours are a quarter of the first spacing away."""
    first = places_of(LAW, RANGES, None, (1e21, 1e21), {}).within(1e21)
    second = first.finer(np.array([20]), 1e21)
    third = second.finer(np.array([20]), 1e21)
    assert len(first) < len(second) <= len(first) + 8 and len(third) <= len(second) + 8
    for name, (low, high) in RANGES.items():
        value = third.inputs["D"] / third.inputs["N"] if name == "D / N" else third.inputs[name]
        assert (value >= low * (1 - 1e-5)).all() and (value <= high * (1 + 1e-5)).all()
    np.testing.assert_allclose(third.prices, 6 * third.inputs["N"] * third.inputs["D"])
    away = np.abs(third.axes - third.axes[20])
    assert np.sort(away[:, 0])[1] == pytest.approx(0.0, abs=1e-9)
    assert np.unique(np.round(away[:, 0], 6))[1] == pytest.approx(first.spacing[0] / 4, abs=1e-6)
    assert len(np.unique(np.round(third.axes, 6), axis=0)) == len(third)


def test_other_costs_and_one_input():
    double = sj.cost.of("12 * N * D", "FLOP")
    assert places_of(LAW, RANGES, double, (1e21, 1e21), {}).prices.min() == pytest.approx(
        2 * places_of(LAW, RANGES, None, (1e21, 1e21), {}).prices.min(), rel=1e-6
    )
    line = places_of(sj.laws.power_law, {"x": (1.0, 100.0)}, None, (50.0, 50.0), {}).within(50.0)
    assert line.inputs["x"].max() <= 50.0 and len(line) > 10


def test_usual_places_are_those_of_the_runs():
    """Nothing much smaller than what was trained before, and ratios that were."""
    made = {"N": np.array([1e8, 1e9]), "D": np.array([1e9, 4e11])}
    found = places_of(LAW, None, None, (1e20, 1e20), made)
    assert found.prices.min() == pytest.approx(6e17)
    ratio = found.inputs["D"] / found.inputs["N"]
    assert ratio.min() == pytest.approx(5.0) and 300 < ratio.max() <= 400


@pytest.mark.parametrize(
    ("ranges", "cost", "message"),
    [
        ({"N": (1e9, 1e8), "D": (1e9, 1e10)}, None, "is no range of positive numbers"),
        ({"N": (1e8, 1e9), "D": (1e9, 1e10), "D / N": (1e3, 1e4)}, None, "No place lies within"),
        (RANGES, "hours", "a column of the candidates"),
        (RANGES, [1.0], "with ranges of candidates give one of sj.cost"),
    ],
)
def test_bad_ranges(ranges, cost, message):
    with pytest.raises(ValueError, match=message):
        places_of(LAW, ranges, cost, (1e21, 1e21), {})
