"""What a lane evaluates: a batch of fits as arrays, and the value, gradient and curvature of one lane.

Search coordinates z are mapped to the law's own coordinates by `x = tie @ z + offset`: fixing a parameter
empties its row of `tie`, tying two makes them share a column. Both are data, so neither ever recompiles.
Padded rows carry weight 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.pow import rewrite_powers

__all__ = ["Evaluation", "LaneData", "Problem", "bucket", "evaluate", "exact_evaluation", "natural"]

ROW_BUCKETS = sorted({int(base * 2**p) for p in range(3, 24) for base in (1, 1.5)})


def bucket(n: int, smallest: int = 8) -> int:
    """The padded size for n items: a power of two or one and a half of it, so that near sizes share a
    program."""
    return next(b for b in ROW_BUCKETS if b >= max(n, smallest))


class LaneData(NamedTuple):
    """What one lane sees of its fit; leaves shared by all lanes lack the lane axis.

    inputs: per input name (rows,); target (rows,), already a logarithm where residuals are; weight (rows,);
    scale (rows,), known standard errors or ones; numbers (3,), the objective's; tie (k, k); offset, lower,
    upper (k,); floor (), an objective value that counts as a perfect fit.
    """

    inputs: dict[str, Any]
    target: Any
    weight: Any
    scale: Any
    numbers: Any
    tie: Any
    offset: Any
    lower: Any
    upper: Any
    floor: Any


OF_ROWS = ("inputs", "target", "weight", "scale")
OF_FIT = ("weight", "numbers", "tie", "offset", "floor")


@dataclass(frozen=True)
class Problem:
    """A batch of fits of one law: LaneData whose leaves have a leading fit axis, or lack it where all fits
    share one.

    Fits that draw their rows from one table hold positions into it instead of copies: then `rows` is given,
    the leaves inputs, target, weight and scale may be the table's columns (the last row of which is padding),
    and a lane gathers its own.

    Args:
        law: the law.
        on_log: whether residuals are differences of logarithms.
        n_fits: how many fits.
        data: the arrays (NumPy); rows are padded to a bucket.
        per_fit: LaneData of booleans, true where the leaf differs from fit to fit.
        rows: (fits, rows) positions into the table's columns, or None where the leaves hold every fit's rows.
    """

    law: Law
    on_log: bool
    n_fits: int
    data: LaneData
    per_fit: LaneData
    rows: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        return self.data.weight.shape[-1] if self.rows is None else self.rows.shape[-1]

    @property
    def n_coordinates(self) -> int:
        return len(self.law.labels)

    def lane_data(self, fits: Any) -> LaneData:
        """The data of the given fits (an index or an array of them, one per lane); shared leaves pass
        through."""
        rows = fits if self.rows is None else self.rows[fits]

        def of_lanes(name: str) -> Any:
            def take(leaf: Any, own: bool) -> Any:
                return (leaf[rows] if name in OF_ROWS and leaf.ndim == 1 else leaf[fits]) if own else leaf

            return jax.tree.map(take, getattr(self.data, name), getattr(self.per_fit, name))

        return LaneData(*map(of_lanes, LaneData._fields))

    def thinned(self, most: int) -> Problem:
        """The same fits on about `most` of their rows, evenly spaced, which is enough to choose starts by."""
        if self.rows is None or self.n_rows <= most:
            return self
        used = np.sum(self.rows < len(self.data.target) - 1, axis=1, keepdims=True)
        at = np.arange(most) * used // most
        weight = (
            self.data.weight
            if self.data.weight.ndim == 1
            else np.take_along_axis(self.data.weight, at, axis=1)
        )
        scale = self.data.scale if self.per_fit.scale else self.data.scale[:most]
        return replace(
            self,
            rows=np.take_along_axis(self.rows, at, axis=1),
            data=self.data._replace(weight=weight, scale=scale),
        )

    def owned(self) -> Problem:
        """The same fits with a weight, objective, tie, offset and floor of their own: the form in which all
        small work shares programs."""
        if self.rows is not None:
            return self
        own: dict[str, Any] = {}
        flags: dict[str, Any] = dict.fromkeys(OF_FIT, True)
        for name in OF_FIT:
            leaf = getattr(self.data, name)
            own[name] = (
                leaf if getattr(self.per_fit, name) else np.broadcast_to(leaf, (self.n_fits, *np.shape(leaf)))
            )
        return replace(self, data=self.data._replace(**own), per_fit=self.per_fit._replace(**flags))

    @property
    def sharing(self) -> tuple[tuple[bool, ...], Any]:
        """Which leaves each fit owns, and their tree structure: together a hashable key for compiled
        programs."""
        flags, structure = jax.tree.flatten(self.per_fit)
        return tuple(flags), structure

    def with_numbers(self, numbers: np.ndarray) -> Problem:
        """The same batch under other objectives, (fits, 3)."""
        many = self.n_fits > 1
        numbers = np.asarray(numbers, dtype=np.float64).reshape(-1, 3)
        return replace(
            self,
            data=self.data._replace(numbers=numbers if many else numbers[0]),
            per_fit=self.per_fit._replace(numbers=many),
        )


class Evaluation(NamedTuple):
    """Objective (), its gradient (k,), and a curvature matrix (k, k), in search coordinates."""

    value: jax.Array
    gradient: jax.Array
    curvature: jax.Array


def natural(law: Law, x: Any) -> dict[str, Any]:
    """The law's own coordinates (k,) as named parameters in natural units."""
    numbers = [domain.to_natural(x[i]) for i, domain in enumerate(law.label_domains)]
    named, at = {}, 0
    for p in law.parameters:
        named[p.name] = numbers[at] if not p.shape else jnp.stack(numbers[at : at + p.size]).reshape(p.shape)
        at += p.size
    return named


