"""Compiling soon rather than well: a program that runs for moments is worth less optimisation than it costs
to compile."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax

__all__ = ["quick_jit"]

QUICK = {
    # halves the time XLA takes for our programs; they run up to a quarter slower
    "xla_cpu_use_fusion_emitters": False,
    # a program cut into 32 modules, its default, takes a fifth longer on few cores
    "xla_cpu_parallel_codegen_split_count": 1,
}


@cache
def _options() -> dict[str, int]:
    """What of QUICK this version of XLA knows."""
    return {name: value for name, value in QUICK.items() if _known({name: value})}


def _known(option: dict[str, int]) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options=option).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def quick_jit(fn: Callable[..., Any]) -> Any:
    """`jax.jit` for small work."""
    return jax.jit(fn, compiler_options=_options())
