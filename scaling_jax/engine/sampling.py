"""Points spread over a law's parameters: from its ranges, or by what its domains and the inputs suggest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from scaling_jax.core.arrays import Columns, Numbers
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law

__all__ = ["product_grid", "sample_numbers", "spread", "wide_numbers"]

DECADES = 1e3  # a range wider than this factor is sampled in logarithms
WIDER = 30.0  # how far beyond its range a number that is searched as a logarithm may lie
TO_A_BOUND = 1e-3  # of an interval, how near its lower end is looked at


def spread(n: int, dimensions: int, seed: int = 0) -> Numbers:
    """n points of the unit cube, (n, dimensions): Roberts' additive recurrence, shifted by the seed.

    >>> spread(3, 1).round(3).ravel().tolist()
    [0.118, 0.736, 0.354]
    """
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = (1.0 / root) ** np.arange(1, dimensions + 1)
    return (0.5 + seed * 0.7548776662 + np.outer(np.arange(1, n + 1), steps)) % 1.0


def product_grid(axes: Mapping[str, float | Sequence[float] | Numbers], names: Sequence[str]) -> Numbers:
    """All combinations of the values per name, (points, names)."""
    values = [np.atleast_1d(np.asarray(axes[name], dtype=np.float64)) for name in names]
    return np.array(list(itertools.product(*values)))


def _default_range(domain: Domain, u: Numbers, inputs: Columns) -> Numbers:
    """Values for a parameter nobody described: exponents mostly, sometimes the size of an input."""
    if np.isfinite(domain.lower) and np.isfinite(domain.upper):
        return domain.lower + u * (domain.upper - domain.lower)
    exponents = 0.03 * (60.0 ** np.clip(u / 0.7, 0, 1))
    rest = np.clip((u - 0.7) / 0.3, 0, 1)
    if domain.log:
        positive = [v[v > 0] for v in inputs.values() if np.any(v > 0)]
        if not positive:
            return exponents
        which = np.minimum((rest * len(positive)).astype(int), len(positive) - 1)
        lows, highs = (np.array([f(v) for v in positive]) for f in (np.min, np.max))
        share = rest * len(positive) - which
        sizes = np.exp(np.log(lows[which]) + share * np.log(highs[which] / lows[which]))
        return np.where(u < 0.7, exponents, sizes)
    signed = np.where(u < 0.7, exponents, -0.03 * 60.0**rest)
    return np.maximum(signed, domain.lower) if np.isfinite(domain.lower) else signed


def sample_numbers(law: Law, n: int, inputs: Columns, seed: int = 0) -> Numbers:
    """n points over the law's parameters, (n, numbers), natural units: from its ranges, or by domain."""
    unit = spread(n, len(law.labels), seed)
    out = np.empty_like(unit)
    for i, (label, domain) in enumerate(zip(law.labels, law.label_domains, strict=True)):
        limits = law.ranges.get(label.split("[")[0])
        if limits is None:
            out[:, i] = _default_range(domain, unit[:, i], inputs)
        elif domain.log or limits[1] > DECADES * limits[0] > 0:
            out[:, i] = limits[0] * (limits[1] / limits[0]) ** unit[:, i]
        else:
            out[:, i] = limits[0] + (limits[1] - limits[0]) * unit[:, i]
    return out


def wide_numbers(law: Law, unit: Numbers, inputs: Columns) -> Numbers:
    """Points of the unit cube (n, numbers) over more than the ranges of a law's parameters, natural units.

    Exponents reach from half their range below zero to two and a half times its end, positive numbers far
    beyond both ends of theirs, and what lies in an interval is looked at down to near its lower bound.
    """
    out = np.empty_like(unit)
    for i, (label, domain) in enumerate(zip(law.labels, law.label_domains, strict=True)):
        u, limits = unit[:, i], law.ranges.get(label.split("[")[0])
        if np.isfinite(domain.lower) and np.isfinite(domain.upper):
            out[:, i] = domain.lower + (domain.upper - domain.lower) * TO_A_BOUND ** (1 - u)
        elif limits is None:
            out[:, i] = _default_range(domain, u, inputs)
        elif domain.log or limits[1] > DECADES * limits[0] > 0:
            out[:, i] = limits[0] / WIDER * (WIDER**2 * limits[1] / limits[0]) ** u
        else:
            reach = max(abs(limits[0]), abs(limits[1]))
            out[:, i] = np.clip(reach * (3.0 * u - 0.5), domain.lower, domain.upper)
    return out
