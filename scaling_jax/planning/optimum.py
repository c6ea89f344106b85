"""The best run under a cost and limits, for many parameter vectors and budgets at once.

    min L(x) where c(x) <= C,    or    min c(x) where L(x) <= l,    and low_j <= g_j(x) <= high_j

Inputs are searched as logarithms. A scan of the whole range finds the basin, a primal-dual interior-point
Newton method goes to its bottom, and the residual of the first-order conditions says whether it got there. In
logarithms sums of powers are convex, so there is one bottom; laws with saturations may have several, and then
the scan decides and tells how many it saw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import AnyArray, Array, Named, Numbers
from scaling_jax.core.law import Law
from scaling_jax.engine import compiled
from scaling_jax.engine.kept import kept
from scaling_jax.engine.linear import solve_definite
from scaling_jax.engine.padding import padded
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.planning.cost import Cost, Formula

__all__ = ["FAR", "Lanes", "Optimum", "Shape", "solve"]

FAR = (-35.0, 100.0)  # of a logarithm: where an input without limits is given up
PATH_NODES = {0: 1, 1: 96, 2: 36, 3: 13, 4: 8}  # nodes per input of the first scan, by inputs scanned
WHOLE_NODES = {1: 160, 2: 56, 3: 17, 4: 9, 5: 6}
ZOOM_NODES = {1: 12, 2: 6, 3: 4, 4: 3, 5: 3}
NEAR_EDGE = 1.0
SPENDING_STEPS = 2
MOST_STEPS = 80
SHIFTS = (0.0, 0.03, 0.3, 1.1)  # of the largest curvature that a Hessian can have
STEP = 2.0  # the longest step of a logarithm
TOLERANCE = 1e-12
STEADY = 1e-10  # a constraint is never stiffer than one over this
SIZES = (8, 64, 2**10)  # lanes of one call: few, so that few programs compile
CELLS = 2**18  # nodes times lanes of one call
INFEASIBLE = 1e30


@dataclass(frozen=True)
class Shape:
    """What a program is compiled for; everything that is a number is data.

    Args:
        law: the law.
        cost: its form, numbers left open.
        free: inputs that are chosen.
        logs: which of them are searched as logarithms.
        fixed: inputs whose values are given, those of cost and limits included.
        defined: inputs that are formulas of others, in an order that can be computed.
        limits: formulas that stay between two values, as logarithms.
        pivot: position of the free input that spends what is left of the budget.
        reach: whether a loss is to be reached at least cost, and not a budget to be spent.
        sign: 1 where less of what the law predicts is better, -1 where more is.
    """

    law: Law
    cost: Cost
    free: tuple[str, ...]
    logs: tuple[bool, ...]
    fixed: tuple[str, ...]
    defined: tuple[tuple[str, Formula], ...]
    limits: tuple[Formula, ...]
    pivot: int
    reach: bool
    sign: float


class Lanes(NamedTuple, Generic[AnyArray]):
    """The numbers of problems, a row each: natural units.

    Args:
        numbers: (lanes, labels) parameters of the law.
        goal: (lanes,) the budget, or the loss to reach.
        fixed: (lanes, fixed).
        low, high: (lanes, free); infinite or zero where there is no limit.
        least, most: (lanes, limits).
    """

    numbers: AnyArray
    goal: AnyArray
    fixed: AnyArray
    low: AnyArray
    high: AnyArray
    least: AnyArray
    most: AnyArray


class Optimum(NamedTuple, Generic[AnyArray]):
    """Best runs, a row each; NaN where there is none.

    Args:
        inputs: (lanes, free) natural units.
        loss, spent: (lanes,) of what the law predicts, and of cost.
        slopes: (lanes, free) d ln x* / d ln C, or d ln x* / dl where a loss is reached.
        worth: (lanes,) -dL / d ln C at the optimum.
        price_low, price_high: (lanes, free) -dL for every e-fold by which that limit is relaxed.
        price_least, price_most: (lanes, limits) the same.
        residual: (lanes,) of the first-order conditions, relative.
        basins: (lanes,) local optima that the scan saw.
        feasible: (lanes,) whether limits and goal can be met together.
        inside: (lanes,) whether the optimum is one, and not the end of all that was looked at.
    """

    inputs: AnyArray
    loss: AnyArray
    spent: AnyArray
    slopes: AnyArray
    worth: AnyArray
    price_low: AnyArray
    price_high: AnyArray
    price_least: AnyArray
    price_most: AnyArray
    residual: AnyArray
    basins: AnyArray
    feasible: AnyArray
    inside: AnyArray


def solve(shape: Shape, lanes: Lanes[Numbers], cost_numbers: Numbers) -> Optimum[Numbers]:
    """The best run of every lane."""
    count = len(lanes.numbers)
    nodes = (WHOLE_NODES if shape.reach else PATH_NODES)[_scanned(shape)] ** _scanned(shape)
    most = max(SIZES[0], min(SIZES[-1], CELLS // nodes))
    size = next(size for size in SIZES if size >= min(count, most) or size >= most)
    parts, program = [], _program(shape, size < SIZES[-1])
    with jax.enable_x64(True):
        shared = jnp.asarray(cost_numbers, dtype=jnp.float64)
        for first in range(0, count, size):
            part = [np.asarray(values, dtype=np.float64)[first : first + size] for values in lanes]
            here = len(part[0])
            filled = [jnp.asarray(padded(values, size)) for values in part]
            parts.append([np.asarray(out)[:here] for out in program(Lanes(*filled), shared)])
    return Optimum(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _scanned(shape: Shape) -> int:
    return len(shape.free) if shape.reach else len(shape.free) - 1


@kept
def _program(shape: Shape, few: bool) -> Callable[[Lanes[Array], Array], Optimum[Array]]:
    best = jax.vmap(lambda lane, cost_numbers: _best(shape, lane, cost_numbers), (0, None))
    return compiled.Program(best, compiled.INSTANT if few else compiled.QUICK)


class _Run(NamedTuple):
    """One problem: functions of the search coordinates z (free,)."""

    loss: Callable[[Array], Array]
    log_cost: Callable[[Array], Array]
    limits: Callable[[Array], Array]


def _run_of(shape: Shape, lane: Lanes[Array], cost_numbers: Array) -> _Run:
    def inputs(z: Array) -> Named:
        found = dict(zip(shape.fixed, lane.fixed, strict=True))
        for i, name in enumerate(shape.free):
            found[name] = jnp.exp(z[i]) if shape.logs[i] else z[i]
        for name, formula in shape.defined:
            found[name] = formula.value(found)
        return found

    params = shape.law.unflatten(lane.numbers)

    def loss(z: Array) -> Array:
        return shape.sign * shape.law.apply(params, inputs(z))

    def log_cost(z: Array) -> Array:
        return jnp.log(shape.cost.value(inputs(z), cost_numbers))

    def limits(z: Array) -> Array:
        found = inputs(z)
        return jnp.log(jnp.stack([formula.value(found) for formula in shape.limits]))

    none = (lambda z: jnp.zeros(0)) if not shape.limits else rewrite_powers(limits)
    return _Run(rewrite_powers(loss), rewrite_powers(log_cost), none)


class _Box(NamedTuple):
    """Ends of the search coordinates, and which of them are the user's."""

    low: Array
    high: Array
    given_low: Array
    given_high: Array


