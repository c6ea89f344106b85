"""Laws made of laws: stages in a row, and several laws of one thing under weights.

A joined law is a law like any other, with its members' parameters side by side, so that whatever takes a law
takes a chain or an ensemble as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import jax.numpy as jnp

from scaling_jax.core.arrays import Array, Named
from scaling_jax.core.law import Law, Parameter

__all__ = ["chained", "mixed"]

WEIGHT = "weight"


@lru_cache(maxsize=64)
def chained(
    laws: tuple[Law, ...], via: tuple[str, ...]
) -> tuple[Law, Mapping[str, Callable[[Named, Named], Array]]]:
    """Laws in a row as one law, each feeding the input `via` of the next; and what each but the last says.

    The parameters are those of stage 1, 2, ... in turn, with the number of the stage behind their name.
    """

    def values(params: Named, inputs: Named) -> list[Array]:
        found: list[Array] = []
        for stage, law in enumerate(laws):
            fed = {via[stage - 1]: found[-1]} if found else {}
            found.append(law.apply(_of_member(law, stage, params), {**inputs, **fed}))
        return found

    def last(*given: Array, **params: Array) -> Array:
        return values(params, dict(zip(names, given, strict=True)))[-1]

    def said_by(stage: int) -> Callable[[Named, Named], Array]:
        return lambda params, inputs: values(params, inputs)[stage]

    inputs = dict(laws[0].input_domains)
    for law, fed in zip(laws[1:], via, strict=True):
        inputs |= {n: d for n, d in law.input_domains.items() if n != fed}
    names = tuple(inputs)
    joined = Law(
        last,
        inputs=inputs,
        params=[p for stage, law in enumerate(laws) for p in _renamed(law, stage)],
        name=" then ".join(law.name for law in laws),
        formula="",
        target=laws[-1].target,
        units={n: u for law in laws for n, u in law.units.items() if n in inputs},
    )
    return joined, {fed: said_by(stage) for stage, fed in enumerate(via)}


@lru_cache(maxsize=64)
def mixed(laws: tuple[Law, ...]) -> Law:
    r"""Several laws of one quantity as one, $\sum_k w_k L_k$, whose first parameter is the weights.

    A draw that belongs to member k has its parameters and the weight 1 there; what a member of weight 0 says
    does not matter. Its parameters should be finite all the same, for the sake of derivatives.
    """

    def total(*given: Array, weight: Array, **params: Array) -> Array:
        inputs = dict(zip(names, given, strict=True))
        said = [law.apply(_of_member(law, k, params), inputs) for k, law in enumerate(laws)]
        return sum((jnp.where(w > 0, w * L, 0.0) for w, L in zip(weight, said, strict=True)), jnp.zeros(()))

    inputs = {n: d for law in laws for n, d in law.input_domains.items()}
    names = tuple(inputs)
    weights = Parameter(WEIGHT, shape=(len(laws),))
    return Law(
        total,
        inputs=inputs,
        params=[weights, *(p for k, law in enumerate(laws) for p in _renamed(law, k))],
        name=" or ".join(law.name for law in laws),
        formula="",
        target=laws[0].target,
        units={n: u for law in laws for n, u in law.units.items() if n in inputs},
    )


def _renamed(law: Law, member: int) -> list[Parameter]:
    return [Parameter(f"{p.name}_{member + 1}", p.domain, p.shape) for p in law.parameters]


def _of_member(law: Law, member: int, params: Named) -> Named:
    return {name: params[f"{name}_{member + 1}"] for name in law.params}
