"""Powers as exponentials: a law traced once, with `x ** p` rewritten to `exp(p * log(x))`.

XLA's `pow` with a traced exponent costs several times more than an exponential, and log(x) of a column is the
same for every lane. Laws are written as in a notebook; this pass gives them the fast form. Literal exponents
stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core as jex

__all__ = ["rewrite_powers"]


def rewrite_powers(fn: Callable[..., Any]) -> Callable[..., Any]:
    """`fn` with every power whose exponent is traced turned into an exponential; zero bases keep their
    limits."""

    def rewritten(*args: Any) -> Any:
        closed, shape = jax.make_jaxpr(fn, return_shape=True)(*args)
        flat = _run(closed.jaxpr, closed.consts, jax.tree.leaves(args))
        return jax.tree.unflatten(jax.tree.structure(shape), flat)

    return rewritten


def _power(x: Any, p: Any) -> Any:
    safe = jnp.where(x == 0, jnp.ones_like(x), x)
    at_zero = jnp.where(p > 0, 0.0, jnp.where(p == 0, 1.0, jnp.inf)).astype(jnp.result_type(x))
    return jnp.where(x == 0, at_zero, jnp.exp(p * jnp.log(safe)))


def _run(jaxpr: Any, consts: list[Any], args: list[Any]) -> list[Any]:
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, jex.Literal) else values[atom]

    for eqn in jaxpr.eqns:
        inputs = [read(atom) for atom in eqn.invars]
        name = eqn.primitive.name
        if (
            name == "pow"
            and not isinstance(eqn.invars[1], jex.Literal)
            and jnp.issubdtype(eqn.invars[1].aval.dtype, jnp.floating)
        ):
            outputs = [_power(*inputs)]
        elif name in ("jit", "pjit"):
            inner = eqn.params["jaxpr"]
            outputs = _run(inner.jaxpr, inner.consts, inputs)
        else:
            outputs = _bind(eqn, inputs)
            outputs = outputs if eqn.primitive.multiple_results else [outputs]
        values.update(zip(eqn.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _bind(eqn: Any, inputs: list[Any]) -> Any:
    bound = eqn.primitive.get_bind_params(eqn.params)
    subfuns, params = bound if isinstance(bound, tuple) else ((), bound)  # JAX up to 0.9 returned a pair
    return eqn.primitive.bind(*subfuns, *inputs, **params)
