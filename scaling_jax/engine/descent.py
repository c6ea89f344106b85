"""Any optax optimiser as a solver: so many of its steps, each lane with a state of its own.

The optimiser sees search coordinates and the weighted sum that is minimised, its exact gradient included.
Where an update would leave the bounds it ends on them. Two optimisers count as one where they compute the
same, which their trace says for every number of coordinates at once; so one that is made again finds its
programs, and programs on disk are told apart by learning rates and schedules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple
from uuid import uuid4

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jax.extend import core as jex

from scaling_jax.core.arrays import Array, Leaf, Numbers
from scaling_jax.core.checked import one_line, shown
from scaling_jax.core.settings import own_settings, traced_apart
from scaling_jax.engine.problem import LaneData
from scaling_jax.engine.solver import Measure
from scaling_jax.engine.status import RUNNING, Status
from scaling_jax.engine.traced import says_all, told

if TYPE_CHECKING:
    import optax

__all__ = ["Optax"]

KEPT = ("best", "last")


class OptaxState(NamedTuple, Generic[Leaf]):
    """A lane: z (k,), the point that is kept, and its value (); ahead (k,), the point to evaluate next; the
    optimiser's own state; steps and status ()."""

    z: Leaf
    value: Leaf
    ahead: Leaf
    inner: Any
    steps: Leaf
    status: Leaf


@dataclass(frozen=True)
class Optax:
    """An optimiser of optax as a solver, so that a protocol that used one can be repeated.

    Lanes are screened, and their ends polished and certified, like those of any solver;
    `sj.fit(..., polish=False)` shows where the optimiser itself ended and what it left to gain. Positive
    parameters are searched as logarithms, so that is what its learning rate, decay and momenta act on; the
    gradient is that of the weighted sum over rows. Line searches and others that ask for the value get it.

    Args:
        optimiser: a gradient transformation, such as `optax.adamw(5e-2)` or `optax.lbfgs()`.
        steps: updates per lane; first-order optimisers have no other end.
        keep: "best", the lowest point of the way, or "last", where it ended.
        dtype: arithmetic of the search, as in `LM`.

    Raises:
        TypeError: for what is no gradient transformation, or asks for more than gradient, parameters, value
            and a function of the value.
        ValueError: for steps below 1, or other words.

    Source: Kingma and Ba 2015 (Adam); Loshchilov and Hutter 2019 (AdamW).

    >>> import optax, scaling_jax as sj
    >>> table = {"x": [1, 10, 100], "loss": [4, 2, 1]}
    >>> adam = sj.Optax(optax.adam(1e-2), steps=50)
    >>> fit = sj.fit(sj.laws.power_law, table, solver=adam, starts={"A": [9.0], "alpha": [0.1]})
    >>> round(fit.params["A"], 6), fit.status
    (4.0, 'converged')
    >>> alone = sj.fit(sj.laws.power_law, table, solver=adam, starts=fit.spec.starts, polish=False)
    >>> alone.objective_value > 100 * fit.objective_value, alone.status
    (True, 'not_converged')
    """

    optimiser: optax.GradientTransformation = field(compare=False, repr=False)
    steps: int = 1000
    keep: str = "best"
    dtype: str = "float64"
    identity: str = field(init=False, repr=False)
    name: ClassVar[str] = "optax"

    def __post_init__(self) -> None:
        if not _is_count(self.steps):
            raise ValueError(f"Optax(steps={shown(self.steps)}): give a whole number of updates, at least 1.")
        if self.keep not in KEPT:
            raise ValueError(f"Optax(keep={shown(self.keep)}): use {' or '.join(map(repr, KEPT))}.")
        if not (callable(getattr(self.optimiser, "init", None)) and hasattr(self.optimiser, "update")):
            raise TypeError(
                f"Optax({shown(self.optimiser)}): give a gradient transformation, such as optax.adamw(5e-2)."
            )
        object.__setattr__(self, "identity", _identity(self.optimiser))

    def init(self, z: Numbers, log_searched: Numbers) -> OptaxState[Numbers]:
        """Lanes at z, (lanes, k), before the first evaluation."""
        with own_settings():
            inner = jax.tree.map(np.array, jax.vmap(self.optimiser.init)(jnp.asarray(z)))
        return OptaxState(
            z=z,
            value=np.full(len(z), np.inf, z.dtype),
            ahead=z.copy(),
            inner=inner,
            steps=np.zeros(len(z), np.int32),
            status=np.full(len(z), RUNNING, np.int32),
        )

    def step(self, state: OptaxState[Array], data: LaneData[Array], measure: Measure) -> OptaxState[Array]:
        """The point ahead is evaluated, and one update made from it."""
        fresh, here = jnp.isinf(state.value), jnp.clip(state.ahead, data.lower, data.upper)
        new = measure(here, data)
        finite = jnp.isfinite(new.value) & jnp.all(jnp.isfinite(new.gradient))

        def value_fn(z: Array) -> Array:
            there = measure(jax.lax.stop_gradient(z), data)
            return _with_slope(there.value, there.gradient, z)

        ahead, inner = _updated(self.optimiser, here, new.gradient, state.inner, new.value, value_fn)
        accept = finite & ((new.value < state.value) | (self.keep == "last"))
        value, steps = jnp.where(accept, new.value, state.value), state.steps + 1
        status = jnp.select(
            [fresh & ~finite, finite & (value <= data.floor), ~finite, steps > self.steps],
            [int(Status.NONFINITE), int(Status.CONVERGED), int(Status.STALLED), int(Status.MAX_STEPS)],
            RUNNING,
        )
        return OptaxState(
            z=jnp.where(accept, here, state.z),
            value=value,
            ahead=ahead,
            inner=inner,
            steps=steps,
            status=status.astype(jnp.int32),
        )


