"""What a lane evaluates: a batch of fits as arrays, and the value, gradient and curvature of one lane.

Search coordinates z are mapped to the law's own coordinates by `x = tie @ z + offset`: fixing a parameter
empties its row of `tie`, tying two makes them share a column. Both are data, so neither ever recompiles.
Padded rows carry weight 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import PyTreeDef

from scaling_jax.core.arrays import Array, Leaf, Named, Numbers
from scaling_jax.core.counts import deviance_root
from scaling_jax.core.curves import Curve, seen
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.core.overdispersed import charge_root
from scaling_jax.engine.coordinates import named_numbers, to_natural
from scaling_jax.engine.padding import padded
from scaling_jax.engine.pow import rewrite_powers
from scaling_jax.engine.thinning import LONG, representative_rows

__all__ = [
    "Evaluation",
    "LaneData",
    "Problem",
    "Sharing",
    "evaluate",
    "exact_evaluation",
    "residuals",
    "second_derivatives",
]

Sums = TypeVar("Sums")
OfRows = tuple[dict[str, Array], Array, Array, Array]  # inputs, target, weight, scale
BLOCK = 2048  # rows of a long table that are evaluated at a time; divides every padded length above LONG
MOST_PAIRED = 16  # coordinates, up to which second derivatives are cheaper pair by pair


class LaneData(NamedTuple, Generic[Leaf]):
    """What one lane sees of its fit; leaves shared by all lanes lack the lane axis.

    inputs: per input name (rows,); target (rows,), already a logarithm where residuals are; weight (rows,);
    scale (rows,), known standard errors or ones; numbers (3,), the objective's; tie (k, k); offset, lower,
    upper (k,); floor (), an objective value that counts as a perfect fit; curves, by the inputs that hold
    positions in them, fields (curves, knots).
    """

    inputs: dict[str, Leaf]
    target: Leaf
    weight: Leaf
    scale: Leaf
    numbers: Leaf
    tie: Leaf
    offset: Leaf
    lower: Leaf
    upper: Leaf
    floor: Leaf
    curves: dict[str, Curve[Leaf]]

    @property
    def seen(self) -> dict[str, Any]:
        """The inputs as a law takes them, (rows,), and of curves (rows, knots)."""
        return seen(self.inputs, self.curves)


OF_ROWS = ("inputs", "target", "weight", "scale")
OF_FIT = ("weight", "numbers", "tie", "offset", "floor")


class Sharing(NamedTuple):
    """Which leaves of `LaneData` each fit owns, in a form that compiled programs are kept by."""

    flags: tuple[bool, ...]
    structure: PyTreeDef

    @property
    def axes(self) -> LaneData[int | None]:
        """The axes for `jax.vmap` over lanes: 0 where a fit owns the leaf, None where all share it."""
        return jax.tree.unflatten(self.structure, [0 if own else None for own in self.flags])


class Evaluation(NamedTuple, Generic[Leaf]):
    """Objective (), its gradient (k,), and a curvature matrix (k, k), in search coordinates."""

    value: Leaf
    gradient: Leaf
    curvature: Leaf


@dataclass(frozen=True, eq=False)
class Problem:
    """A batch of fits of one law: LaneData whose leaves have a fit axis, or lack it where all fits share one.

    Fits that draw their rows from one table hold positions into it instead of copies: then `rows` is given,
    the leaves inputs, target, weight and scale may be the table's columns (the last row of which is padding),
    and a lane gathers its own.

    Args:
        law: the law.
        on: what residuals are (`core.objective.Scale`).
        n_fits: how many fits.
        data: the arrays (NumPy); rows are padded to a bucket.
        per_fit: LaneData of booleans, true where the leaf differs from fit to fit.
        rows: (fits, rows) positions into the table's columns, or None where the leaves hold every fit's rows.
        eliminated: numbers that are solved for at every point of the others (`separable`), which alone are
            coordinates then.
    """

    law: Law
    on: Scale
    n_fits: int
    data: LaneData[Numbers]
    per_fit: LaneData[bool]
    rows: Numbers | None = None
    eliminated: tuple[int, ...] = ()

    @property
    def n_rows(self) -> int:
        return self.data.weight.shape[-1] if self.rows is None else self.rows.shape[-1]

    @property
    def n_coordinates(self) -> int:
        return len(self.coordinate_domains)

    @property
    def coordinate_domains(self) -> list[Domain]:
        """The domains of the numbers that are coordinates."""
        return [d for i, d in enumerate(self.law.label_domains) if i not in self.eliminated]

    def lane_data(self, fits: Numbers | int) -> LaneData[Numbers]:
        """The data of fits, an index or one per lane; leaves that all fits share pass through."""
        rows = fits if self.rows is None else self.rows[fits]

        def of_lanes(name: str) -> Numbers | dict[str, Numbers]:
            def take(leaf: Numbers, own: bool) -> Numbers:
                if not own:
                    return leaf
                return leaf[rows] if name in OF_ROWS and leaf.ndim == 1 else leaf[fits]

            return jax.tree.map(take, getattr(self.data, name), getattr(self.per_fit, name))

        return LaneData._make(map(of_lanes, LaneData._fields))

    def thinned(self, most: int) -> Problem:
        """The same fits on at most so many of their rows, evenly spaced: enough to choose starts by."""
        if self.rows is None or self.n_rows <= most:
            return self
        used = np.sum(self.rows < len(self.data.target) - 1, axis=1, keepdims=True)
        at = np.where(used > most, np.arange(most) * used // most, np.arange(most))
        weight = self.data.weight
        if weight.ndim > 1:
            weight = np.take_along_axis(weight, at, axis=1)
        scale = self.data.scale if self.per_fit.scale else self.data.scale[:most]
        return replace(
            self,
            rows=np.take_along_axis(self.rows, at, axis=1),
            data=self.data._replace(weight=weight, scale=scale),
        )

    def represented(self, most: int, order: Numbers | None = None) -> Problem:
        """The same fits on `most` rows that stand for all of theirs (`representative_rows`)."""
        if self.n_rows <= most:
            return self
        if self.rows is not None:
            return self._each_represented(most)
        mean = np.atleast_2d(self.data.weight).mean(axis=0)
        at, factor = representative_rows(mean, self.data.inputs, most, order)
        at, factor = padded(at, most), np.append(factor, np.zeros(most - len(at)))

        def of_rows(leaf: Numbers, own: bool) -> Numbers:
            return leaf[..., at] if own else leaf[at]

        cut = {
            name: jax.tree.map(of_rows, getattr(self.data, name), getattr(self.per_fit, name))
            for name in OF_ROWS
        }
        return replace(self, data=self.data._replace(**cut | {"weight": cut["weight"] * factor}))

    def _each_represented(self, most: int) -> Problem:
        """The same for fits that hold positions in a table: each is given rows and weights of its own."""
        assert self.rows is not None
        rows = np.full((self.n_fits, most), len(self.data.target) - 1, dtype=self.rows.dtype)
        weights = np.zeros((self.n_fits, most))
        for f in range(self.n_fits):
            one = self.lane_data(f)
            at, factor = representative_rows(one.weight, one.inputs, most)
            rows[f, : len(at)], weights[f, : len(at)] = self.rows[f, at], one.weight[at] * factor
        scale = self.data.scale if self.per_fit.scale else self.data.scale[:most]
        return replace(self, rows=rows, data=self.data._replace(weight=weights, scale=scale))

    def owned(self) -> Problem:
        """The same fits, each with its own OF_FIT leaves: so all small work shares programs."""
        if self.rows is not None:
            return self

        def own(name: str) -> Numbers | dict[str, Numbers]:
            leaf = getattr(self.data, name)
            if name not in OF_FIT or getattr(self.per_fit, name):
                return leaf
            return np.broadcast_to(leaf, (self.n_fits, *np.shape(leaf)))

        flags = (name in OF_FIT or getattr(self.per_fit, name) for name in LaneData._fields)
        return replace(
            self,
            data=LaneData._make(map(own, LaneData._fields)),
            per_fit=LaneData._make(flags),
        )

    @property
    def sharing(self) -> Sharing:
        """Which leaves each fit owns."""
        flags, structure = jax.tree.flatten(self.per_fit)
        return Sharing(tuple(flags), structure)

    def natural_numbers(self, z: Numbers) -> Numbers:
        """A point per fit in search coordinates, (fits, k), as natural parameters, (fits, labels)."""
        x = np.einsum("...ij,...j->...i", self.data.tie, z) + self.data.offset
        return to_natural(self.law.label_domains, x)

    def with_numbers(self, numbers: Numbers) -> Problem:
        """The same batch under other objectives, (fits, 3)."""
        many = self.n_fits > 1
        numbers = np.asarray(numbers, dtype=np.float64).reshape(-1, 3)
        return replace(
            self,
            data=self.data._replace(numbers=numbers if many else numbers[0]),
            per_fit=self.per_fit._replace(numbers=many),
        )


def residuals(law: Law, on: Scale, x: Array, data: LaneData[Array]) -> Array:
    """Scaled residuals (rows,) at the law's own coordinates."""

    def predict(coordinates: Array, row: Named) -> Array:
        return law.apply(named_numbers(law, coordinates), row)

    prediction = jax.vmap(rewrite_powers(predict), (None, 0))(x, data.seen)
    if on == "counts":
        return deviance_root(prediction, data.target) / data.scale
    if on == "overdispersed":
        return charge_root(prediction, data.target, jnp.round(data.scale**-2), x[-1])
    return ((jnp.log(prediction) if on == "log" else prediction) - data.target) / data.scale


