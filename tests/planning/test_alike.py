"""What recipes have in common steadies what their runs leave open, and moves nothing that they determine."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.alike import Path, _keeping, settled
from tests.planning.constants import REPLICATION

LAW = sj.laws.chinchilla
N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
ROWS = {"N": N, "D": D}


def losses(numbers: np.ndarray) -> np.ndarray:
    return np.array([[LAW(1e12, 1e14, **LAW.unflatten(one)) for one in recipe] for recipe in numbers])


def ridge(rng: np.random.Generator, draws: int) -> np.ndarray:
    """Draws that trade the floor against the exponents at the same losses in the middle of the runs."""
    base = LAW.numbers_of(REPLICATION)
    lean = np.concatenate([[0.0], rng.normal(size=draws)])
    numbers = np.tile(base, (draws + 1, 1))
    numbers[:, 3] += 0.02 * lean
    numbers[:, 1] *= np.exp(0.02 * lean * np.log(1e8))
    return numbers


def test_open_directions_are_borrowed():
    rng = np.random.default_rng(0)
    apart = np.stack([ridge(rng, 400), ridge(rng, 400)])
    before, after = (np.log(losses(one)) for one in (apart, settled(LAW, apart, ROWS, rng).numbers))
    assert (after[1] - after[0])[1:].std() < 0.8 * (before[1] - before[0])[1:].std()
    np.testing.assert_allclose(after[:, 0], before[:, 0], rtol=1e-3)


def test_what_is_determined_stays():
    """No spread, no move: whatever the distance of the recipes."""
    one = np.tile(LAW.numbers_of(REPLICATION), (51, 1))
    two = one * np.array([1.02, 1.3, 0.8, 1.05, 0.9])
    found = settled(LAW, np.stack([one, two]), ROWS, np.random.default_rng(0)).numbers
    np.testing.assert_allclose(found, np.stack([one, two]), rtol=1e-9)


def test_a_recipe_known_well_does_not_move_towards_one_known_badly():
    rng = np.random.default_rng(1)
    well = np.tile(LAW.numbers_of(REPLICATION), (401, 1))
    badly = ridge(rng, 400)
    badly[0, 3] += 0.02
    badly[0, 1] *= np.exp(0.02 * np.log(1e8))
    found = settled(LAW, np.stack([well, badly]), ROWS, rng).numbers
    np.testing.assert_allclose(found[0], well, rtol=1e-9)
    assert abs(found[1, 0, 3] - well[0, 3]) < 0.9 * abs(badly[0, 3] - well[0, 3])


def test_draws_that_are_far_out_or_unknown_do_no_harm():
    rng = np.random.default_rng(2)
    numbers = np.stack([ridge(rng, 100), ridge(rng, 100), ridge(rng, 100)])
    numbers[0, 5], numbers[1, 6, 0], numbers[2, 7, 0] = np.nan, 1e-300, 1e3
    found = settled(LAW, numbers, ROWS, rng).numbers
    assert np.isfinite(found).all() and (found[..., :3] > 0).all()
    assert np.isfinite(losses(found)).all()


def test_distances_are_kept_beyond_the_runs():
    """Of a change that is open the variance is that of two Gaussians; what the runs determine stays."""
    belief, change, step = np.diag([1e-4, 4e-4]), np.array([[1.0], [-2.0]]), np.array([3e-5])
    before, after = ((change.T @ one @ change).item() for one in (belief, _keeping(belief, change, step)))
    assert after == pytest.approx(1 / (1 / before + 1 / 3e-5), rel=1e-9)
    path = Path(np.array([21.0, 24.0]), {"N": np.array([1e9, 1e12]), "D": np.array([1e11, 1e14])})
    one = np.tile(LAW.numbers_of(REPLICATION), (51, 1))
    sure = np.stack([one, one * np.array([1.02, 1.3, 0.8, 1.05, 0.9])])
    found = settled(LAW, sure, ROWS, np.random.default_rng(4), path)
    np.testing.assert_allclose(found.numbers, sure, rtol=1e-9)
    distance = abs(np.log(LAW(1e9, 1e11, **LAW.unflatten(sure[1, 0])) / LAW(1e9, 1e11, **REPLICATION)))
    assert 0.13 < found.change / distance < 0.5


def test_a_law_of_compute_alone():
    rng, law = np.random.default_rng(3), sj.laws.power_law_floor
    numbers = law.numbers_of({"E": 1.5, "A": 30.0, "alpha": 0.08}) * np.exp(
        0.05 * rng.normal(size=(4, 201, 3))
    )
    found = settled(law, numbers, {"x": np.geomspace(1e18, 1e20, 6)}, rng).numbers
    assert found.shape == numbers.shape and np.isfinite(found).all()
