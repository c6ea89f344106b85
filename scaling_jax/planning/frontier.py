"""The best run that a budget buys, by any law of N and D, for many parameter vectors at once.

A budget C = N (6 D + 2 I), I tokens of inference, gives the size that each D leaves room for, so the search
is over log D alone and knows no edge: a scan for the basin, then bisection on the slope, whose root is known
to rounding (the minimum of the values themselves only to its square root).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax import laws
from scaling_jax.core.law import Law
from scaling_jax.core.settings import own_settings
from scaling_jax.engine import compiled
from scaling_jax.engine.kept import kept
from scaling_jax.engine.padding import bucket, padded
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["Frontier", "along", "closed_form", "frontier"]

CLOSED_FORM = (laws.chinchilla, laws.chinchilla_tied, laws.chinchilla_gamma)
SERVED_FLOP = 2.0
NODES = 160
HALVINGS = 56
BEYOND = 14.0
LANES = 2**13

Given = Mapping[str, jax.Array]
"""Values of the law's other inputs."""
Program = Callable[..., tuple[jax.Array, ...]]
"""From columns with a row per lane, and what is given, to columns."""


class Frontier(NamedTuple):
    """Best runs, each (vectors, budgets): size N, tokens D, loss; NaN where the law has no optimum inside."""

    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray


def frontier(
    law: Law, numbers: np.ndarray, budgets: np.ndarray, served: np.ndarray, given: dict[str, float]
) -> Frontier:
    """The run of least loss at each budget.

    Args:
        law: a law of N, D, and the inputs in `given`.
        numbers: (vectors, labels) parameters, natural units.
        budgets: (budgets,) or (vectors, budgets), FLOP.
        served: tokens of inference, of the same shape or ().
        given: values of the law's other inputs.
    """
    shape = np.broadcast_shapes((len(numbers), 1), np.shape(budgets), np.shape(served))
    lanes = np.broadcast_to(numbers[:, None, :], (*shape, numbers.shape[1])).reshape(-1, numbers.shape[1])
    columns = [np.asarray(v, dtype=np.float64) for v in (np.log(budgets), served)]
    per_lane = (lanes, *(np.broadcast_to(column, shape).ravel() for column in columns))
    v, loss = (part.reshape(shape) for part in _in_chunks(_search(law, tuple(given)), per_lane, given))
    D = np.exp(v)
    return Frontier(budgets / (TOKENS_FLOP * D + SERVED_FLOP * served), D, loss)


def closed_form(law: Law, numbers: np.ndarray, budgets: np.ndarray) -> Frontier | None:
    """The run of least loss at each budget by the formula of Chinchilla's kin; None for other laws."""
    if law not in CLOSED_FORM:
        return None
    p = {name: values[:, None] for name, values in zip(law.labels, numbers.T, strict=True)}
    alpha, beta = p["alpha"], p.get("beta", p["alpha"])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        exists = (alpha > 0) & (beta > 0) & (p["A"] > 0) & (p["B"] > 0)
        log_G = np.where(exists, np.log(alpha * p["A"]) - np.log(beta * p["B"]), np.nan) / (alpha + beta)
        N = np.exp(log_G + beta / (alpha + beta) * np.log(budgets / TOKENS_FLOP))
        D = budgets / (TOKENS_FLOP * N)
        loss = p["E"] + (p["A"] * N**-alpha + p["B"] * D**-beta) ** p.get("gamma", 1.0)
    return Frontier(N, D, loss)


def along(
    law: Law, numbers: np.ndarray, log_budgets: np.ndarray, given: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Along the frontier of C = 6 N D, each (vectors, budgets): d ln N / d ln C, and d L / d ln C."""
    best = frontier(law, numbers, np.exp(log_budgets), np.asarray(0.0), given)
    shape = best.D.shape
    lanes = np.broadcast_to(numbers[:, None, :], (*shape, numbers.shape[1])).reshape(-1, numbers.shape[1])
    per_lane = (lanes, np.broadcast_to(log_budgets, shape).ravel(), np.log(best.D).ravel())
    found = _in_chunks(_slopes(law, tuple(given)), per_lane, given)
    of_data, of_loss = (part.reshape(shape) for part in found)
    return 1 - of_data, of_loss


def _loss(
    law: Law, numbers: jax.Array, log_budget: jax.Array, served: jax.Array | float, v: jax.Array, given: Given
) -> jax.Array:
    """The loss of the run that spends a budget on exp(v) tokens."""
    D = jnp.exp(v)
    N = jnp.exp(log_budget - jnp.log(TOKENS_FLOP * D + SERVED_FLOP * served))
    return law.apply(law.unflatten(numbers), {**given, "N": N, "D": D})


@kept
def _search(law: Law, names: tuple[str, ...]) -> Program:
    def one(
        numbers: jax.Array, log_budget: jax.Array, served: jax.Array, given: Given
    ) -> tuple[jax.Array, jax.Array]:
        def loss(v: jax.Array) -> jax.Array:
            return _loss(law, numbers, log_budget, served, v, given)

        reach = BEYOND + jnp.abs(log_budget) / 2
        nodes = log_budget / 2 + reach * jnp.linspace(-1.0, 1.0, NODES)
        values = jax.vmap(loss)(nodes)
        values = jnp.where(jnp.isfinite(values), values, jnp.inf)
        at = jnp.argmin(values)

        def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low, high = bracket
            middle = 0.5 * (low + high)
            falling = jax.grad(loss)(middle) < 0
            return jnp.where(falling, middle, low), jnp.where(falling, high, middle)

        low, high = nodes[jnp.maximum(at - 1, 0)], nodes[jnp.minimum(at + 1, NODES - 1)]
        low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
        inside = (at > 0) & (at < NODES - 1) & jnp.isfinite(values[at])
        v = jnp.where(inside, 0.5 * (low + high), jnp.nan)
        return v, loss(v)

    return compiled.Program(compiled.quick_jit(jax.vmap(one, (0, 0, 0, None))))


@kept
def _slopes(law: Law, names: tuple[str, ...]) -> Program:
    def one(
        numbers: jax.Array, log_budget: jax.Array, v: jax.Array, given: Given
    ) -> tuple[jax.Array, jax.Array]:
        def loss(c: jax.Array, x: jax.Array) -> jax.Array:
            return _loss(law, numbers, c, 0.0, x, given)

        slope = jax.grad(loss, argnums=1)
        curvature = jax.grad(slope, argnums=1)(log_budget, v)
        mixed = jax.grad(slope, argnums=0)(log_budget, v)
        return -mixed / curvature, jax.grad(loss, argnums=0)(log_budget, v)

    return compiled.Program(compiled.quick_jit(jax.vmap(one, (0, 0, 0, None))))


def _in_chunks(
    program: Program, per_lane: tuple[np.ndarray, ...], given: dict[str, float]
) -> tuple[np.ndarray, ...]:
    """Runs a program over lanes in padded chunks: near sizes share it, and memory stays small."""
    count = len(per_lane[0])
    size = min(bucket(count), LANES)
    found = []
    with own_settings():
        fixed = {name: jnp.asarray(value, dtype=jnp.float64) for name, value in given.items()}
        for first in range(0, count, size):
            part = [values[first : first + size] for values in per_lane]
            lanes = [jnp.asarray(padded(values, size)) for values in part]
            found.append([np.asarray(out)[: len(part[0])] for out in program(*lanes, fixed)])
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
