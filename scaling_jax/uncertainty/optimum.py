"""The optimum as a differentiable function of what was fitted: targets, inputs, weights and fixed parameters.

Nothing of the search is differentiated. At an optimum the gradient of the objective vanishes, so its
derivatives follow from the exact Hessian and the mixed derivatives of each row's own gradient (implicit
function theorem). Those rows' gradients are also what the sandwich covariance and the influence of a run are
made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Scale
from scaling_jax.engine.coordinates import held, named_numbers, searched_as_logs, typical_size
from scaling_jax.engine.linear import solve_definite
from scaling_jax.engine.problem import LaneData, exact_evaluation, residuals
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.fitted import Fitted

__all__ = ["Optimum", "lane_of"]

EPS = np.finfo(np.float64).eps
MOST_STEPS = 100
TOL = 1e-24  # of the objective still to gain: the Newton steps end at the rounding of the gradient
ROUNDING = 1e-13
# axes for vmap: the leaves that have rows come first
OF_ROWS: LaneData[int | None] = LaneData._make([0] * 4 + [None] * 7)
Carry = tuple[jax.Array, ...]
Given = dict[str, dict[str, Any]]
Reached = tuple[jax.Array, jax.Array, jax.Array]


class Optimum:
    r"""The parameters of a fit as a function of its data, ready for `jax.jit`, `grad`, `jvp`, `jacrev` and
    `vmap`.

    $$\frac{d\theta}{dt} = -H^{-1}\,\frac{\partial}{\partial t}\sum_i w_i \nabla_\theta \rho(r_i),$$
    H the exact Hessian of the objective. Every argument is optional and replaces what the fit was given.

    Args:
        target: (rows,), natural units.
        inputs: law input -> (rows,).
        weights: (rows,).
        fixed: parameter -> value, for parameters that the fit holds fixed.

    Returns:
        Parameter -> value in natural units, as `FitResult.params`.

    The solution is sought by damped Newton steps from the fit's own optimum, in the basin where the fit lies:
    large changes of the data want a new `sj.fit`. First derivatives only. The arithmetic is float64 even
    where the caller's program traces float32: what enters and leaves then has float32's seven digits, and the
    derivatives are those of the exact optimum (a law that sorts or selects by index may refuse to compile so:
    trace under `jax.enable_x64(True)`). Derivatives of parameters held by a bound are zero. Where a residual
    crosses the Huber threshold the derivative jumps.

    Raises:
        ValueError: for an objective with a corner, an unknown input, or a parameter that the fit left free.

    >>> import jax, scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4.1, 2, 1]}, objective=sj.SquaredError())
    >>> slope = jax.grad(lambda y: fit.optimum(target=y)["alpha"])(fit.data().target)
    >>> [round(float(slope[i]), 4) for i in (0, 2)]
    [0.053, -0.2171]
    """

    def __init__(self, fit: Fitted):
        if not fit.objective.smooth:
            raise ValueError(
                "The optimum of an objective with a corner has no derivative: fit with sj.Huber or "
                "sj.SquaredError."
            )
        self._fit = fit
        self._lane = lane_of(fit)
        self._solve = _solver(fit, self._lane)
        self._compiled = jax.jit(self._solve)

    @checked
    def __call__(
        self,
        target: ArrayLike | None = None,
        inputs: Mapping[str, ArrayLike] | None = None,
        weights: ArrayLike | None = None,
        fixed: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, ArrayLike]:
        law = self._fit.law
        for what, named, known in (("inputs", inputs, law.inputs), ("fixed", fixed, tuple(self._fit.fixed))):
            if unknown := sorted(set(named or {}) - set(known)):
                raise ValueError(
                    f"{what} names {', '.join(unknown)}; for this fit it may name "
                    f"{', '.join(known) or 'nothing'}."
                )
        given: Given = {
            "target": {} if target is None else {"target": target},
            "weights": {} if weights is None else {"weights": weights},
            "inputs": dict(inputs or {}),
            "fixed": dict(fixed or {}),
        }
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(given)):
            return dict(law.unflatten(self._solve(jax.tree.map(jnp.asarray, given))))
        with jax.enable_x64(True):
            found = np.asarray(self._compiled(jax.tree.map(partial(jnp.asarray, dtype=np.float64), given)))
        return {
            name: float(v) if np.ndim(v) == 0 else np.asarray(v) for name, v in law.unflatten(found).items()
        }


class Lane(NamedTuple):
    """One fit as the engine sees it: its data, the point it lies at, which coordinates move, and their
    typical sizes."""

    data: LaneData
    z: np.ndarray
    free: np.ndarray
    unit: np.ndarray


def lane_of(fit: Fitted) -> Lane:
    """The engine's view of a fit, without the rows that pad it."""
    runs = fit.data()
    data = build_problem(Task.of(fit.spec, runs, fit.held))[0].lane_data(0)
    short = {name: getattr(data, name)[: len(runs)] for name in ("target", "weight", "scale")}
    data = data._replace(inputs={name: column[: len(runs)] for name, column in data.inputs.items()}, **short)
    unit = typical_size(fit.evidence.z, searched_as_logs(fit.law.label_domains))
    return Lane(data, fit.evidence.z, fit.evidence.free, unit)


