"""Compiling: soon rather than well where a program runs for moments only, and ahead of need."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, Generic, TypeVar

import jax

from scaling_jax.engine.kept import has_compiled

__all__ = ["Program", "instant_jit", "quick_jit"]

Result = TypeVar("Result")

QUICK = {
    # halves the time XLA takes for our programs; they run up to a quarter slower
    "xla_cpu_use_fusion_emitters": False,
    # a program cut into 32 modules, its default, takes a fifth longer on few cores
    "xla_cpu_parallel_codegen_split_count": 1,
}


# a third of that time, for programs that run half as fast
INSTANT = QUICK | {"xla_backend_optimization_level": 0}


@cache
def _options(instant: bool = False) -> dict[str, int]:
    """What of QUICK or INSTANT this version of XLA knows."""
    wanted = INSTANT if instant else QUICK
    return {name: value for name, value in wanted.items() if _known({name: value})}


def _known(option: dict[str, int]) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options=option).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def quick_jit(fn: Callable[..., Result]) -> Callable[..., Result]:
    """`jax.jit` for small work."""
    return jax.jit(fn, compiler_options=_options())


def instant_jit(fn: Callable[..., Result]) -> Callable[..., Result]:
    """`jax.jit` for work that is done before a better program would have been compiled."""
    return jax.jit(fn, compiler_options=_options(instant=True))


class Program(Generic[Result]):
    """A compiled function, and for which shapes it has begun to compile ahead.

    What has begun is kept here and nowhere else, so a program that is let go is free.

    Args:
        run: the function, compiled by JAX.
        place: brings its arguments to where it runs.
    """

    def __init__(self, run: Callable[..., Result], place: Callable[[Any], Any] | None = None):
        self._run = run
        self._place = place
        self._begun: dict[Hashable, Future[None]] = {}
        self._shapes = 0
        self.kept_as: Hashable = None

    def __call__(self, *arguments: object) -> Result:
        result = self._run(*(arguments if self._place is None else self._place(arguments)))
        if (shapes := _compiled_shapes(self._run)) != self._shapes:
            self._shapes = shapes
            has_compiled(self.kept_as)
        return result

    def ahead(self, shape: Hashable, use: Callable[[], object]) -> Future[None]:
        """Begins, in the background and once per shape, to use the program on arrays of that shape."""
        if shape not in self._begun:
            self._begun[shape] = _THREADS.submit(_forgotten, use)
        return self._begun[shape]

    def settle(self, shape: Hashable) -> None:
        """Waits for what has begun for a shape, if anything."""
        if shape in self._begun:
            self._begun[shape].result()


def _compiled_shapes(run: Callable[..., object]) -> int:
    """For how many shapes a function of JAX is compiled, as far as JAX says."""
    count = getattr(run, "_cache_size", None)
    return 1 if count is None else count()


_THREADS = ThreadPoolExecutor(2, thread_name_prefix="scaling_jax-compile")


def _forgotten(use: Callable[[], object]) -> None:
    """Uses the program for the sake of compiling: what it gives is not kept."""
    use()