def _charge(r: Array, numbers: Array) -> tuple[Array, Array, Array]:
    """rho and its first and second derivative at residuals r."""
    delta, over, scale = numbers
    side = scale * jnp.where(r > 0, over, 1.0)
    size = jnp.abs(r)
    inner = jnp.minimum(size, delta)
    return (
        side * inner * (size - 0.5 * inner),
        side * jnp.clip(r, -delta, delta),
        jnp.where(size <= delta, side, 0.0),
    )


def _root(r: Array, numbers: Array) -> tuple[Array, Array]:
    """The square-root residual, sqrt(2 rho) with the sign of r, and its slope: rho is half its square."""
    delta, over, scale = numbers
    side = scale * jnp.where(r > 0, over, 1.0)
    size = jnp.abs(r)
    inner = jnp.minimum(size, delta)
    slope = jnp.where(size <= delta, side, side * inner / (2 * size - inner))
    return jnp.sign(r) * jnp.sqrt(side * inner * (2 * size - inner)), jnp.sqrt(slope)


def _linearized(law: Law, on: Scale, z: Array, data: LaneData[Array]) -> tuple[Array, Array, Array]:
    """The law's own coordinates, the residuals (rows,) and their Jacobian (k, rows) there."""
    x = data.tie @ z + data.offset
    r, push = jax.linearize(lambda coordinates: residuals(law, on, coordinates, data), x)
    return x, r, jax.vmap(push)(jnp.eye(x.shape[0], dtype=x.dtype))