def _row_gradient(law: Law, on: Scale, z: jax.Array, row: LaneData) -> jax.Array:
    """Gradient (k,) of one row's term of weight one; its derivatives by anything are exact, those of the law
    included."""

    def residual(z: jax.Array) -> jax.Array:
        one = row._replace(
            inputs={n: v[None] for n, v in row.inputs.items()}, target=row.target[None], scale=row.scale[None]
        )
        return residuals(law, on, row.tie @ z + row.offset, one)[0]

    delta, over, scale = row.numbers
    r, slope = residual(z), jax.jacfwd(residual)(z)
    return scale * jnp.where(r > 0, over, 1.0) * jnp.clip(r, -delta, delta) * slope


def _solver(fit: Fitted, lane: Lane) -> Callable[[Given], jax.Array]:
    """The parameters (labels,) as a function of what is given, with its derivative by implicit
    differentiation."""
    law, on = fit.law, fit.objective.on
    logs = searched_as_logs(law.label_domains)

    def data_of(given: Given) -> LaneData:
        """The lane's data with what is given in place of the fit's own."""
        target = given["target"].get("target")
        offset = jnp.asarray(lane.data.offset)
        for label, value in given["fixed"].items():
            chosen = np.array([known == label for known in law.labels])
            offset = jnp.where(chosen, jnp.log(value) if logs[chosen].any() else value, offset)
        return lane.data._replace(
            inputs={
                name: jnp.asarray(given["inputs"].get(name, column))
                for name, column in lane.data.inputs.items()
            },
            target=_scaled(on, target, lane.data.target),
            weight=jnp.asarray(given["weights"].get("weights", lane.data.weight)),
            offset=offset,
        )

    @jax.custom_jvp
    def search(given: Given) -> Reached:
        return _search(law, on, lane, data_of(given))

    @search.defjvp
    def _(primals: tuple[Given], tangents: tuple[Given]) -> tuple[Reached, Reached]:
        raise NotImplementedError("fit.optimum has first derivatives only.")

    def numbers_at(z: jax.Array, given: Given) -> jax.Array:
        named = named_numbers(law, jnp.asarray(lane.data.tie) @ z + data_of(given).offset)
        return jnp.concatenate([jnp.ravel(named[name]) for name in law.params])

    def gradient_at(z: jax.Array, given: Given) -> jax.Array:
        data = data_of(given)
        rows = jax.vmap(partial(_row_gradient, law, on), (None, OF_ROWS))(z, data)
        return data.weight @ rows

    @jax.custom_jvp
    def solve(given: Given) -> jax.Array:
        with jax.enable_x64(True):
            doubled = _doubled(given)
            return _like(given, numbers_at(search(doubled)[0], doubled))

    @solve.defjvp
    def _(primals: tuple[Given], tangents: tuple[Given]) -> tuple[jax.Array, jax.Array]:
        (given,), (change,) = primals, tangents
        with jax.enable_x64(True):
            doubled = _doubled(given)
            z, gradient, hessian = search(doubled)
            back = jax.jacfwd(numbers_at)(z, doubled)
            response = back @ _inverse(hessian, _moving(z, gradient, lane), lane.unit)
            direct = jax.jacrev(numbers_at, argnums=1)(z, doubled)
            mixed = jax.jacrev(gradient_at, argnums=1)(z, doubled)
            slopes = jax.tree.map(
                lambda d, m: _like(
                    given, jnp.reshape(d, (len(d), -1)) - response @ jnp.reshape(m, (len(m), -1))
                ),
                direct,
                mixed,
            )
            numbers = _like(given, numbers_at(z, doubled))
        # the tangent's own arithmetic is the caller's, so that the caller's transforms may transpose it
        moved = jnp.zeros_like(numbers)
        for slope, step in zip(jax.tree.leaves(slopes), jax.tree.leaves(change), strict=True):
            moved = moved + slope @ jnp.ravel(step)
        return numbers, moved

    return solve


