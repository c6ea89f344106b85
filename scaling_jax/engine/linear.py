"""Small symmetric systems, one per lane: Gauss-Jordan elimination as whole-array steps without pivoting.

The elimination of one column is plain arithmetic on the whole table, so lanes share every operation. The two
doors differ in what surrounds it. The search wants a short program and a step whatever the curvature: a loop,
and a step of zero where a pivot fails. The optimum's derivative wants to know whether the matrix is definite,
for several right-hand sides, within programs of any precision: no loop, whose counter would need one.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Numbers

__all__ = ["solve_definite", "solve_symmetric"]


def solve_symmetric(matrix: Array, right: Array) -> Array:
    """Solves `matrix @ x = right` for a symmetric positive definite (k, k) matrix and right (k,).

    A pivot that vanishes or turns negative yields a step of zero in its direction, never a NaN.
    """
    k = matrix.shape[0]
    smallest = _smallest_pivot(matrix)
    table = jnp.concatenate([matrix, right[:, None]], axis=1)
    return jax.lax.fori_loop(0, k, lambda j, table: _eliminate(table, j, smallest)[0], table)[:, k]


def solve_definite(matrix: Array, right: Array | Numbers) -> tuple[Array, Array]:
    """matrix^-1 right for a positive definite matrix and (k, m) right-hand sides, and whether it is one."""
    k = matrix.shape[0]
    smallest = _smallest_pivot(matrix)
    table = jnp.concatenate([matrix, right], axis=1)
    definite = jnp.asarray(True)
    for j in range(k):
        table, good = _eliminate(table, j, smallest)
        definite = definite & good
    return table[:, k:], definite


def _smallest_pivot(matrix: Array) -> Array:
    """What a pivot must exceed: less is rounding of the largest."""
    return jnp.finfo(matrix.dtype).eps ** 2 * jnp.max(jnp.abs(jnp.diagonal(matrix)))


def _eliminate(table: Array, j: Array | int, smallest: Array) -> tuple[Array, Array]:
    """The table with column j turned into a unit vector, and whether its pivot is good.

    A bad one yields a row of zeros. Rows and columns are chosen by masks, for an index that is traced would
    gather.
    """
    k, width = table.shape
    in_row, in_column = np.arange(k) == j, np.arange(width) == j
    row = jnp.sum(jnp.where(in_row[:, None], table, 0.0), axis=0)
    column = jnp.sum(jnp.where(in_column, table, 0.0), axis=1)
    pivot = jnp.sum(jnp.where(in_row, column, 0.0))
    good = pivot > smallest
    row = jnp.where(good, row / jnp.where(good, pivot, 1.0), 0.0)
    left = table - jnp.where(good, column, 0.0)[:, None] * row[None, :]
    return jnp.where(in_row[:, None], row[None, :], left), good
