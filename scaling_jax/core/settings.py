"""The JAX settings that computations of this package run under, whatever the user's own are.

Programs are written for float64 and NumPy's promotion of shapes, are compiled, take their arrays from the
host, and run at once even where the call stands inside a function that the user's `jax.jit` traces.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

__all__ = ["own_settings"]


@contextmanager
def own_settings() -> Iterator[None]:
    """For the time of a `with` block, and for this thread alone."""
    with (
        jax.ensure_compile_time_eval(),
        jax.enable_x64(True),
        jax.numpy_rank_promotion("allow"),
        jax.transfer_guard("allow"),
        jax.disable_jit(False),
    ):
        yield
