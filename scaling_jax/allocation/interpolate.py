"""Lines and curves through optima, for many draws at once."""

from __future__ import annotations

import numpy as np

__all__ = ["akima", "line"]


def line(x: np.ndarray, y: np.ndarray, weight: np.ndarray | float = 1.0) -> np.ndarray:
    """Weighted least-squares lines through the known points of each draw: (slope and intercept, draws).

    Args:
        x: (points,) or (draws, points).
        y: (draws, points), NaN where unknown.
        weight: (points,).
    """
    known = np.isfinite(y) & np.isfinite(x)
    w = np.where(known, weight, 0.0)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = w.sum(axis=1)
        middle, height = (w * x).sum(axis=1) / total, (w * y).sum(axis=1) / total
        away = np.where(known, x - middle[:, None], 0.0)
        spread = (w * away**2).sum(axis=1)
        slope = (w * away * (y - height[:, None])).sum(axis=1) / spread
    slope = np.where(spread > 0, slope, np.nan)
    return np.stack([slope, height - slope * middle])


def akima(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(draws, points) Akima's cubic of 1970 through knots x and values y (draws, knots)."""
    from scipy.interpolate import Akima1DInterpolator

    return Akima1DInterpolator(x, y.T)(at).T
