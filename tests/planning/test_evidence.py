"""Seeds that settle a decision, and what knowing more is worth: printed numbers."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.planning.evidence import pairs_to_settle, seeds_needed, value_of_information


@pytest.mark.parametrize(
    ("difference", "sd", "seeds"),
    [(0.005, 0.0044, 13.3), (0.01, 0.0044, 3.3), (0.005, 0.0074, 37.5), (0.01, 0.0074, 9.4)],
)
def test_seeds_needed(difference, sd, seeds):
    assert seeds_needed(difference, sd) == pytest.approx(seeds, abs=0.05)
    assert seeds_needed(difference, sd, rho=0.5) == pytest.approx(seeds / 2, abs=0.05)


def test_seeds_for_a_multiplier():
    """A scatter of .003 nats at 2.2 above the floor, exponent .0941: pairs that show 1, 3 and 10 %."""
    sd = 0.003 / (0.0941 * 2.2)
    found = [np.ceil(seeds_needed(np.log(m), sd)) for m in (1.01, 1.03, 1.10)]
    assert found == [37, 5, 1]
    late = 0.003 / (0.154 * 0.35)
    # the printed third is 6 for 5.8
    assert [np.ceil(seeds_needed(np.log(m), late)) for m in (1.03, 1.10)] == [61, 6]


@pytest.mark.parametrize(
    ("gap", "sd", "worth"), [(0.005, 0.01, 0.00197797), (0.0, 0.01, 0.00398942), (0.02, 0.01, 8.4907e-5)]
)
def test_value_of_perfect_information(gap, sd, worth):
    assert value_of_information(gap, sd) == pytest.approx(worth, abs=1e-8)


def test_value_of_paired_seeds():
    seeds = np.array([1, 2, 3, 5, 10])
    noise = 0.005 * np.sqrt(2 / seeds)
    worth = value_of_information(0.005, 0.01, noise)
    np.testing.assert_allclose(worth, [0.001350, 0.001612, 0.001719, 0.001815, 0.001893], atol=1e-6)
    assert (np.diff(worth) > 0).all() and worth[-1] < value_of_information(0.005, 0.01)


@pytest.mark.parametrize(("z", "worth"), [(0, 0.398942), (1, 0.083315), (2, 0.008491)])
def test_unit_loss(z, worth):
    assert value_of_information(z, 1.0) == pytest.approx(worth, abs=1e-6)


def test_runs_that_settle():
    assert pairs_to_settle(0.02, 0.005, 0.003, 0.0, 1.0, 0.95) == (0.0, 0.0)
    seeds, below = pairs_to_settle(0.01, 0.02, 0.003, 0.0, 1.0, 0.95)
    assert seeds == 1 and below == 1.0  # without an error of the laws a run at the old top does as well
    # one pair at the place gives a spread of .0042, and the walk adds 2 walk^2 a decade
    _, below = pairs_to_settle(0.01, 0.02, 0.003, 0.01, 1.0, 0.95)
    spread = 2 * 0.003**2 + 2 * 0.01**2 * below
    assert 1 / spread + 1 / 0.02**2 == pytest.approx((1.6449 / 0.01) ** 2, rel=0.02)
    assert np.isnan(pairs_to_settle(0.001, 0.02, 0.003, 0.0, 1.0, 0.95)[1])
    assert pairs_to_settle(0.0, 0.02, 0.003, 0.0, 1.0, 0.95)[0] == np.inf
