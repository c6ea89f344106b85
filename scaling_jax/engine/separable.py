"""Fits of squared error on raw values, with the numbers that enter a law linearly eliminated.

Given the others these numbers solve a small least-squares problem, some of them non-negative, so the search
moves the others alone: fewer coordinates, steps and starts, and no valley between a term's size and its
exponent. The optimum is that of all numbers together. Variable projection (Golub and Pereyra 1973); the
slopes of the projected residual are Kaufman's (1975), without what vanishes with the residual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import AnyArray, Array, Leaf, Named, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.engine.linear import RIDGE, of_length_one, solve_nonnegative, solve_symmetric
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.problem import Evaluation, LaneData, Problem, evaluate
from scaling_jax.engine.solver import Measure

__all__ = ["completed", "evaluate_projected", "measured", "reduced", "reduced_data", "solved_numbers"]

GONE = 1e-16  # of the target, what a term that vanished is left with


def reduced(problem: Problem, linear: tuple[int, ...]) -> Problem:
    """The same fits in the coordinates that are left when the linear ones are solved for."""
    return replace(problem, data=reduced_data(problem.data, linear), eliminated=linear)


def reduced_data(data: LaneData[AnyArray], linear: tuple[int, ...]) -> LaneData[AnyArray]:
    """The same data with the bounds of the coordinates that are left."""
    left = _left(data.lower.shape[0], linear)
    return data._replace(lower=data.lower[left], upper=data.upper[left])


def _left(labels: int, linear: tuple[int, ...]) -> Numbers:
    return np.delete(np.arange(labels), linear)


def measured(law: Law, on: Scale, eliminated: tuple[int, ...]) -> Measure:
    """What a lane's step asks of a point: the objective there, of the numbers that are not eliminated."""
    return partial(evaluate_projected, law, eliminated) if eliminated else partial(evaluate, law, on)


def completed(law: Law, linear: tuple[int, ...], z: Array, data: LaneData[Array]) -> Array:
    """All search coordinates (labels,), given those that are left (m,): zero where nothing moves."""
    numbers = solved_numbers(law, linear, z, data)
    found = [law.label_domains[i].to_search(numbers[j]) for j, i in enumerate(linear)]
    whole = jnp.zeros(len(law.labels), z.dtype).at[_left(len(law.labels), linear)].set(z)
    whole = whole.at[np.array(linear)].set(jnp.stack(found))
    return jnp.where(jnp.any(data.tie != 0, axis=0), whole, 0.0)


def solved_numbers(law: Law, linear: tuple[int, ...], z: Array, data: LaneData[Array]) -> Array:
    """The linear numbers (linear,) in natural units, given the coordinates that are left (m,).

    In place of a positive one that vanished stands what adds next to nothing to any prediction.
    """
    at = _projected(law, linear, z, data)
    positive = np.array([law.label_domains[i].log for i in linear])
    return jnp.where(positive & (at.numbers <= 0), GONE * at.unit, at.numbers)


def evaluate_projected(
    law: Law, linear: tuple[int, ...], z: Array, data: LaneData[Array]
) -> Evaluation[Array]:
    """Objective, gradient and Gauss-Newton matrix of the projected residual in the coordinates left (m,)."""
    at = _projected(law, linear, z, data)
    predict = _predictor(law, linear, data)
    prediction, push = jax.linearize(lambda left: predict(left, at.numbers), z)
    slopes = jax.vmap(push)(jnp.eye(z.shape[0], dtype=z.dtype))
    used = at.root > 0
    tall = jnp.concatenate(
        [jnp.where(used, slopes, 0.0), jnp.where(used, prediction - data.target, 0.0)[None]]
    )
    tall = tall * at.root
    square, across = tall @ tall.T, at.columns @ tall.T
    m = z.shape[0]
    along = solve_symmetric(at.gram, across)
    gradient = square[:m, m] - across[:, :m].T @ along[:, m]
    curvature = square[:m, :m] - across[:, :m].T @ along[:, :m]
    scale = data.numbers[2]
    return Evaluation(0.5 * scale * square[m, m], scale * gradient, scale * curvature)


class _Projected(NamedTuple, Generic[Leaf]):
    """What the linear numbers are at a point.

    numbers (linear,) in natural units, and the unit of each, with which its column is as long as the target;
    root (rows,) of the weights; columns (linear, rows) of those that move, weighted and of length one, and
    their Gram matrix.
    """

    numbers: Leaf
    unit: Leaf
    root: Leaf
    columns: Leaf
    gram: Leaf


def _predictor(law: Law, linear: tuple[int, ...], data: LaneData[Array]) -> Callable[[Array, Array], Array]:
    """Predictions (rows,) from the coordinates left (m,) and the linear numbers (l,) in natural units."""
    left = _left(len(law.labels), linear)

    def one(numbers: Array, row: Named) -> Array:
        return law.apply(law.unflatten(numbers), row)

    over_rows = jax.vmap(rewrite_powers(one), (None, 0))

    def predict(z: Array, numbers: Array) -> Array:
        x = data.tie[:, left] @ z + data.offset
        natural = [domain.to_natural(x[i]) for i, domain in enumerate(law.label_domains)]
        for j, i in enumerate(linear):
            natural[i] = numbers[j]
        return over_rows(jnp.stack(natural), data.seen)

    return predict


def _projected(law: Law, linear: tuple[int, ...], z: Array, data: LaneData[Array]) -> _Projected[Array]:
    predict = _predictor(law, linear, data)
    free = jnp.stack([jnp.where(data.tie[i, i] != 0, 1.0, 0.0) for i in linear])
    fixed = jnp.stack([law.label_domains[i].to_natural(data.offset[i]) for i in linear])
    held = jnp.where(free > 0, 0.0, fixed)
    base, push = jax.linearize(lambda numbers: predict(z, numbers), held)
    root = jnp.where(data.weight > 0, jnp.sqrt(data.weight) / data.scale, 0.0)
    used = root > 0
    columns, size = of_length_one(jnp.where(used, jax.vmap(push)(jnp.diag(free)), 0.0) * root)
    gap = jnp.where(used, data.target - base, 0.0) * root
    both = columns @ jnp.concatenate([columns, gap[None]]).T
    gram, right = both[:, :-1], both[:, -1]
    signed = np.array([np.isfinite(law.label_domains[i].lower) for i in linear])
    best, _ = solve_nonnegative(gram, right, signed)
    active = jnp.where((best != 0) & (free > 0), 1.0, 0.0)
    gram = gram * active[:, None] * active[None, :] + jnp.diag(1.0 - active + RIDGE)
    unit = jnp.sqrt(jnp.sum(jnp.where(used, data.target * root, 0.0) ** 2)) / size
    numbers = jnp.where(free > 0, best / size, fixed)
    return _Projected(numbers, unit, root, columns * active[:, None], gram)
