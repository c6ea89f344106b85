"""Answers that runs are trained for: their gradients, and what makes no sense."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.answers import answer_of
from scaling_jax.planning.source import source_of

ENTRY = sj.published["besiroglu2024_huber"]


def test_the_best_size_of_a_budget_is_an_answer():
    """Its gradient is that of (alpha + beta) ln N* = ln(alpha A / beta B) + beta ln(C / 6)."""
    A, B, alpha, beta = (ENTRY.params[name] for name in ("A", "B", "alpha", "beta"))
    total, log_c = alpha + beta, np.log(1e24 / 6)
    log_n = (np.log(alpha * A / (beta * B)) + beta * log_c) / total
    want = [0.0, 1 / total, -1 / total, (1 / alpha - log_n) / total, (-1 / beta + log_c - log_n) / total]
    found = answer_of(None, 1e24, "N", None).of_law(source_of(ENTRY, draws=False))
    # E, A and B by their logarithms; central differences of a step of 1e-4 are good to its square
    np.testing.assert_allclose(found.slopes[0], want, rtol=1e-6, atol=1e-6)
    assert found.values[0] == pytest.approx(log_n)


def test_several_losses_and_parameters():
    several = answer_of({"N": [1e9, 1e10], "D": 1e11}, None, "loss", None)
    found = several.of_law(source_of(ENTRY, draws=False))
    assert several.words == "the loss at 2 runs" and found.slopes.shape == (2, 5)
    np.testing.assert_allclose(found.values, np.log(ENTRY([1e9, 1e10], 1e11)))
    exponent = answer_of(None, None, "loss", "beta").of_law(source_of(ENTRY, draws=False))
    assert exponent.slopes[0].tolist() == [0, 0, 0, 0, 1] and np.isnan(exponent.decades).all()


def test_bad_answers():
    with pytest.raises(ValueError, match="differ in length"):
        answer_of({"N": [1e9, 1e10], "D": [1, 2, 3]}, None, "loss", None)
    with pytest.raises(ValueError, match="give a mapping"):
        answer_of([1e9], None, "loss", None)
