"""How far a curve must go: exact on cubics, infinite where it never comes down."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.planning.reach import reach

STEPS = np.linspace(-2, 2, 17)


def test_lines_and_smooth_curves_are_met():
    slopes = np.array([0.5, 1.0, 3.0])
    lines = 1 - slopes[:, None] * STEPS
    np.testing.assert_allclose(reach(lines, np.full(3, 0.7), STEPS), 0.3 / slopes, atol=1e-12)
    # a cubic through values and mean slopes errs by the fourth power of the step, .25
    assert reach(np.exp(-STEPS), np.array(np.exp(-0.6)), STEPS) == pytest.approx(0.6, abs=1e-3)


def test_ends_are_infinite_and_unknown_stays_unknown():
    falling = 1 - STEPS / 10
    found = reach(np.stack([falling, falling, np.full(17, np.nan)]), np.array([0.5, 2.0, 0.9]), STEPS)
    assert found[0] == np.inf and found[1] == -np.inf and np.isnan(found[2])


def test_the_first_of_several_is_taken():
    assert reach(np.cos(3 * STEPS), np.array(0.0), STEPS) < -1.4
