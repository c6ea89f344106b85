"""Counts that scatter more than their trials do: the beta-binomial charge of a row, and a law with a scatter
of its own beside what it predicts.

The rate of a row's trials is drawn anew for each row, about what the law predicts; the correlation of two
trials of one row says how widely. It is one more number to estimate, so a law that is fitted so has it as its
last parameter, which changes no prediction.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.counts import LEAST, MOST
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law, Parameter

__all__ = [
    "OVERDISPERSION",
    "Overdispersed",
    "charge_root",
    "charge_root_of_numbers",
    "numbers_of_scatter",
    "overdispersed",
    "shapes",
    "without_scatter",
]

OVERDISPERSION = "overdispersion"
CORRELATION = Domain("in [0, 1)", 0.0, MOST)
USUAL = (1e-4, 0.5)
PRIOR = ("beta", 0.5, 0.5)
GRID = (0.003, 0.03, 0.3)
SHIFTED = 10  # factors that are taken one by one, so that Stirling's series begins where it is exact
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
NEAR = 1e-2
TERMS = 9  # of a series that ends at rounding
TINY = 1e-30  # a root needs a slope where a charge rounds to nothing


class Overdispersed(Law):
    """A law of a probability with the overdispersion of counts as its last parameter.

    Args:
        inner: the law, which predicts the same.
    """

    of_scatter = 1

    def __init__(self, inner: Law):
        def predicted(*inputs: Any, **params: Any) -> Array:
            return inner.apply(
                {name: params[name] for name in inner.params}, dict(zip(inner.inputs, inputs, strict=True))
            )

        predicted.__doc__, predicted.__module__ = inner.__doc__, str(inner.__module__)
        super().__init__(
            predicted,
            params=[*inner.parameters, Parameter(OVERDISPERSION, CORRELATION, prior=PRIOR)],
            inputs=inner.input_domains,
            name=inner.name,
            cite=inner.cite,
            formula=inner.formula,
            starts=inner.starts,
            ranges=inner.ranges | {OVERDISPERSION: USUAL},
            grid=inner.grid | {OVERDISPERSION: GRID} if inner.grid else {},
            target=inner.target,
            units=inner.units,
            neighbours=inner.neighbours,
            simplex=inner.simplex,
            recipe=(__name__, "overdispersed", (inner,)),
        )
        self.inner = inner


def overdispersed(law: Law) -> Law:
    """The law with an overdispersion to estimate beside its own parameters.

    Raises:
        ValueError: where one of its own has that name.
    """
    if isinstance(law, Overdispersed):
        return law
    if OVERDISPERSION in {*law.params, *law.inputs}:
        raise ValueError(
            f"Law '{law.name}' has an '{OVERDISPERSION}' of its own: sj.BetaBinomial adds one, so give the "
            "law's another name."
        )
    return Overdispersed(law)


def without_scatter(law: Law) -> Law:
    """The law as its author wrote it."""
    return law.inner if isinstance(law, Overdispersed) else law


def charge_root(p: Array, y: Array, trials: Array, correlation: Array) -> Array:
    r"""The signed root of twice what a row's log-probability lacks of the highest that any rate gives.

    $$\sqrt{2\left(\log\text{Bin}(k \mid n, k/n) - \log\text{BetaBin}(k \mid n, p, \rho)\right)}$$

    for k = n y successes; of correlation 0 the root of the binomial deviance. For JAX to trace.
    """
    return _root(p, y, trials, correlation, jnp)


def charge_root_of_numbers(p: ArrayLike, y: ArrayLike, trials: ArrayLike, correlation: ArrayLike) -> Numbers:
    """The same in NumPy.

    >>> charge_root_of_numbers(0.5, [0.0, 0.5], 4, [0.0, 1 / 3]).round(4).tolist()
    [2.3548, 1.1213]
    """
    p, y, trials, correlation = (np.asarray(one, dtype=np.float64) for one in (p, y, trials, correlation))
    with np.errstate(invalid="ignore", divide="ignore"):
        return _root(p, y, trials, correlation, np)


def shapes(rate: ArrayLike, correlation: ArrayLike) -> tuple[Numbers, Numbers]:
    """alpha and beta of the Beta law with this mean and correlation, infinite where that is 0.

    >>> [round(float(one), 6) for one in shapes(0.25, 0.2)]
    [1.0, 3.0]
    """
    rate, correlation = np.asarray(rate, dtype=np.float64), np.asarray(correlation, dtype=np.float64)
    with np.errstate(divide="ignore"):
        size = (1 - correlation) / correlation
    return rate * size, (1 - rate) * size


def numbers_of_scatter(prediction: Numbers, numbers: Numbers) -> Numbers:
    """The overdispersion among numbers (..., labels), in a shape that goes with the predictions."""
    last = np.asarray(numbers)[..., -1]
    return last[..., None] if np.ndim(prediction) > last.ndim else last


def _root(p: Any, y: Any, trials: Any, correlation: Any, xp: Any) -> Any:
    inside = xp.clip(p, LEAST, MOST)
    theta = correlation / (1 - xp.minimum(correlation, MOST))
    k, others = trials * y, trials * (1 - y)
    highest = xp.where(k > 0, k * xp.log(xp.where(k > 0, y, 1.0)), 0.0)
    highest += xp.where(others > 0, others * xp.log(xp.where(others > 0, 1 - y, 1.0)), 0.0)
    reached = _log_rising(inside, k, theta, xp) + _log_rising(1 - inside, others, theta, xp)
    charge = highest - (reached - _log_rising(xp.ones_like(inside), trials, theta, xp))
    root = xp.where(p >= y, 1.0, -1.0) * xp.sqrt(2 * xp.maximum(charge, TINY))
    return xp.where((p >= 0) & (p <= 1), root, xp.nan)


def _log_rising(q: Any, count: Any, theta: Any, xp: Any) -> Any:
    """log of q (q + theta) ... (q + (count - 1) theta), exact to rounding down to a theta of 0."""
    j = np.arange(SHIFTED)
    more, first, step = (xp.asarray(one)[..., None] for one in (count, q, theta))
    one_by_one = xp.log((first + j * step) / (first + (more + j) * step)).sum(axis=-1)
    low, high = q + SHIFTED * theta, q + (SHIFTED + count) * theta
    x = count * theta / low
    body = count * xp.log(high) + count * _log1p_over(x, xp) - count - 0.5 * xp.log1p(x)
    return one_by_one + body + _stirling(theta / high) - _stirling(theta / low)


def _stirling(inverse: Any) -> Any:
    """What log-gamma at 1 / inverse has beyond its leading terms."""
    square = inverse * inverse
    total = 0.0
    for term in reversed(STIRLING):
        total = total * square + term
    return total * inverse


def _log1p_over(x: Any, xp: Any) -> Any:
    """log(1 + x) / x, smooth at 0."""
    near = x < NEAR
    small, large = xp.where(near, x, 0.0), xp.where(near, 1.0, x)
    series = sum((-1.0) ** i / (i + 1) * small**i for i in range(TERMS))
    return xp.where(near, series, xp.log1p(large) / large)
