"""How far along a path a curve must go to come down to a level, for many curves at once."""

from __future__ import annotations

import numpy as np

__all__ = ["reach"]

HALVINGS = 45


def reach(curves: np.ndarray, level: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The first step at which each curve is down at its level.

    Args:
        curves: (..., steps) values; between steps a cubic through values and mean slopes.
        level: (...).
        steps: (steps,) rising.

    Returns:
        (...) steps; infinite where a curve stays above, minus infinite where it begins below, NaN where it is
        not known.
    """
    down = curves <= level[..., None]
    after = np.where(down.any(axis=-1), down.argmax(axis=-1), len(steps) - 1)
    inside = down.any(axis=-1) & (after > 0)
    after = np.maximum(after, 1)
    slopes = np.gradient(curves, steps, axis=-1)
    width = steps[after] - steps[after - 1]

    def at(values: np.ndarray, where: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, where[..., None], axis=-1)[..., 0]

    left, right = at(curves, after - 1), at(curves, after)
    out, into = width * at(slopes, after - 1), width * at(slopes, after)
    low, high = np.zeros(after.shape), np.ones(after.shape)
    for _ in range(HALVINGS):
        t = 0.5 * (low + high)
        value = _cubic(t, left, right, out, into)
        low, high = np.where(value > level, t, low), np.where(value > level, high, t)
    found = steps[after - 1] + 0.5 * (low + high) * width
    found = np.where(inside, found, np.where(down.any(axis=-1), -np.inf, np.inf))
    return np.where(np.isnan(curves).any(axis=-1) | np.isnan(level), np.nan, found)


def _cubic(
    t: np.ndarray, left: np.ndarray, right: np.ndarray, out: np.ndarray, into: np.ndarray
) -> np.ndarray:
    """Hermite's cubic from 0 to 1."""
    back = 1 - t
    return (1 + 2 * t) * back**2 * left + t * back**2 * out + t**2 * (3 - 2 * t) * right - t**2 * back * into
