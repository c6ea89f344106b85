"""Lines and curves through optima, for many draws at once."""

from __future__ import annotations

import numpy as np

__all__ = ["akima", "finite_quantile", "line"]


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


def finite_quantile(values: np.ndarray, share: float) -> np.ndarray:
    """Quantile over draws, unknown ones left out; NaN where none is known."""
    known = np.isfinite(values).any(axis=0)
    return np.where(known, np.nanquantile(np.where(known, values, 0.0), share, axis=0), np.nan)


def akima(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Akima's interpolating cubic (1970) through knots x and values y (draws, knots), at points (points,):
    (draws, points)."""
    m = np.diff(y, axis=1) / np.diff(x)
    left, right = 2 * m[:, :1] - m[:, 1:2], 2 * m[:, -1:] - m[:, -2:-1]
    m = np.concatenate([2 * left - m[:, :1], left, m, right, 2 * right - m[:, -1:]], axis=1)
    ahead, behind = np.abs(m[:, 3:] - m[:, 2:-1]), np.abs(m[:, 1:-2] - m[:, :-3])
    total = ahead + behind
    flat = total <= 1e-9 * total.max(axis=1, keepdims=True)
    slope = np.where(
        flat,
        (m[:, 1:-2] + m[:, 2:-1]) / 2,
        (ahead * m[:, 1:-2] + behind * m[:, 2:-1]) / np.where(flat, 1.0, total),
    )
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(x) - 2)
    h = x[k + 1] - x[k]
    t = (at - x[k]) / h
    rise = y[:, k + 1] - y[:, k]
    a, b = slope[:, k] * h - rise, rise - slope[:, k + 1] * h
    return y[:, k] + t * rise + t * (1 - t) * (a * (1 - t) + b * t)
