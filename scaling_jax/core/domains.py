"""Where a parameter or an input may lie: the domains, and their search coordinates.

A domain knows its closed bounds and whether it is searched as a logarithm. People see natural units only; the
engine sees search coordinates only, and this file is the single crossing between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, get_args, get_origin, overload

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.curves import Curve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["CURVE", "Domain", "Interval", "NonNegative", "Positive", "Real", "Unit", "domain_of"]


@dataclass(frozen=True)
class Domain:
    """A set of admissible values: `lower <= x <= upper`, or `x > 0` where `log` is true.

    Args:
        name: what error messages call it.
        lower: smallest admissible value (a bound can be the optimum); 0 itself is excluded when `log`.
        upper: largest admissible value.
        log: whether the engine searches the logarithm, which makes every step multiplicative.
    """

    name: str
    lower: float = -np.inf
    upper: float = np.inf
    log: bool = False

    def contains(self, values: ArrayLike) -> Numbers:
        """Elementwise membership as a boolean array."""
        values = np.asarray(values, dtype=np.float64)
        inside = (values >= self.lower) & (values <= self.upper) & np.isfinite(values)
        return inside & (values > 0) if self.log else inside

    # what JAX traces is an array to NumPy's types too, so that the checker sees two signatures meet
    @overload
    def to_search(self, values: Array) -> Array: ...  # type: ignore[overload-overlap]
    @overload
    def to_search(self, values: ArrayLike) -> Numbers: ...
    def to_search(self, values: Array | ArrayLike) -> Array | Numbers:
        """Natural units to search coordinate: traceable by JAX, else NumPy's float64."""
        if isinstance(values, jax.Array):
            return jnp.log(values) if self.log else values
        values = np.asarray(values, dtype=np.float64)
        if not self.log:
            return values
        with np.errstate(divide="ignore"):
            return np.log(values)

    @overload
    def to_natural(self, coordinate: Array) -> Array: ...
    @overload
    def to_natural(self, coordinate: Numbers | float) -> Numbers: ...
    def to_natural(self, coordinate: Array | Numbers | float) -> Array | Numbers:
        """Search coordinate to natural units: traceable by JAX, and float64 where NumPy gives it."""
        if isinstance(coordinate, jax.Array):
            return jnp.exp(coordinate) if self.log else coordinate
        coordinate = np.asarray(coordinate, dtype=np.float64)
        return np.exp(coordinate) if self.log else coordinate

    @property
    def search_bounds(self) -> tuple[float, float]:
        """Bounds of the search coordinate; a logarithm has none."""
        return (-np.inf, np.inf) if self.log else (self.lower, self.upper)


@checked
def Interval(lower: float, upper: float) -> Domain:
    """The closed interval [lower, upper], for `Annotated[Array, sj.Interval(0, 2)]`.

    >>> Interval(0, 2).contains([-1, 0, 2]).tolist()
    [False, True, True]
    """
    if not lower < upper:
        raise ValueError(f"Interval needs lower < upper, got [{lower}, {upper}].")
    return Domain(f"in [{lower:g}, {upper:g}]", float(lower), float(upper))


POSITIVE = Domain("positive", lower=0.0, log=True)
REAL = Domain("real")
NON_NEGATIVE = Domain("non-negative", lower=0.0)
UNIT = Domain("in [0, 1]", 0.0, 1.0)
CURVE = Domain("a curve", lower=0.0)
"""Of an input that is a curve per run: its column holds positions in the list of curves."""

Positive = Annotated[jax.Array, POSITIVE]
Real = Annotated[jax.Array, REAL]
NonNegative = Annotated[jax.Array, NON_NEGATIVE]
Unit = Annotated[jax.Array, UNIT]

_BY_NAME = {"Positive": POSITIVE, "Real": REAL, "NonNegative": NON_NEGATIVE, "Unit": UNIT, "Curve": CURVE}


def domain_of(annotation: object, default: Domain) -> Domain:
    """The domain that an annotation, a `Domain`, or the written name of one stands for."""
    if isinstance(annotation, Domain):
        return annotation
    if isinstance(annotation, str):
        if "Annotated[" in annotation:
            raise TypeError(
                f"The annotation {shown(annotation)} names something out of sight: define it at the "
                "top level, "
                "or use domains=."
            )
        return _BY_NAME.get(annotation.split(".")[-1], default)
    if Curve in (annotation, get_origin(annotation)):
        return CURVE
    if get_origin(annotation) is Annotated:
        return next((a for a in get_args(annotation) if isinstance(a, Domain)), default)
    return default