def _box(shape: Shape, lane: Lanes[Array]) -> _Box:
    logs = np.array(shape.logs)
    given_low = jnp.where(logs, lane.low > 0, jnp.isfinite(lane.low))
    given_high = jnp.isfinite(lane.high)
    low = jnp.where(logs, jnp.log(jnp.where(given_low, lane.low, 1.0)), lane.low)
    high = jnp.where(logs, jnp.log(jnp.where(given_high, lane.high, 1.0)), lane.high)
    return _Box(jnp.where(given_low, low, FAR[0]), jnp.where(given_high, high, FAR[1]), given_low, given_high)


def _best(shape: Shape, lane: Lanes[Array], cost_numbers: Array) -> Optimum[Array]:
    run, box = _run_of(shape, lane, cost_numbers), _box(shape, lane)
    least, most = (jnp.log(jnp.maximum(ends, 0.0)) for ends in (lane.least, lane.most))
    least, most = jnp.maximum(least, -1e3), jnp.minimum(most, 1e3)
    goal = jnp.asarray(shape.sign * lane.goal if shape.reach else jnp.log(lane.goal))
    start, basins, found = _scan(shape, run, box, least, most, goal)
    return _descend(shape, run, box, least, most, goal, start, basins, found)


def _scan(
    shape: Shape, run: _Run, box: _Box, least: Array, most: Array, goal: Array
) -> tuple[Array, Array, Array]:
    """Where the best node lies (free,), how many local optima there are, and whether any node is admissible.

    A budget is spent along a path: the pivot takes what the other inputs leave, so one input fewer is
    scanned.
    """
    free = len(shape.free)
    axes = [i for i in range(free) if shape.reach or i != shape.pivot]
    one_hot = np.eye(free)[shape.pivot]

    def placed(others: Array) -> Array:
        z = jnp.clip(jnp.zeros(free), box.low, box.high)
        for k, i in enumerate(axes):
            z = jnp.where(np.arange(free) == i, others[k], z)
        if shape.reach:
            return z
        return jax.lax.fori_loop(0, SPENDING_STEPS, spend, z)

    def spend(_: int, z: Array) -> Array:
        spent, slope = jax.jvp(run.log_cost, (z,), (jnp.asarray(one_hot),))
        step = jnp.where(slope > 0, (goal - spent) / jnp.where(slope > 0, slope, 1.0), 0.0)
        return jnp.clip(z + one_hot * jnp.where(jnp.isfinite(step), step, 0.0), box.low, box.high)

    def score(others: Array) -> tuple[Array, Array]:
        z = placed(others)
        spent, loss, limits = run.log_cost(z), run.loss(z), run.limits(z)
        value, over = (spent, loss - goal) if shape.reach else (loss, spent - goal)
        over = jnp.maximum(over - 1e-9, 0.0)
        over = over + jnp.sum(jnp.maximum(limits - most, 0.0) + jnp.maximum(least - limits, 0.0))
        value = jnp.where(over > 0, INFEASIBLE * (1 + over), value)
        return jnp.where(jnp.isfinite(value), value, jnp.inf), z

    chosen = np.array(axes, dtype=int)
    low, high = box.low[chosen], box.high[chosen]
    count = (WHOLE_NODES if shape.reach else PATH_NODES)[len(axes)]
    nodes = low + (high - low) * _grid(count, len(axes))
    values, places = jax.vmap(score)(nodes)
    basins = jnp.ones(()) if shape.reach else _valleys(values.reshape((count,) * len(axes)))
    at, best, z = nodes[jnp.argmin(values)], jnp.min(values), places[jnp.argmin(values)]
    if axes:
        spacing = (high - low) / (count - 1)
        low, high = jnp.maximum(low, at - spacing), jnp.minimum(high, at + spacing)
        values, places = jax.vmap(score)(low + (high - low) * _grid(ZOOM_NODES[len(axes)], len(axes)))
        z = jnp.where(jnp.min(values) < best, places[jnp.argmin(values)], z)
        best = jnp.minimum(best, jnp.min(values))
    return z, basins, best < INFEASIBLE


