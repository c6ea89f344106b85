"""Where lanes begin when nobody says: points spread over what is nonlinear, and a linear solve for the rest.

Parameters that enter a law linearly are found by differentiating it twice. Given the others they follow from a small
non-negative least-squares problem (variable projection, Golub and Pereyra 1973), so a seed is already near a valley floor.
This serves any law, a user's three lines included.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.domains import Domain
from scaling_jax.engine.linear import solve_symmetric
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.problem import Problem
from scaling_jax.law import Law

__all__ = ["default_starts", "linear_parameters", "product_grid", "spread"]

NODES = 512
MOST_LINEAR = 5


def spread(n: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """n points of the unit cube, (n, dimensions): Roberts' additive recurrence, shifted by the seed.

    >>> spread(3, 1).round(3).ravel().tolist()
    [0.118, 0.736, 0.354]
    """
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = (1.0 / root) ** np.arange(1, dimensions + 1)
    return (0.5 + seed * 0.7548776662 + np.outer(np.arange(1, n + 1), steps)) % 1.0


def product_grid(axes: dict[str, Any], names: tuple[str, ...]) -> np.ndarray:
    """All combinations of the values per name, (points, names)."""
    return np.array(list(itertools.product(*(np.atleast_1d(np.asarray(axes[n], dtype=np.float64)) for n in names))))


@lru_cache(maxsize=256)
def linear_parameters(law: Law) -> tuple[int, ...]:
    """Indices (into `law.labels`) of numbers the law is jointly linear in, judged at random points."""
    rng = np.random.default_rng(0)
    k, points = len(law.labels), 4
    numbers = np.stack([np.clip(rng.uniform(0.3, 0.9, k), _low(d), _high(d)) for d in law.label_domains for _ in range(points)])
    numbers = numbers[:points]
    inputs = {name: np.clip(rng.uniform(2.0, 9.0, points), _low(d), _high(d)) for name, d in law.input_domains.items()}

    def predict(vector: Any, row: Any) -> Any:
        return law.apply(law.unflatten(vector), row)

    with jax.enable_x64(True):
        hessians = np.abs(np.asarray(jax.jit(jax.vmap(jax.hessian(predict)))(jnp.asarray(numbers), inputs)))
    if not np.all(np.isfinite(hessians)):
        return ()
    bends = hessians.max(axis=0) > 1e-9
    chosen: list[int] = []
    for i in range(k):
        if not bends[i, i] and not any(bends[i, j] for j in chosen) and len(chosen) < MOST_LINEAR:
            chosen.append(i)
    return tuple(chosen)


def _low(domain: Domain) -> float:
    return domain.lower if np.isfinite(domain.lower) else -np.inf


def _high(domain: Domain) -> float:
    return domain.upper if np.isfinite(domain.upper) else np.inf


def _default_range(domain: Domain, u: np.ndarray, inputs: dict[str, np.ndarray]) -> np.ndarray:
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


def sample_numbers(law: Law, n: int, inputs: dict[str, np.ndarray], seed: int = 0) -> np.ndarray:
    """n points over the law's parameters, (n, numbers), natural units: from its ranges, or by domain."""
    unit = spread(n, len(law.labels), seed)
    out = np.empty_like(unit)
    for i, (label, domain) in enumerate(zip(law.labels, law.label_domains, strict=True)):
        limits = law.ranges.get(label.split("[")[0])
        if limits is None:
            out[:, i] = _default_range(domain, unit[:, i], inputs)
        elif domain.log:
            out[:, i] = limits[0] * (limits[1] / limits[0]) ** unit[:, i]
        else:
            out[:, i] = limits[0] + (limits[1] - limits[0]) * unit[:, i]
    return out


@lru_cache(maxsize=128)
def _projector(law: Law, on_log: bool, linear: tuple[int, ...], flags: tuple[bool, ...], structure: Any) -> Any:
    """Compiled: for each node, the best linear parameters and the misfit they leave."""
    axes = jax.tree.unflatten(structure, [0 if own else None for own in flags])
    signed = np.array([not np.isfinite(law.label_domains[i].lower) for i in linear], dtype=bool)
    choices = [c for c in itertools.product([0.0, 1.0], repeat=len(linear)) if all(np.array(c)[signed] == 1)]
    masks = np.array(choices).reshape(len(choices), len(linear))
    columns_of = np.eye(len(law.labels))[list(linear)]

    def predict(numbers: Any, row: Any) -> Any:
        return law.apply(law.unflatten(numbers), row)

    over_rows = jax.vmap(rewrite_powers(predict), (None, 0))

    def node(numbers: Any, free: Any, data: Any) -> Any:
        target = jnp.exp(data.target) if on_log else data.target
        weight = jnp.where(data.weight > 0, data.weight / (data.scale**2 * (target**2 if on_log else 1.0)), 0.0)
        held = numbers * (1.0 - free @ columns_of)
        base = over_rows(held, data.inputs)
        columns = jax.vmap(lambda e: over_rows(held + e, data.inputs) - base)(jnp.asarray(columns_of))
        columns = jnp.where(weight > 0, columns, 0.0) * free[:, None]
        gap = jnp.where(weight > 0, target - base, 0.0)
        size = jnp.sqrt(jnp.sum(weight * columns**2, axis=1))
        size = jnp.where(size > 0, size, 1.0)
        columns = columns / size[:, None]
        gram, right = (columns * weight) @ columns.T, columns @ (weight * gap)

        def with_mask(mask: Any) -> Any:
            both = mask[:, None] * mask[None, :]
            solution = solve_symmetric(gram * both + jnp.diag(1.0 - mask) + 1e-13 * jnp.eye(len(linear)), right * mask)
            misfit = jnp.sum(weight * (gap - solution @ columns) ** 2)
            allowed = jnp.all((solution >= 0) | jnp.asarray(signed))
            return solution / size, jnp.where(allowed & jnp.isfinite(misfit), misfit, jnp.inf)

        solutions, misfits = jax.vmap(with_mask)(jnp.asarray(masks))
        best = jnp.argmin(misfits)
        return held + solutions[best] @ columns_of, misfits[best]

    return jax.jit(jax.vmap(jax.vmap(node, (0, None, None)), (0, None, axes)))


