"""How often a device is called and how often arrays go there and back: what latency is paid for.

Every compiled program is called through `compiled.Program`, and every answer is read through `fetched`, so
both are counted here, by all threads, for as long as somebody watches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import jax

__all__ = ["Traffic", "called", "fetched", "watched"]


@dataclass
class Traffic:
    """What went over to devices and came back.

    Args:
        calls: how often each program was called, by its name.
        sent: how often arrays of the host went to a device, those of one call together.
        fetched: how often arrays of a device were read, those read together once.
    """

    calls: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    fetched: int = 0

    @property
    def dispatches(self) -> int:
        return self.calls.total()

    @property
    def transfers(self) -> int:
        return self.sent + self.fetched


_WATCHERS: list[Traffic] = []
_LOCK = Lock()


@contextmanager
def watched() -> Iterator[Traffic]:
    """Counts what all threads send, call and fetch within a `with` block."""
    traffic = Traffic()
    _WATCHERS.append(traffic)
    try:
        yield traffic
    finally:
        _WATCHERS.remove(traffic)


def called(name: str, given: object) -> None:
    """A program is called with a tree of arrays, of which those of the host are sent to it."""
    if not _WATCHERS:
        return
    from_host = any(not isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(given))
    with _LOCK:
        for traffic in _WATCHERS:
            traffic.calls[name] += 1
            traffic.sent += from_host


def fetched(tree: object) -> Any:
    """A tree of arrays as NumPy holds them."""
    with _LOCK:
        for traffic in _WATCHERS:
            traffic.fetched += 1
    return jax.device_get(tree)