def _pull_back(data: LaneData[Array], value: Array, gradient: Array, curvature: Array) -> Evaluation[Array]:
    """From the law's own coordinates to those of the search."""
    return Evaluation(value, data.tie.T @ gradient, data.tie.T @ curvature @ data.tie)


def _over_rows(sums: Callable[[LaneData[Array]], Sums], data: LaneData[Array]) -> Sums:
    """Sums over rows; those of a long table block by block, so that memory does not grow with it."""
    n_rows = data.weight.shape[-1]
    if n_rows <= LONG:
        return sums(data)

    def cut(leaf: Array) -> Array:
        return leaf.reshape(n_rows // BLOCK, BLOCK)

    def of(block: OfRows) -> Sums:
        inputs, target, weight, scale = block
        return sums(data._replace(inputs=inputs, target=target, weight=weight, scale=scale))

    def add(total: Sums, block: OfRows) -> tuple[Sums, None]:
        return jax.tree.map(jnp.add, total, of(block)), None

    blocks = jax.tree.map(cut, (data.inputs, data.target, data.weight, data.scale))
    shapes = jax.eval_shape(of, jax.tree.map(lambda leaf: leaf[0], blocks))
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return jax.lax.scan(add, nothing, blocks)[0]


def evaluate(law: Law, on: Scale, z: Array, data: LaneData[Array]) -> Evaluation[Array]:
    """Objective, gradient, and Gauss-Newton matrix of the square-root residual: a matrix times itself."""
    k = z.shape[0]

    def sums(data: LaneData[Array]) -> Array:
        _, r, jacobian = _linearized(law, on, z, data)
        root, slope = _root(r, data.numbers)
        weight = jnp.sqrt(data.weight)
        tall = jnp.where(data.weight > 0, weight * jnp.concatenate([jacobian * slope, root[None]]), 0.0)
        return tall @ tall.T

    square = _over_rows(sums, data)
    return _pull_back(data, 0.5 * square[k, k], square[:k, k], square[:k, :k])


def second_derivatives(fn: Callable[[Array], Array], x: Array) -> Array:
    """The Hessian (k, k) of a scalar function: every pair of directions once.

    Of many coordinates it is one slope of the gradient each.
    """
    if len(x) > MOST_PAIRED:
        turned = jax.linearize(jax.grad(fn), x)[1]
        return jax.vmap(turned)(jnp.eye(len(x), dtype=x.dtype))
    first, second = np.triu_indices(len(x))
    directions = jnp.eye(len(x), dtype=x.dtype)

    def bend(i: Array, j: Array) -> Array:
        def slope(x: Array) -> Array:
            return jax.jvp(fn, (x,), (directions[i],))[1]

        return jax.jvp(slope, (x,), (directions[j],))[1]

    upper = (
        jnp.zeros((len(x), len(x)), x.dtype)
        .at[first, second]
        .set(jax.vmap(bend)(jnp.asarray(first), jnp.asarray(second)))
    )
    return upper + jnp.triu(upper, 1).T


def exact_evaluation(law: Law, on: Scale, z: Array, data: LaneData[Array]) -> Evaluation[Array]:
    """Objective, gradient, and the exact Hessian (that of the law included)."""

    def sums(data: LaneData[Array]) -> tuple[Array, Array, Array]:
        x, r, jacobian = _linearized(law, on, z, data)
        keep = data.weight > 0
        rho, slope, bend = (jnp.where(keep, data.weight * part, 0.0) for part in _charge(r, data.numbers))
        jacobian = jnp.where(keep, jacobian, 0.0)
        push = jax.lax.stop_gradient(slope)

        def weighted(coordinates: Array) -> Array:
            return jnp.sum(jnp.where(keep, push * residuals(law, on, coordinates, data), 0.0))

        curved = second_derivatives(weighted, x)
        return jnp.sum(rho), jacobian @ slope, (jacobian * bend) @ jacobian.T + curved

    return _pull_back(data, *_over_rows(sums, data))
