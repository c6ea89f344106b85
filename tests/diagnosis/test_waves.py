"""Neighbours that miss alike: the level with and without runs, the power against a kink, invariances."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from scaling_jax.diagnosis.waves import wave

ROWS = 40
X = np.linspace(-1.7, 1.7, ROWS)
BASIS = np.linalg.qr(np.vander(X, 3))[0]  # a law that absorbs parabolas
MANY = 150


def share_found(mean: np.ndarray, runs: int, own: float, told: bool = True) -> float:
    """Share at nominal 5 % of tables whose neighbouring rows belong to one run and share its noise."""
    rng = np.random.default_rng(5)
    run = np.repeat(np.arange(runs), ROWS // runs)
    noise = np.stack([own * rng.normal(size=ROWS) + rng.normal(size=runs)[run] for _ in range(MANY)])
    left = mean + noise - (mean + noise) @ BASIS @ BASIS.T
    code = run if told else np.arange(ROWS)
    x, basis, code = (np.broadcast_to(one, (MANY, *one.shape)) for one in (X, BASIS, code))
    return float(np.mean(wave([x], left, left, basis, code) <= 0.05))


def p_of(x: np.ndarray, left: np.ndarray, basis: np.ndarray, run: np.ndarray) -> float:
    return float(wave([x[None]], left[None], left[None], basis[None], run[None])[0])


def test_noise_is_found_no_more_often_than_it_should_be() -> None:
    """As one count in a thousand would have it, with rows alone and with runs of four."""
    most = binom.ppf(0.999, MANY, 0.05) / MANY
    assert share_found(np.zeros(ROWS), ROWS, 0.0) <= most
    assert share_found(np.zeros(ROWS), 10, 0.3) <= most
    assert share_found(np.zeros(ROWS), 10, 0.3, told=False) > 2 * most


def test_a_kink_is_found() -> None:
    """Of the kink a parabola leaves a W whose standard deviation is that of the noise."""
    kink = np.abs(X) - BASIS @ (BASIS.T @ np.abs(X))
    assert share_found(kink / kink.std(), ROWS, 0.0) > 0.95


def test_units_and_the_order_of_rows_change_nothing() -> None:
    rng = np.random.default_rng(0)
    residual, run, order = rng.normal(size=ROWS), np.repeat(np.arange(10), 4), rng.permutation(ROWS)
    left = residual - BASIS @ (BASIS.T @ residual)
    p = p_of(X, left, BASIS, run)
    assert p_of(X, 1e6 * left, BASIS, run) == p
    assert p_of(X[order], left[order], BASIS[order], run[order]) == p


def test_many_rows_are_looked_at_in_part() -> None:
    """A wave over 20,000 rows is seen in the rows that are looked at, noise is none there."""
    x = np.linspace(-1.7, 1.7, 20_000)
    basis = np.linalg.qr(np.vander(x, 2))[0]
    noise = np.random.default_rng(0).normal(size=len(x))
    seen = [p_of(x, r, basis, np.arange(len(x))) for r in (noise, noise + np.sin(6 * x))]
    assert seen[0] > 0.05 and seen[1] <= 0.005
