"""Where lanes begin when nobody says: points spread over what is nonlinear, and a linear solve for the rest.

Parameters that enter a law linearly are found by differentiating it twice. Given the others they follow from
a small non-negative least-squares problem (variable projection, Golub and Pereyra 1973), so a seed is already
near a valley floor. This serves any law, a user's three lines included.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.compiled import quick_jit
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.problem import Problem

__all__ = ["default_starts", "product_grid", "spread"]

NODES = 512
ROWS = 96  # of each of many fits, to rank nodes by
DECADES = 1e3  # a range wider than this factor is sampled in logarithms
GONE = 1e-9
SAME = 1e-12
COMPETES = 2.0  # times the least misfit: nodes are coarse
ONE_BY_ONE = 16  # each in a call of its own, so that one program serves one fit and several


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
    return np.array(
        list(itertools.product(*(np.atleast_1d(np.asarray(axes[n], dtype=np.float64)) for n in names)))
    )


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
        elif domain.log or limits[1] > DECADES * limits[0] > 0:
            out[:, i] = limits[0] * (limits[1] / limits[0]) ** unit[:, i]
        else:
            out[:, i] = limits[0] + (limits[1] - limits[0]) * unit[:, i]
    return out


@lru_cache(maxsize=128)
def _projector(
    law: Law, on_log: bool, linear: tuple[int, ...], flags: tuple[bool, ...], structure: Any
) -> Any:
    """Compiled: for each node, the normal equations of the linear parameters, columns scaled to length
    one."""
    axes = jax.tree.unflatten(structure, [0 if own else None for own in flags])
    columns_of = np.eye(len(law.labels))[list(linear)]

    def predict(numbers: Any, row: Any) -> Any:
        return law.apply(law.unflatten(numbers), row)

    over_rows = jax.vmap(rewrite_powers(predict), (None, 0))

    def node(numbers: Any, free: Any, data: Any) -> Any:
        target = jnp.exp(data.target) if on_log else data.target
        weight = jnp.where(
            data.weight > 0, data.weight / (data.scale**2 * (target**2 if on_log else 1.0)), 0.0
        )
        held = numbers * (1.0 - free @ columns_of)
        base, push = jax.linearize(lambda at: over_rows(at, data.inputs), held)
        columns = jnp.where(weight > 0, jax.vmap(push)(jnp.asarray(columns_of)), 0.0) * free[:, None]
        gap = jnp.where(weight > 0, target - base, 0.0)
        size = jnp.sqrt(jnp.sum(weight * columns**2, axis=1))
        size = jnp.where(size > 0, size, 1.0)
        columns = columns / size[:, None]
        gram, right = (columns * weight) @ columns.T, columns @ (weight * gap)
        return held, gram, right, jnp.sum(weight * gap**2), size

    return quick_jit(jax.vmap(jax.vmap(node, (0, None, None)), (0, 0, axes)))


def _best_linear(
    equations: tuple[np.ndarray, ...], linear: tuple[int, ...], signed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Non-negative least squares by trying every set of active columns: the numbers, and the misfit they
    leave."""
    held, gram, right, total, size = equations
    m = len(linear)
    best, misfit = np.zeros(right.shape), np.full(right.shape[:-1], np.inf)
    finite = (
        np.isfinite(gram).all(axis=(-2, -1), keepdims=True) & np.isfinite(right).all(axis=-1)[..., None, None]
    )
    for mask in itertools.product([0.0, 1.0], repeat=m):
        active = np.array(mask)
        if not active[~signed].all():
            continue
        system = np.where(finite, gram, 0.0) * np.outer(active, active) + np.diag(1.0 - active + 1e-13)
        solution = np.linalg.solve(system, np.where(finite, right[..., None] * active[:, None], 0.0))[..., 0]
        with np.errstate(all="ignore"):
            left = (
                total
                - 2 * np.sum(solution * right, axis=-1)
                + np.einsum("...i,...ij,...j->...", solution, gram, solution)
            )
            better = np.all((solution >= 0) | ~signed, axis=-1) & (left < misfit)
        best[better], misfit[better] = solution[better], left[better]
    numbers = held.copy()
    numbers[..., list(linear)] += best / size
    return numbers, misfit


