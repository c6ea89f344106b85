"""The learning rate of a size: a walk on the powers of two until the best has a worse neighbour on either
side."""

from __future__ import annotations

from collections.abc import Callable

from .design import End, Run, search_steps
from .model import Size


def trial(size: Size, exponent: int) -> Run:
    return Run("lr", size, 2.0**exponent, (End(search_steps(size)),))


def choose(size: Size, first: int, loss: Callable[[Run], float]) -> int:
    """The best exponent, walking from `first`; `loss` trains a trial or remembers it."""
    best = first
    while True:
        candidates = [best - 1, best, best + 1]
        winner = min(candidates, key=lambda e: loss(trial(size, e)))
        if winner == best:
            return best
        best = winner
