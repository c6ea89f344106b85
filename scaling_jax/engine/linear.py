"""Small symmetric systems, one per lane: Gauss-Jordan elimination as whole-array steps, so lanes share every
operation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["solve_definite", "solve_symmetric"]


def solve_symmetric(matrix: Any, right: Any) -> Any:
    """Solves `matrix @ x = right` for a symmetric positive definite (k, k) matrix, without pivoting.

    A pivot that vanishes or turns negative yields a step of zero in its direction, never a NaN.
    """
    k = matrix.shape[0]
    smallest = jnp.finfo(matrix.dtype).eps ** 2 * jnp.max(jnp.abs(jnp.diagonal(matrix)))
    rows = jnp.arange(k)

    def eliminate(j: Any, table: Any) -> Any:
        chosen = rows == j
        row = jnp.sum(jnp.where(chosen[:, None], table, 0.0), axis=0)
        column = jnp.sum(jnp.where(jnp.arange(k + 1) == j, table, 0.0), axis=1)
        pivot = jnp.sum(jnp.where(chosen, column, 0.0))
        good = pivot > smallest
        row = jnp.where(good, row / jnp.where(good, pivot, 1.0), 0.0)
        return jnp.where(
            chosen[:, None], row[None, :], table - jnp.where(good, column, 0.0)[:, None] * row[None, :]
        )

    return jax.lax.fori_loop(0, k, eliminate, jnp.concatenate([matrix, right[:, None]], axis=1))[:, k]


def solve_definite(matrix: Any, right: Any) -> tuple[Any, Any]:
    """matrix^-1 right for a positive definite matrix, and whether it is; Gauss-Jordan, whose plain arithmetic
    compiles anywhere."""
    k = matrix.shape[0]
    table: Any = jnp.concatenate([matrix, right], axis=1)
    definite: Any = True
    for j in range(k):
        pivot = table[j, j]
        definite = definite & (pivot > 0)
        row = table[j] / jnp.where(pivot > 0, pivot, 1.0)
        chosen = (np.arange(k) == j)[:, None]
        table = jnp.where(chosen, row, table - table[:, j : j + 1] * row)
    return table[:, k:], definite
