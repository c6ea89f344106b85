"""Successes of trials against a predicted probability: the residual whose square is the deviance.

For a share y of n trials and a probability p, half the square of `sqrt(n) * deviance_root(p, y)` is minus
the log-likelihood above its highest value, exactly; so what minimises squares maximises the likelihood. The
root is smooth where p = y, which differences of logarithms are not in floating point.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from scaling_jax.core.arrays import Array, Numbers

__all__ = ["deviance_root", "deviance_root_of_numbers", "saturated"]

TERMS = 14  # of a series that ends at rounding
NEAR = 0.05
# probabilities that a law rounds to 0 or 1: a share of none or all fits them, any other is far off
LEAST, MOST = 1e-150, 1 - 2.0**-53


def deviance_root(p: Array, y: Array) -> Array:
    r"""The signed root of the deviance per trial, for JAX to trace; NaN for p outside [0, 1].

    $$d = \operatorname{sign}(p - y) \sqrt{2\left(y \log\frac{y}{p} + (1 - y)\log\frac{1 - y}{1 - p}\right)}$$
    """
    return _root(p, y, jnp)


def deviance_root_of_numbers(p: ArrayLike, y: ArrayLike) -> Numbers:
    """The same in NumPy.

    >>> deviance_root_of_numbers([0.5, 0.5, 0.3], [0.0, 0.5, 1.0]).round(4).tolist()
    [1.1774, 0.0, -1.5518]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return _root(np.asarray(p, dtype=np.float64), np.asarray(y, dtype=np.float64), np)


def saturated(share: Numbers, trials: Numbers) -> Numbers:
    """The highest log-probability that any rate gives so many successes, binomial coefficient included."""
    k, n = share * trials, trials
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return ways + xlogy(k, share) + xlogy(n - k, 1 - share)


def _root(p: Any, y: Any, xp: Any) -> Any:
    p = xp.where(p == 1, MOST, xp.where((p >= 0) & (p < LEAST), LEAST, p))
    none, all_ = y == 0, y == 1
    inner = xp.where(none | all_, 0.5, y)
    at = xp.where(none | all_, 0.5, p)
    gap = at - inner
    of_successes = _bend(gap / inner, at / inner, xp) / inner
    of_failures = _bend(-gap / (1 - inner), (1 - at) / (1 - inner), xp) / (1 - inner)
    mixed = gap * xp.sqrt(2 * (of_successes + of_failures))
    least = xp.sqrt(-2 * xp.log1p(-xp.where(none, p, 0.5)))
    most = -xp.sqrt(-2 * xp.log(xp.where(all_, p, 0.5)))
    return xp.where(none, least, xp.where(all_, most, mixed))


def _bend(t: Any, ratio: Any, xp: Any) -> Any:
    """(t - log(ratio)) / t**2 for a ratio of 1 + t, smooth at 0."""
    near = xp.abs(t) < NEAR
    small, large = xp.where(near, t, 0.0), xp.where(near, 1.0, t)
    series = sum((-1.0) ** i / (i + 2) * small**i for i in range(TERMS))
    return xp.where(near, series, (large - xp.log(xp.where(near, 1.0, ratio))) / large**2)
