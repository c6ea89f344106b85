"""How a lane ended, as a number that survives jit and a sentence for people."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["RUNNING", "Status"]


class Status(IntEnum):
    """State of a lane; only RUNNING lanes are stepped."""

    RUNNING = 0
    CONVERGED = 1
    MAX_STEPS = 2
    STALLED = 3
    NONFINITE = 4
    DROPPED = 5

    @property
    def message(self) -> str:
        return _MESSAGES[self]


_MESSAGES = {
    Status.RUNNING: "still running",
    Status.CONVERGED: "converged",
    Status.MAX_STEPS: "stopped at the step limit before converging",
    Status.STALLED: "no step improves the objective, yet it is not stationary",
    Status.NONFINITE: "the law is not finite at this start",
    Status.DROPPED: "screened out in favour of better starts",
}

RUNNING = int(Status.RUNNING)
