"""Which compiled programs are kept: the most recently used ones, within a bound of memory and of memory maps.

XLA keeps about 80 maps and 15 MB for the programs of one fit of one law, and Linux ends a process that has
65,530 maps. What a program took is measured by the maps that came with it, and memory follows from these.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from threading import RLock
from typing import Any, ParamSpec, TypeVar

from scaling_jax.core.memory import working_memory

__all__ = ["clear_caches", "has_compiled", "kept"]

Given = ParamSpec("Given")
Made = TypeVar("Made")

MAPS = Path("/proc/self/maps")
MOST_MAPS = 16_000
BYTES_PER_MAP = 190_000
MAPS_EACH = 20  # of a program where maps cannot be counted
TIMES_WORKING_MEMORY = 3
LEFT = 0.75  # of the bound, once it is passed: letting go of many at once is seldom


class _Kept:
    """Programs by who makes them and of what, the least recently used first, and the maps of each."""

    def __init__(self) -> None:
        self.programs: dict[Hashable, Any] = {}
        self.maps: dict[Hashable, int] = {}
        self.counted: int | None = None
        self.lock = RLock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self.lock:
            if self.counted is None:
                self.counted = _maps_now() or 0
            if key in self.programs:
                found = self.programs[key] = self.programs.pop(key)
                return found
            made = self.programs[key] = make()
            if hasattr(made, "kept_as"):
                made.kept_as = key  # it says when it compiles
            else:
                self.grew(key)
            return made

    def grew(self, key: Hashable) -> None:
        """A program was compiled: what came with it is its own, and the oldest go where that is too much."""
        with self.lock:
            now = _maps_now()
            took = MAPS_EACH if now is None else max(now - (self.counted or 0), 0)
            self.counted = now or 0
            if key in self.programs:
                self.maps[key] = self.maps.get(key, 0) + took
            most = min(MOST_MAPS, TIMES_WORKING_MEMORY * working_memory() // BYTES_PER_MAP)
            if sum(self.maps.values()) > most:
                self.let_go(LEFT * most)

    def let_go(self, left: float) -> None:
        """Drops the oldest programs until those that are left take no more maps than that."""
        with self.lock:
            total = sum(self.maps.values())
            for key in list(self.programs):
                if total <= left:
                    break
                total -= self.maps.pop(key, 0)
                del self.programs[key]
            _returned()
            self.counted = _maps_now() or 0


_KEPT = _Kept()


def kept(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Decorates what makes a program of hashable arguments: one that is kept is not made again."""

    @wraps(make)
    def program(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        key = (make, args, *sorted(kwargs.items()))
        found: Made = _KEPT.get(key, lambda: make(*args, **kwargs))
        return found

    return program


def has_compiled(key: Hashable) -> None:
    """A program that is kept has compiled itself for one more shape."""
    _KEPT.grew(key)


def clear_caches() -> None:
    """Lets go of every program that was compiled here, and gives their memory back to the system.

    They are kept within a bound anyhow; this is for a long process that is done with many laws. The next fit
    compiles again. What JAX keeps of your own functions is `jax.clear_caches()`'s.

    >>> import scaling_jax as sj
    >>> sj.clear_caches()
    """
    _KEPT.let_go(-1)


def _maps_now() -> int | None:
    """How many memory maps the process has, where the system says."""
    try:
        return MAPS.read_bytes().count(b"\n")
    except OSError:
        return None


def _returned() -> None:
    """What nothing refers to any more is freed, and glibc hands it back to the system."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
