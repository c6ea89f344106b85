"""Natural units and the coordinates of the search, and back."""

from __future__ import annotations

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.problem import Problem

__all__ = ["natural_numbers", "search_points"]


def search_points(law: Law, points: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Natural units to search coordinates; coordinates that do not move are parked at zero."""
    z = np.stack([d.to_search(points[..., i]) for i, d in enumerate(law.label_domains)], axis=-1)
    return np.where(free[:, None, :], z, 0.0)


def natural_numbers(law: Law, problem: Problem, z: np.ndarray) -> np.ndarray:
    """Search coordinates of every fit, (fits, k), as parameters in natural units, (fits, labels)."""
    x = np.einsum("...ij,...j->...i", problem.data.tie, z) + problem.data.offset
    logs = np.array([d.log for d in law.label_domains])
    return np.where(logs, np.exp(np.where(logs, x, 0.0)), x)
