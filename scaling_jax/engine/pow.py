"""Powers as exponentials: a law traced once, with `x ** p` rewritten to `exp(p * log(x))`.

XLA's `pow` with a traced exponent costs several times more than an exponential, and log(x) of a column is the
same for every lane. Laws are written as in a notebook; this pass gives them the fast form. Literal exponents
stay as they are. A quotient `a / x ** p` becomes `a * exp(-p * log(x))`: the derivatives of a quotient hold
x ** (3 * p), which overflows where the law and its derivatives are ordinary numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.extend import core as jex

from scaling_jax.core.arrays import Array

__all__ = ["rewrite_powers"]

Result = TypeVar("Result")


class Powered(NamedTuple):
    """A power and what it is of; holding the value keeps its `id` its own."""

    value: Array
    x: Array
    p: Array


def rewrite_powers(fn: Callable[..., Result]) -> Callable[..., Result]:
    """`fn` with every power of a traced exponent as an exponential; a base of zero keeps its limits."""

    def rewritten(*args: object) -> Result:
        closed, shape = jax.make_jaxpr(fn, return_shape=True)(*args)
        flat = _run(closed.jaxpr, closed.consts, jax.tree.leaves(args), {})
        return jax.tree.unflatten(jax.tree.structure(shape), flat)

    return rewritten


def _power(x: Array, p: Array) -> Array:
    safe = jnp.where(x == 0, jnp.ones_like(x), x)
    at_zero = jnp.where(p > 0, 0.0, jnp.where(p == 0, 1.0, jnp.inf)).astype(jnp.result_type(x))
    return jnp.where(x == 0, at_zero, jnp.exp(p * jnp.log(safe)))


def _run(
    jaxpr: jex.Jaxpr, consts: Sequence[Array], args: Sequence[Array], powers: dict[int, Powered]
) -> list[Array]:
    """The outputs of a traced function, operation by operation, powers rewritten and remembered by `id`."""
    values: dict[jex.Var, Array] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: jex.Var | jex.Literal) -> Array:
        return atom.val if isinstance(atom, jex.Literal) else values[atom]

    for eqn in jaxpr.eqns:
        inputs = [read(atom) for atom in eqn.invars]
        name = eqn.primitive.name
        if name == "pow" and _traced(eqn.invars[1]):
            outputs = [_power(*inputs)]
            powers[id(outputs[0])] = Powered(outputs[0], *inputs)
        elif name == "div" and id(inputs[1]) in powers:
            _, x, p = powers[id(inputs[1])]
            outputs = [inputs[0] * _power(x, -p)]
        elif name in ("jit", "pjit"):
            inner = eqn.params["jaxpr"]
            outputs = _run(inner.jaxpr, inner.consts, inputs, powers)
        else:
            outputs = _bind(eqn, inputs)
        values.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _traced(exponent: jex.Var | jex.Literal) -> bool:
    """Whether an exponent is a real number that the program learns only when it runs."""
    if isinstance(exponent, jex.Literal) or not isinstance(exponent.aval, jax.core.ShapedArray):
        return False
    return jnp.issubdtype(exponent.aval.dtype, jnp.floating)


def _bind(eqn: jex.JaxprEqn, inputs: list[Array]) -> list[Array]:
    """The outputs of any other operation."""
    bound: Any = eqn.primitive.get_bind_params(eqn.params)
    subfuns, params = bound if isinstance(bound, tuple) else ((), bound)  # JAX up to 0.9 returned a pair
    outputs = eqn.primitive.bind(*subfuns, *inputs, **params)
    return outputs if eqn.primitive.multiple_results else [outputs]