def _grid(count: int, axes: int) -> Numbers:
    """Nodes of the unit cube."""
    unit = np.meshgrid(*[np.linspace(0, 1, count)] * axes, indexing="ij")
    return np.stack([axis.ravel() for axis in unit], axis=1) if axes else np.zeros((1, 0))


def _valleys(values: Array) -> Array:
    """How many nodes of a path are lower than both their neighbours; scans of more inputs are too coarse."""
    if values.ndim != 1:
        return jnp.ones(())
    left, right = jnp.roll(values, 1).at[0].set(jnp.inf), jnp.roll(values, -1).at[-1].set(jnp.inf)
    return jnp.maximum(jnp.sum((values < INFEASIBLE) & (values < left) & (values < right)), 1).astype(float)


class _Point(NamedTuple):
    """Where the interior-point method stands: coordinates, slacks, multipliers, and what was seen there."""

    z: Array
    slack: Array
    dual: Array
    constraint: Array
    jacobian: Array
    hessian: Array
    residual: Array
    steps: Array


def _descend(
    shape: Shape,
    run: _Run,
    box: _Box,
    least: Array,
    most: Array,
    goal: Array,
    start: Array,
    basins: Array,
    found: Array,
) -> Optimum[Array]:
    """From the start to the point where the first-order conditions hold.

    Constraints in order: the goal, lower ends, upper ends, least and most of the limits. A limit whose two
    ends are one is an equality: it has no slack, and its multiplier any sign.
    """
    free, limits = len(shape.free), len(shape.limits)
    eye = np.eye(free)
    unit = jnp.max(jnp.abs(jax.grad(run.loss)(start)))
    unit = jnp.where(jnp.isfinite(unit) & (unit > 0), unit, 1.0)
    exact = least == most
    held = jnp.concatenate([jnp.zeros(1 + 2 * free, dtype=bool), jnp.zeros(limits, dtype=bool), exact])
    kept = jnp.concatenate([jnp.ones(1 + 2 * free, dtype=bool), ~exact, jnp.ones(limits, dtype=bool)])

    def objective(z: Array) -> Array:
        return run.log_cost(z) if shape.reach else run.loss(z) / unit

    def curved(z: Array) -> Array:
        """The constraints that are not boxes: the goal, least, most."""
        main = (run.loss(z) - goal) / unit if shape.reach else run.log_cost(z) - goal
        g = run.limits(z)
        return jnp.concatenate([main[None], least - g, g - most])

    def all_constraints(z: Array, bent: Array) -> Array:
        return jnp.where(kept, jnp.concatenate([bent[:1], box.low - z, z - box.high, bent[1:]]), -1.0)

    def lagrangian(z: Array, dual: Array) -> Array:
        bent = jnp.concatenate([dual[:1], dual[1 + 2 * free :]])
        return objective(z) + jnp.dot(bent, curved(z))

    def derivatives(z: Array, dual: Array) -> tuple[Array, Array, Array, Array]:
        gradient = jax.grad(objective)(z)
        bent, rows = curved(z), jax.jacfwd(curved)(z)
        jacobian = jnp.concatenate([rows[:1], -eye, eye, rows[1:]])
        hessian = jax.jacfwd(jax.grad(lagrangian))(z, dual)
        return gradient, all_constraints(z, bent), jnp.where(kept[:, None], jacobian, 0.0), hessian

    def newton(point: _Point) -> _Point:
        z, slack, dual = point.z, point.slack, point.dual
        gradient, constraint, jacobian, hessian = derivatives(z, dual)
        stationary = gradient + jacobian.T @ dual
        missed = jnp.max(jnp.where(held, jnp.abs(constraint), jnp.maximum(constraint, 0.0)))
        loose = jnp.max(jnp.where(held | ~kept, 0.0, dual * jnp.abs(constraint)))
        size = jnp.maximum(1.0, jnp.max(jnp.abs(gradient)))
        residual = jnp.maximum(jnp.max(jnp.abs(stationary)) / size, jnp.maximum(missed, loose))
        products = jnp.where(held | ~kept, 0.0, slack * dual)
        mean = jnp.sum(products) / jnp.sum(~held & kept)
        barrier = jnp.maximum(0.1 * jnp.minimum(mean, mean**1.5), 1e-16)
        stiff = jnp.where(held, 1 / STEADY, 1 / (slack / dual + STEADY))
        pull = jnp.where(held, constraint, constraint + barrier / dual)
        right = -stationary - jacobian.T @ (stiff * pull)
        dz = _descent(hessian, (jacobian.T * stiff) @ jacobian, right)
        dz = dz * jnp.minimum(1.0, STEP / jnp.maximum(jnp.max(jnp.abs(dz)), 1e-300))
        dual_step = stiff * (jacobian @ dz + pull)
        slack_step = jnp.where(held, 0.0, (barrier - slack * dual - slack * dual_step) / dual)
        keep = jnp.maximum(0.9, 1 - mean)
        near = _longest(slack, slack_step, held | ~kept, keep)
        high = _longest(dual, dual_step, held | ~kept, keep)
        slack = jnp.where(held, 0.0, jnp.where(kept, slack + near * slack_step, 1.0))
        dual = jnp.where(held, dual + dual_step, jnp.where(kept, dual + high * dual_step, 1e-16))
        dual = jnp.where(held, dual, jnp.maximum(dual, 1e-18))
        here = _Point(z, point.slack, point.dual, constraint, jacobian, hessian, residual, point.steps)
        moved = here._replace(z=z + near * dz, slack=slack, dual=dual, steps=point.steps + 1)
        return jax.tree.map(lambda old, new: jnp.where(residual < TOLERANCE, old, new), here, moved)

    def going(point: _Point) -> Array:
        return (point.steps < MOST_STEPS) & ~(point.residual < TOLERANCE)

    first = all_constraints(start, curved(start))
    slack = jnp.where(held, 0.0, jnp.maximum(-first, 0.05))
    dual = jnp.where(held, 0.0, jnp.where(kept, jnp.minimum(0.02 / jnp.maximum(slack, 1e-3), 0.5), 1e-16))
    unseen = jnp.zeros((len(first), free))
    point = _Point(
        start, slack, dual, first, unseen, jnp.zeros((free, free)), jnp.asarray(jnp.inf), jnp.zeros(())
    )
    point = jax.lax.while_loop(going, newton, point)
    return _told(shape, run, box, unit, held, kept, goal, point, basins, found)