def _is_count(steps: object) -> bool:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        return False
    return bool(1 <= steps < 2**31 - 1)


def _updated(
    optimiser: optax.GradientTransformation,
    z: Array,
    gradient: Array,
    inner: Any,
    value: Array,
    value_fn: Callable[[Array], Array],
) -> tuple[Array, Any]:
    """The next point and the optimiser's next state, each of the type it had."""
    import optax

    updates, later = optax.with_extra_args_support(optimiser).update(
        gradient, inner, z, value=value, grad=gradient, value_fn=value_fn
    )
    same = jax.tree.map(lambda new, old: jnp.asarray(new, old.dtype), later, inner)
    return (z + updates).astype(z.dtype), same


@jax.custom_jvp
def _with_slope(value: Array, gradient: Array, z: Array) -> Array:
    """The value at z, whose derivative there is a gradient that is known."""
    return value


@_with_slope.defjvp
def _slope(given: tuple[Array, Array, Array], along: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    value, gradient, _ = given
    return value, gradient @ along[2]


def _identity(optimiser: optax.GradientTransformation) -> str:
    """What an optimiser computes, as a digest; one that no trace tells whole is like no other.

    Raises:
        TypeError: for one that cannot be used.
    """
    width, *_ = export.symbolic_shape("k")
    try:
        traced = _traced(optimiser, width)
    except Exception:  # it fails for any number of coordinates, or goes by how many there are
        _traced_or_refused(optimiser)
        return uuid4().hex
    return hashlib.sha256(b"|".join(told(traced))).hexdigest() if says_all(traced) else uuid4().hex


def _traced_or_refused(optimiser: optax.GradientTransformation) -> None:
    try:
        _traced(optimiser, 3)
    except Exception as error:
        raise TypeError(
            "Optax: this transformation fails where it is given gradient, parameters, value, grad and "
            f"value_fn, and there is no more to give ({type(error).__name__}: {one_line(error)})."
        ) from error


def _traced(optimiser: optax.GradientTransformation, width: Any) -> jex.ClosedJaxpr:
    """The first state for so many coordinates, and one update, of an objective that is a plane."""

    def first(z: Array, gradient: Array, value: Array) -> Any:
        inner = optimiser.init(z)
        return inner, _updated(optimiser, z, gradient, inner, value, lambda at: value + gradient @ at)

    numbers, one = jax.ShapeDtypeStruct((width,), "float64"), jax.ShapeDtypeStruct((), "float64")

    def trace() -> jex.ClosedJaxpr:
        with jax.enable_x64(True):
            return jax.make_jaxpr(first)(numbers, numbers, one)

    return traced_apart(trace)
