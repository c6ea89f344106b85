"""One way through a law's inputs, from the runs to what lies ahead, to draw a law of several as a curve.

For a law of N and D it is growing compute at one number of tokens per parameter; elsewhere one input grows
and the others stay as they are in the largest run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scaling_jax.core.arrays import Columns
from scaling_jax.core.checked import shown
from scaling_jax.planning.recipes import compute_of
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["Path", "path_through"]

NEAR = 1.25  # factor of D / N within which a run lies on the way itself
TOP = 0.25  # share of the runs, the largest, whose D / N is the usual one


@dataclass(frozen=True)
class Path:
    """A way through the inputs.

    Args:
        along: what grows: "C" for compute at a fixed number of tokens per parameter, or an input.
        held: the inputs that stay as they are.
        ratio: tokens per parameter, or None.
    """

    along: str
    held: dict[str, float]
    ratio: float | None = None

    def at(self, x: np.ndarray) -> Columns:
        """The inputs at places of the way."""
        x = np.asarray(x, dtype=float)
        found = {name: np.full(len(x), value) for name, value in self.held.items()}
        if self.ratio is None:
            return {**found, self.along: x}
        N = np.sqrt(x / (TOKENS_FLOP * self.ratio))
        return {"N": N, "D": self.ratio * N, **found}

    def place(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """How far along the way runs are."""
        return np.asarray(inputs[self.along] if self.ratio is None else compute_of(inputs))

    def near(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which runs lie on the way, and not only beside it."""
        on = np.ones(len(self.place(inputs)), dtype=bool)
        if self.ratio is not None:
            on &= np.abs(np.log(inputs["D"] / inputs["N"] / self.ratio)) <= np.log(NEAR)
        for name, value in self.held.items():
            on &= np.isclose(inputs[name], value, rtol=NEAR - 1)
        return on

    @property
    def words(self) -> str:
        """What is held on the way."""
        from scaling_jax.reporting.numbers import written

        held = [f"{name} = {written(value, 'count')}" for name, value in self.held.items()]
        ratio = [] if self.ratio is None else [f"{written(self.ratio, 'plain', 2)} tokens per parameter"]
        return ", ".join([*ratio, *held])


def path_through(
    inputs: Columns, along: str | None = None, ratio: float | None = None, ahead: Columns | None = None
) -> Path:
    """The way from runs to what is asked for.

    Args:
        inputs: of the runs.
        along: an input that grows while the others stay; by default compute where there are N and D.
        ratio: tokens per parameter; those of the farthest run ahead, or of the largest quarter of the runs.
        ahead: runs that are asked for.

    Raises:
        ValueError: for an input that is none.
    """
    names = list(inputs)
    if along is not None and along not in names and along != "C":
        raise ValueError(f"along={shown(along)}: use one of {', '.join(names)}.")
    last = {name: float(column[np.argmax(compute_of(inputs))]) for name, column in inputs.items()}
    if ahead:
        last |= {name: float(column[np.argmax(compute_of(ahead))]) for name, column in ahead.items()}
    both = {"N", "D"} <= set(names)
    if along in (None, "C") and both:
        if ratio is None and not ahead:
            large = compute_of(inputs) >= np.quantile(compute_of(inputs), 1 - TOP)
            ratio = float(np.median(inputs["D"][large] / inputs["N"][large]))
        found = ratio if ratio is not None else last["D"] / last["N"]
        return Path("C", {n: v for n, v in last.items() if n not in ("N", "D")}, float(found))
    grows = along or next((n for n in ("C", "flops", "compute", "N", "D") if n in names), names[0])
    return Path(grows, {n: v for n, v in last.items() if n != grows})
