"""Half-widths and tails: known answers of simulated errors."""

from __future__ import annotations

import numpy as np

from scaling_jax.forecasting.widths import interval_score, learned_degrees, learned_widths
from scaling_jax.uncertainty.tails import student_quantile


def test_interval_score() -> None:
    np.testing.assert_allclose(interval_score(np.array([1.0, 1.0]), np.array([0.5, -1.5])), [2.0, 12.0])


def test_widths_find_the_quantile_that_errors_were_made_with() -> None:
    """Normal errors in proportion to one cause: the half-width is 1.645 of it, the other cause is none."""
    rng = np.random.default_rng(0)
    causes = np.exp(rng.normal(size=(4000, 2)))
    error = causes[:, 0] * rng.normal(size=4000)
    found = learned_widths(causes, error, np.full(4000, 20 / 4000), np.array([0.3, 0.3]), 0.0)
    assert abs((np.abs(error) <= causes @ found).mean() - 0.9) < 0.02
    assert abs(found[0] - 1.645) < 0.25 and found[1] < 0.1


def test_a_base_learned_from_many_suites_hardly_moves() -> None:
    rng = np.random.default_rng(0)
    causes, start = np.ones((50, 1)), np.array([0.1])
    error = 0.3 * rng.normal(size=50)
    loose, tight = (learned_widths(causes, error, np.full(50, 0.02), start, w)[0] for w in (0.0, 1e6))
    assert loose > 0.2 and abs(tight - 0.1) < 1e-3


def test_degrees_of_freedom() -> None:
    rng = np.random.default_rng(0)
    heavy = rng.standard_t(4, 4000) / student_quantile(0.95, 4)
    light = rng.normal(size=4000) / 1.645
    assert learned_degrees(heavy, np.ones(4000)) <= 5 and learned_degrees(light, np.ones(4000)) >= 20
