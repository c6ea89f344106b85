"""Compiling: soon rather than well where a program runs for moments only, and ahead of need."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Generic, TypeVar

import jax

__all__ = ["Program", "quick_jit"]

Result = TypeVar("Result")

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


def quick_jit(fn: Callable[..., Result]) -> Callable[..., Result]:
    """`jax.jit` for small work."""
    return jax.jit(fn, compiler_options=_options())


class Program(Generic[Result]):
    """A compiled function, and for which shapes it has begun to compile ahead.

    What has begun is kept here and nowhere else, so a program that its cache lets go is free.
    """

    def __init__(self, run: Callable[..., Result]):
        self._run = run
        self._begun: dict[Hashable, Future[None]] = {}

    def __call__(self, *arguments: object) -> Result:
        return self._run(*arguments)

    def ahead(self, shape: Hashable, use: Callable[[], object]) -> Future[None]:
        """Begins, in the background and once per shape, to use the program on arrays of that shape."""
        if shape not in self._begun:
            self._begun[shape] = _THREADS.submit(_forgotten, use)
        return self._begun[shape]

    def settle(self, shape: Hashable) -> None:
        """Waits for what has begun for a shape, if anything."""
        if shape in self._begun:
            self._begun[shape].result()


_THREADS = ThreadPoolExecutor(2, thread_name_prefix="scaling_jax-compile")


def _forgotten(use: Callable[[], object]) -> None:
    """Uses the program for the sake of compiling: what it gives is not kept."""
    use()
