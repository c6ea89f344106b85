"""The linear parameters of a law, given its others: small non-negative least-squares problems, one per node.

Variable projection, Golub and Pereyra 1973.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Leaf, Named, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.memory import fitting_in
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.kept import kept
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.problem import LaneData, Problem, Sharing

__all__ = ["projected"]

CELLS_PER_CALL = 2**18
BYTES_PER_CELL = 256  # what a node takes for a row while its equations are made
ONE_BY_ONE = 16  # each in a call of its own, so that one program serves one fit and several


def projected(
    problem: Problem, nodes: Numbers, free: Numbers, linear: tuple[int, ...]
) -> tuple[Numbers, Numbers]:
    """Nodes (fits, nodes, labels) with their linear parameters solved for, and the misfits (fits, nodes)."""
    law, n_fits = problem.law, problem.n_fits
    movable = np.broadcast_to(free[:, list(linear)], (n_fits, len(linear))).astype(float)
    signed = np.array([np.isfinite(law.label_domains[i].lower) for i in linear])
    program = _projector(law, problem.on_log, linear, problem.sharing)
    seeds, misfits = [], []
    per_call = max(1, CELLS_PER_CALL // (nodes.shape[1] * problem.n_rows)) if n_fits > ONE_BY_ONE else 1
    for first in range(0, n_fits, per_call):
        fits = np.arange(first, first + per_call).clip(max=n_fits - 1)
        equations = _equations(program, nodes[fits], movable[fits], problem.lane_data(fits), problem.n_rows)
        found, misfit = _best_linear(equations, linear, signed)
        count = min(per_call, n_fits - first)
        seeds.append(found[:count])
        misfits.append(misfit[:count])
    return np.concatenate(seeds), np.concatenate(misfits)


def _equations(
    program: Projector, nodes: Numbers, movable: Numbers, data: LaneData[Numbers], n_rows: int
) -> Equations[Numbers]:
    """The equations of nodes (fits, nodes, labels), as many nodes at a time as memory holds."""
    n_fits, n_nodes, _ = nodes.shape
    per_call = min(n_nodes, fitting_in(BYTES_PER_CELL * n_fits * n_rows))
    parts = []
    for first in range(0, n_nodes, per_call):
        some = nodes[:, first : first + per_call]
        filled = np.pad(some, ((0, 0), (0, per_call - some.shape[1]), (0, 0)), mode="edge")
        with own_settings():
            found = program(jnp.asarray(filled), jnp.asarray(movable), data)
        parts.append([np.asarray(part)[:, : some.shape[1]] for part in found])
    return Equations(*(np.concatenate(part, axis=1) for part in zip(*parts, strict=True)))


class Equations(NamedTuple, Generic[Leaf]):
    """Per node, the normal equations of the linear parameters, their columns scaled to length one.

    held (labels,): the node with its free linear parameters at zero; gram (linear, linear); right (linear,);
    total (): the misfit at `held`; size (linear,): the columns' lengths.
    """

    held: Leaf
    gram: Leaf
    right: Leaf
    total: Leaf
    size: Leaf


Projector = Callable[[Array, Array, LaneData[Numbers]], Equations[Array]]


@kept
def _projector(law: Law, on_log: bool, linear: tuple[int, ...], sharing: Sharing) -> Projector:
    """Compiled: the equations of every node (fits, nodes, labels) of every fit."""
    columns_of = np.eye(len(law.labels))[list(linear)]

    def predict(numbers: Array, row: Named) -> Array:
        return law.apply(law.unflatten(numbers), row)

    over_rows = jax.vmap(rewrite_powers(predict), (None, 0))

    def node(numbers: Array, free: Array, data: LaneData[Array]) -> Equations[Array]:
        target = jnp.exp(data.target) if on_log else data.target
        variance = data.scale**2 * (target**2 if on_log else 1.0)
        weight = jnp.where(data.weight > 0, data.weight / variance, 0.0)
        held = numbers * (1.0 - free @ columns_of)
        base, push = jax.linearize(lambda at: over_rows(at, data.inputs), held)
        columns = jnp.where(weight > 0, jax.vmap(push)(jnp.asarray(columns_of)), 0.0) * free[:, None]
        gap = jnp.where(weight > 0, target - base, 0.0)
        size = jnp.sqrt(jnp.sum(weight * columns**2, axis=1))
        size = jnp.where(size > 0, size, 1.0)
        columns = columns / size[:, None]
        gram, right = (columns * weight) @ columns.T, columns @ (weight * gap)
        return Equations(held, gram, right, jnp.sum(weight * gap**2), size)

    return Program(jax.vmap(jax.vmap(node, (0, None, None)), (0, 0, sharing.axes)))


def _best_linear(
    equations: Equations[Numbers], linear: tuple[int, ...], signed: Numbers
) -> tuple[Numbers, Numbers]:
    """Non-negative least squares by trying every set of active columns: the numbers, and their misfit."""
    held, gram, right, total, size = equations
    best, misfit = np.zeros(right.shape), np.full(right.shape[:-1], np.inf)
    finite = np.isfinite(gram).all(axis=(-2, -1)) & np.isfinite(right).all(axis=-1)
    usable_gram = np.where(finite[..., None, None], gram, 0.0)
    usable_right = np.where(finite[..., None], right, 0.0)[..., None]
    for mask in itertools.product([0.0, 1.0], repeat=len(linear)):
        active = np.array(mask)
        if not active[~signed].all():
            continue
        system = usable_gram * np.outer(active, active) + np.diag(1.0 - active + 1e-13)
        solution = np.linalg.solve(system, usable_right * active[:, None])[..., 0]
        with np.errstate(all="ignore"):
            gained = 2 * np.sum(solution * right, axis=-1)
            left = total - gained + np.einsum("...i,...ij,...j->...", solution, gram, solution)
            better = np.all((solution >= 0) | ~signed, axis=-1) & (left < misfit)
        best[better], misfit[better] = solution[better], left[better]
    numbers = held.copy()
    numbers[..., list(linear)] += best / size
    return numbers, misfit
