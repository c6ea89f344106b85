"""The process of a run's checkpoints: its scales are found again."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.diagnosis.process import Scatter, scatter_of


def runs(true: Scatter, n: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    x = np.log(np.linspace(1, 20, 30))
    V = true.covariance(x, x) + true.noise**2 * np.eye(30)
    return [(x, np.linalg.cholesky(V) @ rng.normal(size=30)) for _ in range(n)]


def test_scales_are_found_again():
    """Of twelve runs: the total to a tenth, the offset to a third (a variance of twelve numbers)."""
    true = Scatter(0.004, 0.003, 0.001, 0.5, 0)
    found = scatter_of(runs(true, 12, np.random.default_rng(0)))
    inside, there = (np.hypot(s.fading, s.noise) for s in (found, true))
    assert inside == pytest.approx(there, rel=0.3) and found.offset == pytest.approx(0.004, rel=0.6)
    assert 0.1 < found.fade < 2 and found.fading > found.noise


def test_noise_alone():
    found = scatter_of(runs(Scatter(0.0, 0.0, 0.002, 1.0, 0), 6, np.random.default_rng(1)))
    assert found.noise == pytest.approx(0.002, rel=0.15) and found.fading < 0.0012 and found.offset < 0.0012


def test_one_run_alone_tells_nothing_of_offsets():
    x, r = runs(Scatter(0.0, 0.0, 0.002, 1.0, 0), 1, np.random.default_rng(2))[0]
    one, lifted = (scatter_of([(x, r + by)], flat=True) for by in (0.0, 5.0))
    assert one.noise == pytest.approx(lifted.noise, rel=1e-6) and lifted.offset == 0
