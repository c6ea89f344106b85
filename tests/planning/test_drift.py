"""The recipes' own error is read off what laws leave."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.planning.drift import Residuals, Walk, walk_covariance, walk_of


def table(rng: np.random.Generator, walk: float, noise: float = 0.003, rows: int = 40) -> Residuals:
    """Residuals of a line in log compute, with a Brownian walk of its own."""
    x = np.sort(rng.uniform(18, 21, rows))
    steps = np.diff(x, prepend=x[0])
    values = walk * np.cumsum(np.sqrt(steps) * rng.normal(size=rows)) + noise * rng.normal(size=rows)
    features = np.column_stack([np.ones(rows), x, x**2])
    values -= features @ np.linalg.lstsq(features, values, rcond=None)[0]
    return Residuals(x, values, features)


@pytest.mark.parametrize(
    ("walk", "low", "high"), [(0.0, 0.0, 0.003), (0.004, 0.001, 0.007), (0.015, 0.011, 0.02)]
)
def test_the_walk_is_read_off_the_table(walk, low, high):
    """The median over 40 pairs of tables; the bounds are a factor of about 1.5 either way."""
    rng = np.random.default_rng(0)
    found = [walk_of([table(rng, walk), table(rng, walk)]).rms for _ in range(40)]
    assert low <= np.median(found) <= high


def test_a_table_that_says_nothing_leaves_the_belief():
    assert walk_of([]).rms == pytest.approx(0.0045, abs=0.0001)
    few = Residuals(np.array([18.0, 19.0]), np.zeros(2), np.eye(2))
    np.testing.assert_allclose(walk_of([few]).weights, walk_of([]).weights)


def test_wild_residuals_are_pulled_in():
    one = table(np.random.default_rng(1), 0.0)
    wild = one.values.copy()
    wild[-1] += 0.3
    assert walk_of([Residuals(one.decades, wild, one.features)]).rms < 0.006


def test_draws_take_a_step_each():
    """Nine in ten of what is believed beforehand is no step at all; the 3 standard errors of 4,000 draws."""
    step = walk_of([]).drawn(4000, np.random.default_rng(0))
    assert np.mean(step == 0) == pytest.approx(0.9, abs=3 * np.sqrt(0.9 * 0.1 / 4000))
    assert not Walk.of(np.nan).drawn(3, np.random.default_rng(0)).any()
    assert (Walk.of(0.01).drawn(3, np.random.default_rng(0)) == 0.01).all()


def test_covariance_of_a_walk():
    np.testing.assert_allclose(
        walk_covariance(np.array([-1.0, 0.5, 2.0])), [[0, 0, 0], [0, 0.5, 0.5], [0, 0.5, 2.0]]
    )
