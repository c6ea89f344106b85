"""Printed laws of learning rate and batch: their units are what `sj.hyperparameters` says of them."""

from __future__ import annotations

import pytest

import scaling_jax as sj
from scaling_jax.published.hyperparameters import ENTRIES, LEARNING_RATE


def test_each_predicts_a_learning_rate_or_a_batch_of_plausible_size():
    at = {"N": 1e9, "D": 2e10, "C": 1.2e20, "L": 3.0}
    for entry in ENTRIES:
        value = entry(**{name: at[name] for name in entry.law.inputs})
        low, high = (1e-4, 1e-2) if entry.units["target"] == LEARNING_RATE else (1e5, 1e7)
        assert low < value < high, entry.key


def test_zhangs_batch_is_in_tokens():
    """93.20 sequences of 512 tokens at 1e6 parameters."""
    assert sj.published["zhang2024_critical_batch"](1e6) == pytest.approx(93.20 * 512, rel=1e-12)
