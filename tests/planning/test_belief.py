"""Beliefs about runs: several laws of one thing, draws, and recipes side by side."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.answers import answer_of
from scaling_jax.planning.belief import Member, apart, believed, mixed_beliefs
from scaling_jax.planning.source import Source, source_of

LINE = (sj.laws.power_law, {"A": 4.0, "alpha": 0.3})
BENT = (sj.laws.power_law_floor, {"E": 0.5, "A": 4.0, "alpha": 0.4})
PLACES = {"x": np.array([10.0, 100.0, 1000.0])}
ASKED = answer_of({"x": 1e6}, None, "loss", None)


def of(what, weight=1.0):
    member = Member(source_of(what, draws=False), None, weight)
    return believed(member, PLACES, ASKED.of_law(member.source), 0.0, 0.01)


def test_laws_that_disagree_widen_the_belief():
    """The law of total covariance."""
    parts, weights = [of(LINE), of(BENT)], np.array([0.3, 0.7])
    found = mixed_beliefs(parts, weights)
    off = parts[0].mean - parts[1].mean
    want = 0.3 * parts[0].joint + 0.7 * parts[1].joint + 0.21 * np.outer(off, off)
    np.testing.assert_allclose(found.joint, want, rtol=1e-12)
    np.testing.assert_allclose(apart(parts, weights), np.sqrt(0.21) * np.abs(off), rtol=1e-12)


def test_draws_are_their_covariance():
    rng = np.random.default_rng(0)
    numbers = np.array([4.0, 0.3]) * np.exp(0.01 * rng.normal(size=(4000, 2)))
    source = Source(LINE[0], numbers.mean(axis=0), numbers, rows=PLACES, ahead=np.array([0.01, 0.02, 0.03]))
    found = believed(Member(source, None, 1.0), PLACES, ASKED.of_law(source), "table", None)
    said = np.log(numbers[:, :1]) - numbers[:, 1:] * np.log([10.0, 100.0, 1000.0, 1e6])
    decades = 3.0  # the answer lies beyond the runs, where the own error is .01 and .01 more per decade
    assert found.joint[-1, -1] == pytest.approx(np.var(said[:, -1], ddof=1) + 0.03**2, rel=1e-9)
    assert found.joint[0, 1] == pytest.approx(
        np.cov(said[:, 0], said[:, 1])[0, 1] + 0.03**2 / decades, rel=1e-9
    )
    with pytest.raises(ValueError, match="are chosen for a loss"):
        believed(
            Member(source, None, 1.0), PLACES, answer_of(None, None, "loss", "A").of_law(source), 0.0, None
        )
