"""What compiled programs call outside of themselves, and how a process that only read one finds it.

XLA knows such functions by name. LAPACK's are known from the start, but JAX looks their addresses up when it
first lowers a call there: a program that was kept on disk would call nowhere, and end the process. So a kept
program says what it calls, and before it is read JAX lowers such a call itself.
"""

from __future__ import annotations

import re
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.settings import traced_apart

__all__ = ["called_outside", "known", "look_up"]

CALLED = re.compile(r'custom_call_target="([^"]+)"')
OF_XLA = re.compile(r"__.*|TopK|Sharding|SPMD\w+")
OF_LINEAR_ALGEBRA = re.compile(r"(lapack|cusolver|cublas|hipsolver|hipblas)_.*")


def called_outside(compiled: jax.stages.Compiled) -> tuple[str, ...]:
    """The names of what a program calls that is not XLA's own."""
    names = sorted(set(CALLED.findall(compiled.as_text() or "")))
    return tuple(name for name in names if not OF_XLA.fullmatch(name))


def known(names: tuple[str, ...]) -> bool:
    """Whether `look_up` finds calls of these names."""
    return all(OF_LINEAR_ALGEBRA.fullmatch(name) for name in names)


def look_up(names: tuple[str, ...], platform: str) -> None:
    """Lets JAX look up what a program calls by these names, before it runs for the first time."""
    if names:
        _lower_a_call(platform)


@cache
def _lower_a_call(platform: str) -> None:
    traced_apart(lambda: jax.jit(jnp.linalg.eigh).trace(np.eye(2)).lower(lowering_platforms=(platform,)))
