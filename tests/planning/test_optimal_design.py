"""The bound of designs: printed supports, shares and variances, closed forms, and what habits reach."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.planning.optimal_design import efficiency, least_variance

E, A, B, ALPHA, BETA = 1.8172, 482.01, 2085.43, 0.3478, 0.3658
G = ALPHA * BETA / (ALPHA + BETA)
K = 1.6732915


def gradients(C: np.ndarray) -> np.ndarray:
    """Of log(E + K (C / 1e18)^-g) by E, log K and g: the frontier of the replication."""
    fall = (C / 1e18) ** -G
    loss = E + K * fall
    return np.column_stack([1 / loss, K * fall / loss, -K * fall * np.log(C / 1e18) / loss])


SIZES = np.logspace(18, 21, 3001)


@pytest.mark.parametrize(
    ("equal", "scatter", "target", "support", "shares", "variance"),
    [
        (True, 0.0, 1e23, [1e18, 2.239e19, 1e21], [0.1386, 0.4134, 0.4480], 33.318),
        (False, 0.0, 1e23, [1e18, 3.034e18, 2.143e20], [0.0741, 0.1904, 0.7355], 4.4505e21),
        (False, 0.1, 1e23, [1e18, 3.846e18, 6.457e20], [0.0636, 0.1672, 0.7692], 6.9993e21),
        (False, 0.0, 1e24, [1e18, 3.034e18, 2.143e20], [0.0812, 0.2055, 0.7133], 7.0492e21),
    ],
)
def test_a_power_law_with_floor(equal, scatter, target, support, shares, variance):
    cost = np.ones(3001) if equal else SIZES
    found = least_variance(
        gradients(SIZES), gradients(np.array([target]))[0], (SIZES / 1e21) ** -scatter, cost
    )
    # the program may split a point over two neighbours of the grid
    near = [np.abs(np.log(SIZES[found.support] / at)) < 0.02 for at in support]
    np.testing.assert_allclose([found.shares[mask].sum() for mask in near], shares, atol=0.002)
    assert found.variance == pytest.approx(variance, rel=1e-3)


def test_a_line_in_logs_has_two_ends():
    """Without floor, at equal cost: the ends in the shares (x* - x_hi) : (x* - x_lo)."""
    x = np.log(SIZES / 1e18)
    X, goal = np.column_stack([np.ones(3001), x]), np.array([1.0, np.log(1e23 / 1e18)])
    equal = least_variance(X, goal, np.ones(3001), np.ones(3001))
    assert SIZES[equal.support].tolist() == pytest.approx([1e18, 1e21])
    np.testing.assert_allclose(equal.shares, [0.2857, 0.7143], atol=1e-4)
    dear = least_variance(X, goal, np.ones(3001), SIZES)
    assert SIZES[dear.support[-1]] == pytest.approx(1.28962e19, rel=0.01)
    assert dear.shares[0] == pytest.approx(0.17805, abs=0.002)


@pytest.mark.parametrize(("habit", "share"), [("once each", 0.327), ("equal cost", 0.642), ("root", 0.620)])
def test_efficiency_of_habits(habit, share):
    """Seven sizes: one run each, equal cost for each, and runs as C^-1/2."""
    C = np.logspace(18, 21, 7)
    counts = {"once each": np.ones(7), "equal cost": 1 / C, "root": C**-0.5}[habit]
    every = np.unique(np.concatenate([SIZES, C]))
    n = np.zeros(len(every))
    n[np.searchsorted(every, C)] = counts / counts.max()
    found = efficiency(gradients(every), gradients(np.array([1e23]))[0], np.ones(len(every)), every, n)
    assert found == pytest.approx(share, abs=0.002)


def test_candidates_that_do_not_determine_the_answer():
    with pytest.raises(ValueError, match="do not determine"):
        least_variance(np.array([[1.0, 0.0]]), np.array([0.0, 1.0]), np.ones(1), np.ones(1))
