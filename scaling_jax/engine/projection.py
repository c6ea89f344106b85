"""The linear parameters of a law, given its others: small non-negative least-squares problems, one per node.

Variable projection, Golub and Pereyra 1973.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Named, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.memory import fitting_in
from scaling_jax.core.objective import Scale
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import QUICK, Program, placed_on
from scaling_jax.engine.devices import few_calls, host_if_small
from scaling_jax.engine.kept import kept
from scaling_jax.engine.linear import of_length_one, solve_nonnegative
from scaling_jax.engine.padding import bucket
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.problem import LaneData, Problem, Sharing

__all__ = ["projected"]

CELLS_PER_CALL = 2**18
NODES_AT_ONCE = 32  # what they take fits the cache; all side by side take twice the time
CELLS_THERE = 2**21  # of an accelerator at a time, within one call
BYTES_PER_CELL = 256  # what a node takes for a row while its equations are made
ONE_BY_ONE = 16  # each in a call of its own, so that one program serves one fit and several


def projected(
    problem: Problem, nodes: Numbers, free: Numbers, linear: tuple[int, ...]
) -> tuple[Numbers, Numbers]:
    """Nodes (fits, nodes, labels) with their linear parameters solved for, and the misfits (fits, nodes)."""
    n_fits = problem.n_fits
    movable = np.broadcast_to(free[:, list(linear)], (n_fits, len(linear))).astype(float)
    cells = nodes.shape[1] * problem.n_rows
    at_once = max(1, CELLS_THERE // cells) if few_calls(None) else 0
    device = host_if_small(n_fits * cells)
    program = _projector(problem.law, problem.on, linear, problem.sharing, at_once, device)
    seeds, misfits = [], []
    per_call = max(1, CELLS_PER_CALL // cells) if n_fits > ONE_BY_ONE else 1
    if at_once:
        per_call = bucket(n_fits) if n_fits > 1 else 1
    for first in range(0, n_fits, per_call):
        fits = np.arange(first, first + per_call).clip(max=n_fits - 1)
        data = problem.lane_data(fits)
        most = BYTES_PER_CELL * (min(at_once, per_call) if at_once else per_call) * problem.n_rows
        found, misfit = _solved(program, nodes[fits], movable[fits], data, most)
        count = min(per_call, n_fits - first)
        seeds.append(found[:count])
        misfits.append(misfit[:count])
    return np.concatenate(seeds), np.concatenate(misfits)


def _solved(
    program: Projector, nodes: Numbers, movable: Numbers, data: LaneData[Numbers], bytes_per_node: int
) -> list[Numbers]:
    """Nodes (fits, nodes, labels) and misfits, as many nodes at a time as memory holds."""
    n_nodes = nodes.shape[1]
    per_call = min(n_nodes, fitting_in(bytes_per_node))
    parts = []
    for first in range(0, n_nodes, per_call):
        some = nodes[:, first : first + per_call]
        filled = np.pad(some, ((0, 0), (0, per_call - some.shape[1]), (0, 0)), mode="edge")
        with own_settings():
            found = program.fetched(filled, movable, data)
        parts.append([part[:, : some.shape[1]] for part in found])
    return [np.concatenate(part, axis=1) for part in zip(*parts, strict=True)]


Projector = Program[tuple[Array, Array]]


@kept
def _projector(
    law: Law,
    on: Scale,
    linear: tuple[int, ...],
    sharing: Sharing,
    at_once: int,
    device: jax.Device | None,
) -> Projector:
    """Compiled: every node (fits, nodes, labels) of every fit with its linear numbers, and its misfit; so
    many fits at once, or all where that is 0."""
    columns_of = np.eye(len(law.labels))[list(linear)]
    signed = np.array([np.isfinite(law.label_domains[i].lower) for i in linear])

    def predict(numbers: Array, row: Named) -> Array:
        return law.apply(law.unflatten(numbers), row)

    over_rows = jax.vmap(rewrite_powers(predict), (None, 0))

    def node(numbers: Array, free: Array, data: LaneData[Array]) -> tuple[Array, Array]:
        target = jnp.exp(data.target) if on == "log" else data.target
        error = data.scale * (target if on == "log" else 1.0)
        root = jnp.where(data.weight > 0, jnp.sqrt(data.weight) / error, 0.0)
        held = numbers * (1.0 - free @ columns_of)
        base, push = jax.linearize(lambda at: over_rows(at, data.seen), held)
        pushed = jnp.where(root > 0, jax.vmap(push)(jnp.asarray(columns_of)), 0.0) * free[:, None]
        columns, size = of_length_one(pushed * root)
        gap = jnp.where(root > 0, target - base, 0.0) * root
        best, less = solve_nonnegative(columns @ columns.T, columns @ gap, signed)
        return held + (best / size) @ columns_of, jnp.sum(gap**2) + less

    def nodes_of_fit(nodes: Array, free: Array, data: LaneData[Array]) -> tuple[Array, Array]:
        if at_once or len(nodes) % NODES_AT_ONCE:  # a rest would be compiled for itself
            return jax.vmap(node, (0, None, None))(nodes, free, data)
        return jax.lax.map(lambda one: node(one, free, data), nodes, batch_size=NODES_AT_ONCE)

    def in_blocks(nodes: Array, free: Array, data: LaneData[Array]) -> tuple[Array, Array]:
        own = jax.tree.unflatten(sharing.structure, sharing.flags)

        def of_fit(f: Array) -> tuple[Array, Array]:
            mine = jax.tree.map(lambda leaf, own: leaf[f] if own else leaf, data, own)
            return nodes_of_fit(nodes[f], free[f], mine)

        return jax.lax.map(of_fit, jnp.arange(len(nodes)), batch_size=at_once)

    fn = in_blocks if at_once else jax.vmap(nodes_of_fit, (0, 0, sharing.axes))
    return Program(fn, QUICK, device, placed_on(device))
