"""Natural units and the coordinates of the search, and which of these a bound holds.

A positive parameter is searched as its logarithm, every other as it is. What one domain says of one value
(`Domain.to_search`, `Domain.to_natural`), this file says of all numbers of a law.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import AnyArray, Array, Named, Numbers, namespace
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law

__all__ = [
    "held",
    "moved",
    "named_numbers",
    "search_bounds",
    "search_points",
    "searched_as_logs",
    "slope_of_numbers",
    "to_natural",
    "to_search",
    "typical_size",
]


def searched_as_logs(domains: Sequence[Domain]) -> Numbers:
    """(labels,) whether the search sees the logarithm of a number."""
    return np.array([d.log for d in domains])


def search_bounds(domains: Sequence[Domain]) -> tuple[Numbers, Numbers]:
    """Lower and upper bounds of the search coordinates, each (labels,)."""
    lower, upper = np.array([d.search_bounds for d in domains]).T
    return lower, upper


def to_search(domains: Sequence[Domain], numbers: Numbers) -> Numbers:
    """Natural units (..., labels) to search coordinates."""
    return np.stack([d.to_search(numbers[..., i]) for i, d in enumerate(domains)], axis=-1)


def to_natural(domains: Sequence[Domain], x: Numbers) -> Numbers:
    """Search coordinates (..., labels) to natural units."""
    return np.stack([d.to_natural(x[..., i]) for i, d in enumerate(domains)], axis=-1)


def named_numbers(law: Law, x: Array) -> Named:
    """The law's own search coordinates (labels,) as named parameters in natural units; for JAX to trace."""
    numbers = [domain.to_natural(x[i]) for i, domain in enumerate(law.label_domains)]
    named, at = {}, 0
    for p in law.parameters:
        named[p.name] = numbers[at] if not p.shape else jnp.stack(numbers[at : at + p.size]).reshape(p.shape)
        at += p.size
    return named


def slope_of_numbers(domains: Sequence[Domain], numbers: Numbers) -> Numbers:
    """How fast numbers in natural units (..., labels) change with their search coordinates."""
    return np.where(searched_as_logs(domains), numbers, 1.0)


def moved(domains: Sequence[Domain], numbers: Numbers, step: Numbers) -> Numbers:
    """Numbers in natural units (..., labels) after a step in search coordinates."""
    logs = searched_as_logs(domains)
    return np.where(logs, numbers * np.exp(np.where(logs, step, 0.0)), numbers + step)


def search_points(law: Law, points: Numbers, free: Numbers) -> Numbers:
    """Starts, (fits, starts, labels), in search coordinates; zero where not free, (fits, labels)."""
    return np.where(free[:, None, :], to_search(law.label_domains, points), 0.0)


def typical_size(z: AnyArray, log_searched: Numbers) -> AnyArray:
    """What a coordinate is measured in: 1, or the magnitude of the start if real and unusually scaled."""
    size = abs(z)
    unusual = ~log_searched & (size > 0) & ((size < 1e-2) | (size > 1e2))
    found: AnyArray = namespace(z).where(unusual, size, 1.0).astype(z.dtype)
    return found


def held(
    z: AnyArray, gradient: AnyArray, lower: AnyArray, upper: AnyArray, *, level: bool = False
) -> AnyArray:
    """Which coordinates lie at a bound that descent would push them through.

    Args:
        z, gradient: coordinates, and the objective's gradient there, of one shape.
        lower, upper: bounds of the coordinates, infinite where there are none.
        level: count a coordinate at a bound whose gradient vanishes too.
    """
    if level:
        return ((z <= lower) & (gradient >= 0)) | ((z >= upper) & (gradient <= 0))
    return ((z <= lower) & (gradient > 0)) | ((z >= upper) & (gradient < 0))