def _doubled(given: Given) -> Given:
    return jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, np.float64), given)


def _like(given: Given, values: jax.Array) -> jax.Array:
    """The values in the widest precision of what the caller gave."""
    return jax.lax.convert_element_type(
        values, jnp.result_type(*jax.tree.leaves(given), np.float32) if jax.tree.leaves(given) else np.float64
    )


def _scaled(on: Scale, target: Any, own: ArrayLike) -> jax.Array:
    """A target in place of the fit's own, on the scale of residuals."""
    if target is None:
        return jnp.asarray(own)
    return jnp.log(target) if on == "log" else target


def _search(law: Law, on: Scale, lane: Lane, data: LaneData) -> Reached:
    """The optimum near the fit's own, with gradient and Hessian there: damped Newton steps, one evaluation
    each."""
    k = len(lane.z)
    identity = np.eye(k)

    def step_of(
        z: jax.Array, gradient: jax.Array, hessian: jax.Array, damping: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        size = jnp.where(_moving(z, gradient, lane), lane.unit, 0.0)
        scaled = hessian * size[:, None] * size[None, :]
        largest = jnp.max(jnp.abs(scaled))
        held = jnp.where(size > 0, 0.0, largest)
        damped, definite = solve_definite(
            scaled + identity * (damping * largest + held), (size * gradient)[:, None]
        )
        step = size * damped[:, 0]
        return jnp.where(definite, step, jnp.nan), jnp.where(definite, gradient @ step, jnp.inf)

    def unfinished(carry: Carry) -> jax.Array:
        return (carry[0] < MOST_STEPS) & carry[-1]

    def advance(carry: Carry) -> Carry:
        count, z, value, gradient, hessian, damping, _ = carry
        first = jnp.isinf(value)
        step, gain = step_of(z, gradient, hessian, damping)
        usable = jnp.all(jnp.isfinite(step))
        trial = jnp.where(usable & ~first, jnp.clip(z - step, data.lower, data.upper), z)
        new = exact_evaluation(law, on, trial, data)
        _, left = step_of(trial, new.gradient, new.curvature, damping)
        # at the floor of rounding the objective cannot judge a step any more, but the gradient still can
        level = (new.value <= value * (1 + ROUNDING)) & (left < 0.5 * gain)
        better = first | (usable & jnp.isfinite(new.value) & ((new.value < value) | level))
        z, value = jnp.where(better, trial, z), jnp.where(better, new.value, value)
        gradient = jnp.where(better, new.gradient, gradient)
        hessian = jnp.where(better, new.curvature, hessian)
        at_rounding = ~better & usable & (gain <= 64 * EPS * value)
        damping = jnp.where(first, 0.0, jnp.where(better, damping / 10, jnp.maximum(10 * damping, 1e-12)))
        exact = better & (left <= TOL * value)
        return (
            count + np.int32(1),
            z,
            value,
            gradient,
            hessian,
            damping,
            ~exact & ~at_rounding & (damping < 1e12),
        )

    start = (
        np.int32(0),
        lane.z,
        np.float64(np.inf),
        np.zeros(k),
        np.zeros((k, k)),
        np.float64(0.0),
        np.bool_(True),
    )
    _, z, _, gradient, hessian, _, _ = jax.lax.while_loop(
        unfinished, advance, jax.tree.map(jnp.asarray, start)
    )
    return z, gradient, hessian


def _moving(z: jax.Array, gradient: jax.Array, lane: Lane) -> jax.Array:
    """Coordinates that respond: free, and not held by a bound."""
    lower, upper = jnp.asarray(lane.data.lower), jnp.asarray(lane.data.upper)
    return jnp.asarray(lane.free) & ~held(z, gradient, lower, upper, level=True)


def _inverse(hessian: jax.Array, moving: jax.Array, unit: np.ndarray) -> jax.Array:
    """The inverse Hessian on the moving coordinates, zero elsewhere."""
    size = jnp.where(moving, unit, 0.0)
    scaled = hessian * size[:, None] * size[None, :] + np.eye(len(unit)) * jnp.where(moving, 0.0, 1.0)
    return size[:, None] * solve_definite(scaled, np.eye(len(unit)))[0] * size[None, :]
