"""Small symmetric systems, one per lane, by elimination without pivoting.

The elimination of one column is plain arithmetic on the whole table, or number by number where these are few,
so lanes share every operation. The doors differ in what surrounds it. The search wants a short program and a
step whatever the curvature: a loop for large systems, and a step of zero where a pivot fails. The optimum's
derivative wants to know whether the matrix is definite, within programs of any precision: no loop, whose
counter would need one. Least squares with numbers that must not be negative try every set off its bound.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Numbers

__all__ = ["RIDGE", "of_length_one", "solve_definite", "solve_nonnegative", "solve_symmetric"]

MOST_UNROLLED = 6
RIDGE = 1e-13  # of a diagonal of ones: columns that are alike share what they explain


def solve_symmetric(matrix: Array, right: Array) -> Array:
    """Solves `matrix @ x = right` for a symmetric positive definite (k, k) matrix and right (k,) or (k, m).

    A pivot that vanishes or turns negative yields a step of zero in its direction, never a NaN.
    """
    k, wide = matrix.shape[0], right.reshape(matrix.shape[0], -1)
    if k <= MOST_UNROLLED:
        return _number_by_number(matrix, wide).reshape(right.shape)
    smallest = _smallest_pivot(matrix)
    table = jnp.concatenate([matrix, wide], axis=1)
    solved = jax.lax.fori_loop(0, k, lambda j, table: _eliminate(table, j, smallest)[0], table)
    return solved[:, k:].reshape(right.shape)


def _number_by_number(matrix: Array, right: Array) -> Array:
    """`solve_symmetric` with every number by itself: five times as fast, and long to compile for large k."""
    k, width = right.shape[0], right.shape[0] + right.shape[1]
    smallest, inverse = _smallest_pivot(matrix), []
    table = {(i, j): matrix[i, j] for i in range(k) for j in range(i, k)}
    table |= {(i, k + j): right[i, j] for i in range(k) for j in range(width - k)}
    for j in range(k):
        good = table[j, j] > smallest
        inverse.append(jnp.where(good, 1.0 / jnp.where(good, table[j, j], 1.0), 0.0))
        for a in range(j + 1, k):
            share = table[j, a] * inverse[j]
            table |= {(a, b): table[a, b] - share * table[j, b] for b in range(a, width)}
    found: dict[tuple[int, int], Array] = {}
    for j in reversed(range(k)):
        for b in range(k, width):
            left = sum((table[j, i] * found[i, b] for i in range(j + 1, k)), jnp.zeros_like(inverse[0]))
            found[j, b] = (table[j, b] - left) * inverse[j]
    return jnp.stack([jnp.stack([found[j, b] for b in range(k, width)]) for j in range(k)])


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


def of_length_one(columns: Array) -> tuple[Array, Array]:
    """Columns (k, rows) divided by their lengths, and these (k,), one for a column of zeros; no square of a
    large number is taken."""
    largest = jnp.max(jnp.abs(columns), axis=1)
    largest = jnp.where(largest > 0, largest, 1.0)
    columns = columns / largest[:, None]
    length = jnp.sqrt(jnp.sum(columns**2, axis=1))
    length = jnp.where(length > 0, length, 1.0)
    return columns / length[:, None], largest * length


def solve_nonnegative(gram: Array, right: Array, signed: Numbers) -> tuple[Array, Array]:
    """The x (k,) with least x' gram x - 2 x' right, its `signed` numbers not negative, and that least value.

    Every set of numbers off their bound is tried, each one sweep away from another, number by number: lanes
    share every operation. The columns behind `gram` are of length one; where it is not finite, x is zero and
    its value infinite.
    """
    k = len(right)
    finite = jnp.isfinite(gram).all() & jnp.isfinite(right).all()
    table = {(i, j): gram[i, j] + (RIDGE if i == j else 0.0) for i in range(k) for j in range(i, k)}
    table |= {(i, k): right[i] for i in range(k)} | {(k, k): jnp.zeros_like(right[0])}
    best, least = [jnp.zeros_like(right[0])] * k, jnp.full_like(right[0], jnp.inf)
    for swept, off in _sets(table, 0, k, signed, ()):
        found = [swept[i, k] if i in off else jnp.zeros_like(right[0]) for i in range(k)]
        allowed = [found[i] >= 0 for i in off if signed[i]]
        better = functools.reduce(jnp.logical_and, allowed, swept[k, k] < least)
        best = [jnp.where(better, new, old) for new, old in zip(found, best, strict=True)]
        least = jnp.where(better, swept[k, k], least)
    return jnp.where(finite, jnp.stack(best), 0.0), jnp.where(finite, least, jnp.inf)


Table = dict[tuple[int, int], Array]  # a symmetric one, by row and column, the row first that is smaller


def _sets(
    table: Table, j: int, k: int, signed: Numbers, off: tuple[int, ...]
) -> Iterator[tuple[Table, tuple[int, ...]]]:
    """Every set of numbers from j on, besides those that are `off` their bound, and the table swept by it."""
    if j == k:
        yield table, off
        return
    if signed[j]:
        yield from _sets(table, j + 1, k, signed, off)
    pivot = table[j, j]
    inverse = jnp.where(pivot > 0, 1.0 / jnp.where(pivot > 0, pivot, 1.0), 0.0)
    across = {b: table[j, b] * inverse for b in range(j + 1, k + 1)}
    swept = {(a, b): table[a, b] - table[a, j] * across[b] for a in off for b in across}
    swept |= {(a, b): table[a, b] - table[j, a] * across[b] for a in across for b in across if a <= b}
    swept |= {(j, b): across[b] for b in across}
    yield from _sets(swept, j + 1, k, signed, (*off, j))


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
