"""Powers of shares, which may be zero."""

from __future__ import annotations

import jax
import jax.numpy as jnp

__all__ = ["power_of_share"]

LEAST_SHARE = 1e-9
"""Shares below it count as none: a power of nothing has no slope."""


def power_of_share(share: jax.Array, exponent: jax.Array) -> jax.Array:
    """A power of a share, 0 at 0 for a positive exponent.

    >>> power_of_share(jnp.array([0.0, 0.25]), jnp.array(0.5)).tolist()
    [0.0, 0.5]
    """
    some = share > LEAST_SHARE
    return jnp.where(some, jnp.where(some, share, 1.0) ** exponent, 0.0)