def residuals(law: Law, on_log: bool, x: Any, data: LaneData) -> Any:
    """Scaled residuals (rows,) at the law's own coordinates."""

    def predict(coordinates: Any, row: dict[str, Any]) -> Any:
        return law.apply(natural(law, coordinates), row)

    predict = rewrite_powers(predict)
    prediction = jax.vmap(predict, (None, 0))(x, data.inputs)
    return ((jnp.log(prediction) if on_log else prediction) - data.target) / data.scale


def _charge(r: Any, numbers: Any) -> tuple[Any, Any, Any]:
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


def _root(r: Any, numbers: Any) -> tuple[Any, Any]:
    """The square-root residual, sqrt(2 rho) with the sign of r, and its slope: rho is half its square."""
    delta, over, scale = numbers
    side = scale * jnp.where(r > 0, over, 1.0)
    size = jnp.abs(r)
    inner = jnp.minimum(size, delta)
    slope = jnp.where(size <= delta, side, side * inner / (2 * size - inner))
    return jnp.sign(r) * jnp.sqrt(side * inner * (2 * size - inner)), jnp.sqrt(slope)


def _linearized(law: Law, on_log: bool, z: Any, data: LaneData) -> tuple[Any, Any, Any]:
    """The law's own coordinates, the residuals (rows,) and their Jacobian (k, rows) there."""
    x = data.tie @ z + data.offset
    r, push = jax.linearize(lambda coordinates: residuals(law, on_log, coordinates, data), x)
    return x, r, jax.vmap(push)(jnp.eye(x.shape[0], dtype=x.dtype))


def _pull_back(data: LaneData, value: Any, gradient: Any, curvature: Any) -> Evaluation:
    return Evaluation(value, data.tie.T @ gradient, data.tie.T @ curvature @ data.tie)


def evaluate(law: Law, on_log: bool, z: Any, data: LaneData) -> Evaluation:
    """Objective, gradient, and the Gauss-Newton matrix of the square-root residual: one product of one matrix
    with itself."""
    x, r, jacobian = _linearized(law, on_log, z, data)
    k = x.shape[0]
    root, slope = _root(r, data.numbers)
    weight = jnp.sqrt(data.weight)
    tall = jnp.where(data.weight > 0, weight * jnp.concatenate([jacobian * slope, root[None]]), 0.0)
    square = tall @ tall.T
    return _pull_back(data, 0.5 * square[k, k], square[:k, k], square[:k, :k])


def exact_evaluation(law: Law, on_log: bool, z: Any, data: LaneData) -> Evaluation:
    """Objective, gradient, and the exact Hessian (that of the law included)."""
    x, r, jacobian = _linearized(law, on_log, z, data)
    keep = data.weight > 0
    rho, slope, bend = (jnp.where(keep, data.weight * part, 0.0) for part in _charge(r, data.numbers))
    jacobian = jnp.where(keep, jacobian, 0.0)
    push = jax.lax.stop_gradient(slope)

    def weighted(coordinates: Any) -> Any:
        return jnp.sum(jnp.where(keep, push * residuals(law, on_log, coordinates, data), 0.0))

    curved = jax.jacfwd(jax.jacfwd(weighted))(x)
    return _pull_back(data, jnp.sum(rho), jacobian @ slope, (jacobian * bend) @ jacobian.T + curved)
