"""Where lanes begin when nobody says: points spread over what is nonlinear, and a linear solve for the rest.

Parameters that enter a law linearly are found by differentiating it twice. Given the others they follow from
a small non-negative least-squares problem (variable projection, Golub and Pereyra 1973), so a seed is already
near a valley floor. This serves any law, a user's three lines included.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import Array, Columns, Leaf, Named, Numbers
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law
from scaling_jax.engine.behaviour import linear_parameters
from scaling_jax.engine.compiled import quick_jit
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.problem import LaneData, Problem, Sharing

__all__ = ["default_starts", "product_grid", "spread"]

ROWS = 96  # of each of many fits, to rank nodes by
DECADES = 1e3  # a range wider than this factor is sampled in logarithms
CELLS_PER_CALL = 2**18
# of a number's usual size: where one that vanished is lifted to, and what is as good as gone
LIFTED, GONE = 1e-2, 1e-9
NEVER_POSITIVE = 1e-4  # the usual size of a number that no seed has positive
SAME = 1e-12
COMPETES = 2.0  # times the least misfit: nodes are coarse
ONE_BY_ONE = 16  # each in a call of its own, so that one program serves one fit and several


def spread(n: int, dimensions: int, seed: int = 0) -> Numbers:
    """n points of the unit cube, (n, dimensions): Roberts' additive recurrence, shifted by the seed.

    >>> spread(3, 1).round(3).ravel().tolist()
    [0.118, 0.736, 0.354]
    """
    root = 2.0
    for _ in range(60):
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = (1.0 / root) ** np.arange(1, dimensions + 1)
    return (0.5 + seed * 0.7548776662 + np.outer(np.arange(1, n + 1), steps)) % 1.0


def product_grid(axes: Mapping[str, float | Sequence[float] | Numbers], names: Sequence[str]) -> Numbers:
    """All combinations of the values per name, (points, names)."""
    values = [np.atleast_1d(np.asarray(axes[name], dtype=np.float64)) for name in names]
    return np.array(list(itertools.product(*values)))


def _default_range(domain: Domain, u: Numbers, inputs: Columns) -> Numbers:
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


def sample_numbers(law: Law, n: int, inputs: Columns, seed: int = 0) -> Numbers:
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


@lru_cache(maxsize=128)
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

    return quick_jit(jax.vmap(jax.vmap(node, (0, None, None)), (0, 0, sharing.axes)))


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


def default_starts(
    problem: Problem, fixed: Numbers, tied: Numbers, n: int, nodes: int, seed: int = 0
) -> Numbers:
    """Seeds in natural units, (fits, n, numbers).

    Args:
        problem: the batch of fits.
        fixed: (fits, numbers), the values of fixed numbers, NaN where free.
        tied: (numbers,), for each number the index of the one it equals.
        n: seeds per fit.
        nodes: how many points are tried per fit.
    """
    law, free = problem.law, np.isnan(fixed)
    problem = problem.thinned(ROWS)
    linear = tuple(i for i in linear_parameters(law) if tied[i] == i and not np.any(np.delete(tied, i) == i))
    candidates = _candidates(problem, free, linear, nodes, seed)[:, :, tied]
    candidates = np.where(free[:, None, :], candidates, fixed[:, None, :])
    if not linear:
        return candidates[:, _ranks(candidates.shape[1], n)]
    return _choose(law, *_projected(problem, candidates, free, linear), n)


def _projected(
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
        with jax.enable_x64(True):
            equations = program(jnp.asarray(nodes[fits]), jnp.asarray(movable[fits]), problem.lane_data(fits))
        found, misfit = _best_linear(Equations._make(map(np.asarray, equations)), linear, signed)
        count = min(per_call, n_fits - first)
        seeds.append(found[:count])
        misfits.append(misfit[:count])
    return np.concatenate(seeds), np.concatenate(misfits)


def _candidates(problem: Problem, free: Numbers, linear: tuple[int, ...], nodes: int, seed: int) -> Numbers:
    """Points per fit, (fits, nodes, numbers): the law's own proposals where it makes any, else samples.

    A table need not be looked at where a range or a linear solve gives every number.
    """
    law = problem.law
    known = [i in linear or label.split("[")[0] in law.ranges for i, label in enumerate(law.labels)]
    looks = law.starts is not None or not all(known)
    differ = problem.per_fit
    own = looks and any(jax.tree.leaves((differ.inputs, differ.target, differ.weight)))
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


def _with_proposals(law: Law, numbers: Numbers, inputs: Columns, target: Numbers) -> Numbers:
    """Samples overwritten, in turn, by the values a law proposes for its parameters."""
    assert law.starts is not None
    proposed = {name: np.atleast_1d(values) for name, values in law.starts(inputs, target).items()}
    turns = max(len(values) for values in proposed.values())
    turn = np.arange(len(numbers)) % turns
    for i, label in enumerate(law.labels):
        if label in proposed:
            values = proposed[label]
            numbers[:, i] = (np.repeat(values, turns) if len(values) == 1 else values)[turn]
    return numbers


def _each_once(proposed: Numbers, samples: Numbers, free: Numbers) -> Numbers:
    """Proposals that fixed numbers have made alike are kept once; samples take the place of the others."""
    if free.all():
        return proposed
    _, first = np.unique(proposed[:, free], axis=0, return_index=True)
    return np.concatenate([proposed[np.sort(first)], samples[: len(proposed) - len(first)]])


def _ranks(available: int, n: int) -> Numbers:
    """Which of ranked candidates to keep: the best, and a spread over the next so that other basins live."""
    if n >= available:
        return np.arange(available)
    best = np.arange((n + 1) // 2)
    rest = np.linspace(len(best), max(len(best), (available - 1) // 2 + n // 2), n - len(best)).astype(int)
    return np.unique(np.clip(np.concatenate([best, rest]), 0, available - 1))


def _choose(law: Law, seeds: Numbers, misfits: Numbers, n: int) -> Numbers:
    """The best seeds per fit, each once; those in which a positive parameter vanished come last, off zero.

    The very last stays there, almost, if it fits about as well as any: where the optimum has lost a term, a
    lane from anywhere else creeps towards it forever.
    """
    logs = searched_as_logs(law.label_domains)
    vanished = np.any(seeds[..., logs] <= 0, axis=-1)
    order, distinct = _best_once(misfits, vanished)
    count = len(_ranks(seeds.shape[1], n))
    ranks = np.stack([np.resize(_ranks(int(many), n), count) for many in distinct])
    chosen = np.take_along_axis(order, ranks, axis=1)
    leanest, lean_misfit = _leanest(misfits, vanished)
    competes = np.isfinite(lean_misfit) & (lean_misfit <= COMPETES * misfits.min(axis=1)) & (count > 3)
    chosen[competes, -1] = leanest[competes]
    picked = np.take_along_axis(seeds, chosen[..., None], axis=1)
    floor = _usual_size(seeds) * np.full((count, 1), LIFTED)
    floor[competes, -1] *= GONE / LIFTED
    return np.where(logs & (picked <= 0), floor, picked)


def _best_once(misfits: Numbers, vanished: Numbers) -> tuple[Numbers, Numbers]:
    """Seeds of each fit in order, best first, repeated ones last; and how many differ.

    A law with few proposals makes them in turn, so that equal misfits are equal seeds.
    """
    order = np.lexsort((misfits, vanished | ~np.isfinite(misfits)), axis=-1)
    ranked = np.take_along_axis(misfits, order, axis=1)
    with np.errstate(invalid="ignore"):
        again = np.diff(ranked, axis=1, prepend=-1.0) <= SAME * np.abs(ranked)
    order = np.take_along_axis(order, np.argsort(again, axis=1, kind="stable"), axis=1)
    return order, (~again).sum(axis=1)


def _leanest(misfits: Numbers, vanished: Numbers) -> tuple[Numbers, Numbers]:
    """The best of each fit's seeds in which a parameter vanished, and its misfit, infinite without one."""
    of_lean = np.where(vanished, misfits, np.inf)
    return np.argmin(of_lean, axis=1), of_lean.min(axis=1)


def _usual_size(seeds: Numbers) -> Numbers:
    """(fits, 1, labels) the geometric mean of each number over the seeds where it is positive."""
    positive = seeds > 0
    count = positive.sum(axis=1, keepdims=True)
    mean_log = np.log(np.where(positive, seeds, 1.0)).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    return np.where(count > 0, np.exp(mean_log), NEVER_POSITIVE)