def default_starts(problem: Problem, fixed: np.ndarray, tied: np.ndarray, n: int, nodes: int, seed: int = 0) -> np.ndarray:
    """Seeds in natural units, (fits, n, numbers).

    Args:
        problem: the batch of fits.
        fixed: (fits, numbers), the values of fixed numbers, NaN where free.
        tied: (numbers,), for each number the index of the one it equals.
        n: seeds per fit.
        nodes: how many points are tried per fit.
    """
    law = problem.law
    candidates = _candidates(problem, nodes, seed)[:, :, tied]
    candidates = np.where(np.isnan(fixed)[:, None, :], candidates, fixed[:, None, :])
    linear = tuple(i for i in linear_parameters(law) if tied[i] == i and not np.any(np.delete(tied, i) == i))
    if not linear:
        return candidates[:, _ranks(candidates.shape[1], n)]
    free = np.isnan(fixed[:, list(linear)]).all(axis=0).astype(float)
    flags, structure = problem.sharing
    program = _projector(law, problem.on_log, linear, flags, structure)
    seeds, misfits = [], []
    per_call = max(1, 2**22 // (candidates.shape[1] * problem.n_rows))
    per_call = problem.n_fits if problem.n_fits <= per_call else per_call
    for first in range(0, problem.n_fits, per_call):
        fits = np.arange(first, first + per_call).clip(max=problem.n_fits - 1)
        with jax.enable_x64(True):
            found, misfit = program(jnp.asarray(candidates[fits]), jnp.asarray(free), problem.lane_data(fits))
            count = min(per_call, problem.n_fits - first)
            seeds.append(np.asarray(found)[:count])
            misfits.append(np.asarray(misfit)[:count])
    return _choose(law, np.concatenate(seeds), np.concatenate(misfits), n)


def _candidates(problem: Problem, nodes: int, seed: int) -> np.ndarray:
    """Points per fit, (fits, nodes, numbers): the law's own proposals where it makes any, else samples."""
    law, data = problem.law, problem.data
    own_rows = any(jax.tree.leaves((problem.per_fit.inputs, problem.per_fit.target, problem.per_fit.weight)))
    out = []
    for f in range(problem.n_fits if own_rows else 1):
        one = jax.tree.map(lambda leaf, own: leaf[f] if own else leaf, data, problem.per_fit)  # noqa: B023
        used = one.weight > 0
        inputs = {name: column[used] for name, column in one.inputs.items()}
        numbers = sample_numbers(law, nodes, inputs, seed)
        if law.starts is not None:
            target = np.exp(one.target[used]) if problem.on_log else one.target[used]
            proposed = {k: np.atleast_1d(v) for k, v in law.starts(inputs, target).items()}
            count = max(len(v) for v in proposed.values())
            numbers = numbers[np.arange(nodes) % nodes]
            index = np.arange(nodes) % count
            for i, label in enumerate(law.labels):
                if label in proposed:
                    numbers[:, i] = np.broadcast_to(proposed[label], (count,))[index]
        out.append(numbers)
    return np.stack(out) if own_rows else np.broadcast_to(out[0], (problem.n_fits, *out[0].shape)).copy()


def _ranks(available: int, n: int) -> np.ndarray:
    """Which of ranked candidates to keep: the best half, and a spread over the next ones so that other basins live."""
    n = min(n, available)
    best = np.arange((n + 1) // 2)
    rest = np.linspace(len(best), max(len(best), (available - 1) // 2 + n // 2), n - len(best)).astype(int)
    return np.unique(np.clip(np.concatenate([best, rest]), 0, available - 1))


def _choose(law: Law, seeds: np.ndarray, misfits: np.ndarray, n: int) -> np.ndarray:
    """The best seeds per fit; those in which a positive parameter vanished come last, lifted off zero."""
    logs = np.array([d.log for d in law.label_domains])
    vanished = (seeds[..., logs] <= 0).any(axis=-1)
    order = np.lexsort((misfits, vanished | ~np.isfinite(misfits)), axis=-1)
    picked = np.take_along_axis(seeds, order[:, _ranks(seeds.shape[1], n)][..., None], axis=1)
    positive = np.where(seeds > 0, seeds, np.nan)
    with np.errstate(all="ignore"):
        floor = 1e-2 * np.exp(np.nanmean(np.log(positive), axis=1, keepdims=True)) if logs.any() else 0.0
    floor = np.where(np.isfinite(floor), floor, 1e-6)
    return np.where(logs & (picked <= 0), floor, picked)
