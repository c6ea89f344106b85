"""The JAX settings that computations of this package run under, whatever the user's own are.

Programs are written for float64 and NumPy's promotion of shapes, are compiled, take their arrays from the
host, and run at once even where the call stands inside a function that the user's `jax.jit` traces. Tracing
itself goes on apart: where all runs at once, each constant of a program would be a small program by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

import jax

__all__ = ["own_settings", "traced_apart"]

Result = TypeVar("Result")


@contextmanager
def own_settings() -> Iterator[None]:
    """For the time of a `with` block, and for this thread alone."""
    with jax.ensure_compile_time_eval(), _not_the_users(x64=True):
        yield


def traced_apart(work: Callable[[], Result]) -> Result:
    """What `work` gives where nothing else is traced: in a thread of its own, under settings like ours.

    Single or double precision, the precision of products and the device are as where the call stands.
    """
    x64, precision, device = (getattr(jax.config, f"jax_{name}") for name in KEPT)

    def under_settings() -> Result:
        with _not_the_users(x64), jax.default_matmul_precision(precision), jax.default_device(device):
            return work()

    with ThreadPoolExecutor(1, thread_name_prefix="scaling_jax-trace") as fresh:
        return fresh.submit(copy_context().run, under_settings).result()


KEPT = ("enable_x64", "default_matmul_precision", "default_device")


@contextmanager
def _not_the_users(x64: bool) -> Iterator[None]:
    with (
        jax.enable_x64(x64),
        jax.numpy_rank_promotion("allow"),
        jax.transfer_guard("allow"),
        jax.disable_jit(False),
    ):
        yield
