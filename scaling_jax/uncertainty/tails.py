"""Tails of the normal, of Student's t, of Fisher's F and of the binomial.

scipy.special takes longer to import than a fit to print, so it is loaded when a tail is asked for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.overdispersed import shapes

__all__ = [
    "binomial_quantile",
    "chi_square_quantile",
    "erf",
    "f_tail",
    "normal_quantile",
    "overdispersed_shares",
    "student_quantile",
    "student_share",
]

NEVER = 1e-15  # a chance that this stands for: none
FAINT = 1e-9  # a correlation that no number of trials shows
TERMS = 200  # of the continued fraction; it needs about the root of the degrees of freedom


def normal_quantile(share: float) -> float:
    """The point below which this share of the standard normal lies."""
    from scipy.special import ndtri

    return float(ndtri(share))


def overdispersed_shares(
    rate: ArrayLike, trials: int, correlation: ArrayLike, rng: np.random.Generator, size: tuple[int, ...]
) -> np.ndarray:
    """Shares of successes of new rows of so many trials, whose rates are drawn anew about these.

    `size` says how many are drawn, and goes with the others' shapes: what they share is the same luck.
    """
    from scipy.special import betaincinv

    alpha, beta = shapes(np.clip(rate, NEVER, 1.0), np.maximum(correlation, NEVER))
    lucky, drawn = rng.uniform(size=size), rng.uniform(size=size)
    about = np.where(np.asarray(correlation) > FAINT, betaincinv(alpha, beta, lucky), rate)
    return binomial_quantile(drawn, trials, np.clip(about, 0.0, 1.0)) / trials


def binomial_quantile(share: ArrayLike, trials: int, chance: ArrayLike) -> np.ndarray:
    """The fewest successes that so many trials stay at or below with these probabilities."""
    from scipy.special import bdtrik

    return np.ceil(bdtrik(share, trials, np.maximum(chance, NEVER)))


def chi_square_quantile(share: np.ndarray, freedom: float) -> np.ndarray:
    """The points below which these shares of a chi-square lie."""
    from scipy.special import gammaincinv

    return np.asarray(2 * gammaincinv(freedom / 2, share))


def f_tail(ratio: ArrayLike, above: float, below: float) -> np.ndarray:
    """Probability that Fisher's F with these degrees of freedom exceeds the ratio; for `above` = 1, that |t|
    exceeds its root.

    A first look at a fit asks for it, so it is the regularised incomplete beta function written out.
    """
    ratio = np.asarray(ratio, dtype=float)
    a, b = below / 2, above / 2
    with np.errstate(invalid="ignore", over="ignore"):
        x = below / (below + above * ratio)
    upper = x > (a + 1) / (a + b + 2)
    near = _beta_share(np.where(upper, 0.5, x), a, b)
    return np.asarray(np.where(upper, 1 - _beta_share(np.where(upper, 1 - x, 0.5), b, a), near))


def _beta_share(x: np.ndarray, a: float, b: float) -> np.ndarray:
    """The regularised incomplete beta function for x below its bulk, by its continued fraction."""
    log_scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    with np.errstate(divide="ignore", invalid="ignore"):
        front = np.exp(log_scale + a * np.log(x) + b * np.log1p(-x)) / a
        fraction = np.ones_like(x)
        for m in range(TERMS, 0, -1):  # from the tail inwards
            even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1))
            fraction = 1 + odd / (1 + even / fraction)
        return front / fraction


def erf(x: ArrayLike) -> np.ndarray:
    """The error function."""
    from scipy.special import erf as special_erf

    return np.asarray(special_erf(x))


def student_quantile(share: ArrayLike, degrees: float) -> np.ndarray:
    """The points below which these shares of Student's t lie."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(degrees, share))


def student_share(points: ArrayLike, degrees: float) -> np.ndarray:
    """The shares of Student's t below these points."""
    from scipy.special import stdtr

    return np.asarray(stdtr(degrees, points))
