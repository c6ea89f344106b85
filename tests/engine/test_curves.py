"""Padding changes nothing, and a law of curves is one like any other to the engine."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.core.curves import CurveColumn, Rates
from scaling_jax.engine.behaviour import confounded, linear_parameters
from scaling_jax.engine.curves import curves_of, example_curves
from scaling_jax.engine.predict import predict

TISSUE = np.array([2.5, 0.65, 0.42, 500.0, 500.0])


def test_padding_changes_no_prediction():
    rates = np.r_[np.full(100, 1.0), np.full(100, 0.5), np.full(100, 0.2)]
    steps = np.array([50.0, 150.0, 299.0])
    column = CurveColumn(np.arange(3), Rates(rates).seen_from(steps))
    padded = curves_of(sj.laws.tissue, {"step": steps, "lr": column})["lr"]
    assert padded.fallen.shape == (8, 8) and not padded.fallen[:, 2:].any()
    found = predict(sj.laws.tissue, TISSUE, {"step": steps, "lr": column})[0]
    falls = ((0.5, 100), (0.3, 200))
    by_hand = [
        2.5
        + 0.65 * rates[: int(s)].sum() ** -0.42
        - 500 * sum(fall * (1 - np.exp(-(s - k) / 500)) for fall, k in falls if s > k)
        for s in steps
    ]
    np.testing.assert_allclose(found, by_hand, rtol=1e-13)


def test_what_is_linear_and_what_is_told_apart_is_found_out_without_a_table():
    tie = np.eye(5).tobytes()
    assert [sj.laws.tissue.labels[i] for i in linear_parameters(sj.laws.tissue)] == ["L0", "A", "C"]
    assert [sj.laws.multi_power.labels[i] for i in linear_parameters(sj.laws.multi_power)] == ["L0", "A", "B"]
    free = np.full(5, np.nan).tobytes()
    assert confounded(sj.laws.tissue, tie, (0, 1, 2, 3, 4), free) == ()


def test_numbers_in_place_of_curves_are_refused():
    inputs = {"step": np.ones(2), "lr": np.ones(2)}
    with pytest.raises(TypeError, match="Input lr of law 'tissue' is a curve per run"):
        curves_of(sj.laws.tissue, inputs)
    assert isinstance(example_curves(sj.laws.tissue, inputs)["lr"], CurveColumn)
