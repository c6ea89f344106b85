r"""How recipes drift apart between the runs that were trained and the run that is asked about.

Each recipe's log loss has an error of its own beside its law: a Brownian walk over decades of compute whose
step, per root decade, is read off the table. What a law can bend to follow is taken out first, so that only
what no choice of its parameters explains speaks for the walk. A short table says little about it: the step is
a belief over a few, and draws take one each, so that a small chance of a long step makes tails and not width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_jax.fitting.certificate import NORMAL_MAD

__all__ = ["WALKS", "Residuals", "Walk", "walk_covariance", "walk_of"]

WALKS = np.array([0.0, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03])
"""Steps per root decade that are weighed; most of the belief beforehand lies on 0, the rest is even."""
EXACT = 0.9
NOISES = np.geomspace(1e-6, 0.3, 60)
LIMIT = 3.0  # robust scales beyond which a residual is pulled in


@dataclass(frozen=True, eq=False)
class Residuals:
    """What a law leaves unexplained of a recipe's runs.

    Args:
        decades: (rows,) log10 of compute.
        values: (rows,) log of measured over predicted.
        features: (rows, directions) along which the law could have followed.
    """

    decades: np.ndarray
    values: np.ndarray
    features: np.ndarray


@dataclass(frozen=True, eq=False)
class Walk:
    """What is believed of the step.

    Args:
        steps: (choices,) share of the loss per root decade.
        weights: (choices,) their probabilities, of sum one.
    """

    steps: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, step: float) -> Walk:
        """A step that is known; NaN where nothing is known of it."""
        return cls(np.array([step]), np.ones(1))

    @property
    def rms(self) -> float:
        """Root of the mean square."""
        return float(np.sqrt(np.sum(self.weights * self.steps**2)))

    def drawn(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """(n,) steps, 0 where nothing is known."""
        return np.nan_to_num(rng.choice(self.steps, size=n, p=self.weights))


def walk_covariance(decades: np.ndarray) -> np.ndarray:
    """Covariance of a Brownian walk of unit step that starts at 0 decades; 0 before the start."""
    beyond = np.maximum(decades, 0.0)
    return np.minimum.outer(beyond, beyond)


def walk_of(recipes: Sequence[Residuals]) -> Walk:
    """The step of the walk, per root decade, given what the laws leave.

    Every recipe has noise of its own, unknown; residuals beyond three robust scales are pulled in.
    """
    log_weight = np.log(np.where(WALKS == 0, EXACT, (1 - EXACT) / (len(WALKS) - 1)))
    for one in recipes:
        log_weight = log_weight + _log_evidence(one)
    weight = np.exp(log_weight - log_weight.max())
    return Walk(WALKS, weight / weight.sum())


def _log_evidence(one: Residuals) -> np.ndarray:
    """(walks,) log of the restricted likelihood, the noise integrated over its logarithm."""
    variance, square = _whitened(one)
    if not len(square):
        return np.zeros(len(WALKS))
    total = NOISES[None, :, None] ** 2 + WALKS[:, None, None] ** 2 * variance
    each = -0.5 * (np.log(total) + square / total).sum(axis=-1)
    top = each.max(axis=1, keepdims=True)
    return np.log(np.exp(each - top).sum(axis=1)) + top[:, 0]


def _whitened(one: Residuals) -> tuple[np.ndarray, np.ndarray]:
    """Variance of a unit walk, and squared residuals, along directions no parameter can follow."""
    size = np.linalg.norm(one.features, axis=0)
    used = one.features[:, size > 0] / size[size > 0]
    basis, spread, _ = np.linalg.svd(used, full_matrices=True)
    rank = int((spread > 1e-10 * max(spread.max(initial=0.0), 1e-300)).sum())
    free = basis[:, rank:]
    values = _pulled_in(one.values)
    walk = free.T @ walk_covariance(one.decades - one.decades.min()) @ free
    variance, directions = np.linalg.eigh(walk)
    return np.maximum(variance, 0.0), np.square(directions.T @ (free.T @ values))


def _pulled_in(values: np.ndarray) -> np.ndarray:
    scale = NORMAL_MAD * np.median(np.abs(values))
    return np.clip(values, -LIMIT * scale, LIMIT * scale) if scale > 0 else values