def default_starts(
    problem: Problem, fixed: np.ndarray, tied: np.ndarray, n: int, nodes: int, seed: int = 0
) -> np.ndarray:
    """Seeds in natural units, (fits, n, numbers).

    Args:
        problem: the batch of fits.
        fixed: (fits, numbers), the values of fixed numbers, NaN where free.
        tied: (numbers,), for each number the index of the one it equals.
        n: seeds per fit.
        nodes: how many points are tried per fit.
    """
    law = problem.law
    problem = problem.thinned(ROWS)
    linear = tuple(i for i in linear_parameters(law) if tied[i] == i and not np.any(np.delete(tied, i) == i))
    candidates = _candidates(problem, np.isnan(fixed), linear, nodes, seed)[:, :, tied]
    candidates = np.where(np.isnan(fixed)[:, None, :], candidates, fixed[:, None, :])
    if not linear:
        return candidates[:, _ranks(candidates.shape[1], n)]
    free = np.broadcast_to(np.isnan(fixed[:, list(linear)]), (problem.n_fits, len(linear))).astype(float)
    signed = np.array([np.isfinite(law.label_domains[i].lower) for i in linear])
    flags, structure = problem.sharing
    program = _projector(law, problem.on_log, linear, flags, structure)
    seeds, misfits = [], []
    per_call = max(1, 2**18 // (candidates.shape[1] * problem.n_rows)) if problem.n_fits > ONE_BY_ONE else 1
    for first in range(0, problem.n_fits, per_call):
        fits = np.arange(first, first + per_call).clip(max=problem.n_fits - 1)
        with jax.enable_x64(True):
            equations = program(
                jnp.asarray(candidates[fits]), jnp.asarray(free[fits]), problem.lane_data(fits)
            )
        found, misfit = _best_linear(tuple(np.asarray(part) for part in equations), linear, signed)
        count = min(per_call, problem.n_fits - first)
        seeds.append(found[:count])
        misfits.append(misfit[:count])
    return _choose(law, np.concatenate(seeds), np.concatenate(misfits), n)


def _candidates(
    problem: Problem, free: np.ndarray, linear: tuple[int, ...], nodes: int, seed: int
) -> np.ndarray:
    """Points per fit, (fits, nodes, numbers): the law's own proposals where it makes any, else samples, which
    a table need not be looked at for where a range or a linear solve gives every number."""
    law = problem.law
    known = [i in linear or label.split("[")[0] in law.ranges for i, label in enumerate(law.labels)]
    looks = law.starts is not None or not all(known)
    own = looks and any(
        jax.tree.leaves((problem.per_fit.inputs, problem.per_fit.target, problem.per_fit.weight))
    )
    points = []
    for f in range(problem.n_fits if own else 1):
        one = problem.lane_data(f)
        used = one.weight > 0
        inputs = {name: column[used] for name, column in one.inputs.items()}
        numbers = sample_numbers(law, nodes, inputs, seed)
        if law.starts is not None:
            target = np.exp(one.target[used]) if problem.on_log else one.target[used]
            numbers = _each_once(_with_proposals(law, numbers.copy(), inputs, target), numbers, free[f])
        points.append(numbers)
    return np.broadcast_to(np.stack(points), (problem.n_fits, *points[0].shape)).copy()


def _with_proposals(
    law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray], target: np.ndarray
) -> np.ndarray:
    """Samples overwritten, in turn, by the values a law proposes for its parameters."""
    assert law.starts is not None
    proposed = {name: np.atleast_1d(values) for name, values in law.starts(inputs, target).items()}
    turn = np.arange(len(numbers)) % max(len(values) for values in proposed.values())
    for i, label in enumerate(law.labels):
        if label in proposed:
            numbers[:, i] = np.broadcast_to(
                proposed[label], (turn.max() + 1,) if len(proposed[label]) == 1 else proposed[label].shape
            )[turn]
    return numbers


def _each_once(proposed: np.ndarray, samples: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Proposals that holding some numbers has made alike are kept once, and samples take the place of the
    others."""
    if free.all():
        return proposed
    _, first = np.unique(proposed[:, free], axis=0, return_index=True)
    return np.concatenate([proposed[np.sort(first)], samples[: len(proposed) - len(first)]])


def _ranks(available: int, n: int) -> np.ndarray:
    """Which of ranked candidates to keep: the best half, and a spread over the next ones so that other basins
    live."""
    if n >= available:
        return np.arange(available)
    best = np.arange((n + 1) // 2)
    rest = np.linspace(len(best), max(len(best), (available - 1) // 2 + n // 2), n - len(best)).astype(int)
    return np.unique(np.clip(np.concatenate([best, rest]), 0, available - 1))


def _choose(law: Law, seeds: np.ndarray, misfits: np.ndarray, n: int) -> np.ndarray:
    """The best seeds per fit, each once; those in which a positive parameter vanished come last, lifted off
    zero.

    The very last stays there, almost, if it fits about as well as any: where the optimum has lost a term, a
    lane from anywhere else creeps towards it forever.
    """
    logs = np.array([d.log for d in law.label_domains])
    vanished = (seeds[..., logs] <= 0).any(axis=-1)
    order = np.lexsort((misfits, vanished | ~np.isfinite(misfits)), axis=-1)
    ranked = np.take_along_axis(misfits, order, axis=1)
    with np.errstate(invalid="ignore"):
        again = np.diff(ranked, axis=1, prepend=-1.0) <= SAME * np.abs(
            ranked
        )  # a law with few proposals makes them in turn
    order = np.take_along_axis(order, np.argsort(again, axis=1, kind="stable"), axis=1)
    count = len(_ranks(seeds.shape[1], n))
    ranks = np.stack([np.resize(_ranks(int(distinct), n), count) for distinct in (~again).sum(axis=1)])
    chosen = np.take_along_axis(order, ranks, axis=1)
    barest = np.argmin(np.where(vanished, misfits, np.inf), axis=1)
    leanest = np.take_along_axis(np.where(vanished, misfits, np.inf), barest[:, None], axis=1)[:, 0]
    bare = np.isfinite(leanest) & (leanest <= COMPETES * misfits.min(axis=1)) & (count > 3)
    chosen[bare, -1] = barest[bare]
    picked = np.take_along_axis(seeds, chosen[..., None], axis=1)
    positive = (seeds > 0).sum(axis=1, keepdims=True)
    mean_log = np.log(np.where(seeds > 0, seeds, 1.0)).sum(axis=1, keepdims=True) / np.maximum(positive, 1)
    floor = np.where(positive > 0, np.exp(mean_log), 1e-4) * np.full((count, 1), 1e-2)
    floor[bare, -1] *= GONE / 1e-2
    return np.where(logs & (picked <= 0), floor, picked)
