"""What the engine asks of a solver: states of lanes, and one trial at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.engine.problem import Evaluation, LaneData

__all__ = ["LaneState", "Measure", "Solver"]

Kind_co = TypeVar("Kind_co", covariant=True)
Measure = Callable[[Array, LaneData[Array]], Evaluation[Array]]


class LaneState(Protocol[Kind_co]):
    """The state of a lane, or of many with a leading lane axis: a NamedTuple of arrays, these among them.

    z (k,): where the lane is; value (): the objective there, infinite before the first evaluation; steps ():
    trials taken; status (): a `Status`.
    """

    @property
    def z(self) -> Kind_co: ...
    @property
    def value(self) -> Kind_co: ...
    @property
    def steps(self) -> Kind_co: ...
    @property
    def status(self) -> Kind_co: ...


class Solver(Hashable, Protocol):
    """A solver: a frozen dataclass of its settings, for compiled programs are kept by it."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str:
        """Arithmetic of the search: "float64" or "float32"."""

    def init(self, z: Numbers, log_searched: Numbers) -> LaneState[Numbers]:
        """States of lanes at z, (lanes, k), before the first evaluation.

        `log_searched`, (k,), says which coordinates are logarithms.
        """

    def step(self, state: Any, data: LaneData[Array], measure: Measure, /) -> Any:
        """The solver's own state of one lane after one trial: traced, and mapped over lanes."""