def _descent(hessian: Array, stiff: Array, right: Array) -> Array:
    """The Newton step of a matrix made definite, by as little of the identity as is tried to do it."""
    size = hessian.shape[0] * jnp.max(jnp.abs(hessian))
    tried = jnp.asarray(SHIFTS) * size + 1e-14
    matrices = (hessian + stiff) + tried[:, None, None] * np.eye(hessian.shape[0])
    steps, definite = jax.vmap(solve_definite, (0, None))(matrices, right[:, None])
    good = definite & jnp.isfinite(steps).all(axis=(1, 2))
    return jnp.where(good.any(), steps[jnp.argmax(good), :, 0], jnp.zeros_like(right))


def _longest(values: Array, step: Array, ignored: Array, keep: Array) -> Array:
    """The share of a step that leaves all values positive."""
    shrinking = ~ignored & (step < 0)
    return jnp.minimum(
        1.0, keep * jnp.min(jnp.where(shrinking, -values / jnp.where(shrinking, step, 1.0), jnp.inf))
    )


def _told(
    shape: Shape,
    run: _Run,
    box: _Box,
    unit: Array,
    held: Array,
    kept: Array,
    goal: Array,
    point: _Point,
    basins: Array,
    found: Array,
) -> Optimum[Array]:
    """What is said of the point that was reached."""
    free, limits = len(shape.free), len(shape.limits)
    z, dual = point.z, point.dual
    binding = held | (kept & (dual > point.slack))
    slopes = _along(point.hessian, jnp.where(binding[:, None], point.jacobian, 0.0))
    slopes = slopes / unit if shape.reach else slopes
    per_dual = jnp.where(dual[0] > 0, unit / jnp.maximum(dual[0], 1e-300), jnp.inf) if shape.reach else unit
    worth = per_dual if shape.reach else unit * dual[0]
    price = jnp.where(kept, dual * per_dual, 0.0)
    lower, upper = price[1 : 1 + free], price[1 + free : 1 + 2 * free]
    few, many = price[1 + 2 * free : 1 + 2 * free + limits], price[1 + 2 * free + limits :]
    at_edge = (~box.given_low & (z < box.low + NEAR_EDGE)) | (~box.given_high & (z > box.high - NEAR_EDGE))
    missed = jnp.max(jnp.where(held, jnp.abs(point.constraint), jnp.maximum(point.constraint, 0.0)))
    feasible = (found | (missed < 1e-7)) & jnp.isfinite(point.residual)
    inside = ~jnp.any(at_edge)
    good = feasible & inside & (point.residual < 1e-6)
    z = _spent_exactly(shape, run, z, goal, dual, box)
    natural = jnp.where(np.array(shape.logs), jnp.exp(z), z)
    loss, spent = shape.sign * run.loss(z), jnp.exp(run.log_cost(z))
    there = [natural, loss, spent, slopes, worth, lower, upper, few, many]
    told = [jnp.where(good, value, jnp.nan) for value in there]
    return Optimum(*[*told, point.residual, basins, feasible, inside])


def _along(hessian: Array, binding: Array) -> Array:
    """How the optimum moves with the right-hand side of its first constraint, the binding ones kept.

    An augmented Lagrangian in a few steps, each of which leaves a ten-thousandth of the error: a matrix as
    stiff as the constraints are would drown the curvature in rounding.
    """
    stiff = 1e4 * jnp.max(jnp.abs(hessian))
    matrix = hessian + stiff * binding.T @ binding + 1e-14 * np.eye(hessian.shape[0])
    wanted = jnp.asarray(np.eye(len(binding))[0])
    step, dual = jnp.zeros(hessian.shape[0]), jnp.zeros(len(binding))
    inverse, _ = solve_definite(matrix, np.eye(hessian.shape[0]))
    for _ in range(4):
        step = inverse @ (binding.T @ (stiff * wanted - dual))
        dual = dual + stiff * (binding @ step - wanted)
    return step


def _spent_exactly(shape: Shape, run: _Run, z: Array, goal: Array, dual: Array, box: _Box) -> Array:
    """The point with what rounding left of the budget spent by the pivot, where the budget binds."""
    if shape.reach:
        return z
    one_hot = jnp.asarray(np.eye(len(shape.free))[shape.pivot])
    spent, slope = jax.jvp(run.log_cost, (z,), (one_hot,))
    step = jnp.where((dual[0] > 1e-6) & (slope > 0), (goal - spent) / jnp.where(slope > 0, slope, 1.0), 0.0)
    return z + one_hot * jnp.where(jnp.abs(step) < 1e-8, step, 0.0)
