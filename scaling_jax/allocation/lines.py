"""Best sizes that Approach 1 or 2 read off a table, and the power laws in compute that go through them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax import laws
from scaling_jax.allocation.interpolate import line
from scaling_jax.api.fit import fit
from scaling_jax.core.arrays import Array, Named
from scaling_jax.core.domains import Real
from scaling_jax.core.law import law
from scaling_jax.core.objective import SquaredError
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.refits import refit, vary
from scaling_jax.planning.source import Source
from scaling_jax.reporting.blocks import Block, Items, Section, Words, grid_of
from scaling_jax.reporting.numbers import FLOP, written
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.scale import budgets_of
from scaling_jax.uncertainty.bootstrap import REPLICATES
from scaling_jax.uncertainty.ensemble import Ensemble, Quantity, interval, with_ends

if TYPE_CHECKING:
    from scaling_jax.api.result import FitResult

__all__ = ["Allocation", "AllocationDraws"]

FRONTIER_ROWS = 40
FRONTIER_NEEDS = 3
SHOWN = 12  # optima in a notebook


@law(units={"C": "FLOP", "target": "nats/token"})
def best_of_budget(
    C, *, E: Real, A: Real, gamma: Real, N_slope: Real, N_level: Real, D_slope: Real, D_level: Real
):
    r"""The loss of the best run of a budget, $E + A C^{-\gamma}$; its size and tokens are power laws in C."""
    return E + A * C**-gamma


def _on_line(name: str) -> Callable[[Named, Named], Array]:
    return lambda params, inputs: jnp.exp(
        params[f"{name}_level"] + params[f"{name}_slope"] * jnp.log(inputs["C"])
    )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Allocation(Shown, ABC):
    """Optima over compute; each approach finds and resamples its own.

    Args:
        table: flops, N, D, loss, edge (the best size was the smallest or largest tried), and what else an
            approach knows.
        warnings: what a reader must know.
    """

    table: pd.DataFrame
    warnings: list[str]

    @property
    def inside(self) -> pd.DataFrame:
        """The optima that the power laws go through: those with smaller and larger sizes tried."""
        return self.table[~self.table["edge"]]

    def exponents(self, level: float | None = None) -> pd.DataFrame:
        """Rows N and D: exponent `estimate` and log `intercept` of the power law in compute, without edges.

        Args:
            level: gives `lower`, `upper` and `se` from the bootstrap in `draws` (without `intercept`).
        """
        if level is not None:
            return self.draws.exponents(level)
        x = np.log(self.inside["flops"].to_numpy())
        lines = {name: np.ravel(line(x, np.log(self.inside[name].to_numpy())[None])) for name in ("N", "D")}
        return pd.DataFrame.from_dict(lines, orient="index", columns=["estimate", "intercept"])

    def optimal(self, flops: ArrayLike, level: float | None = None) -> pd.DataFrame:
        """The best run of each budget on the power laws, as `compute_optimal` has it.

        Args:
            flops: budgets, FLOP.
            level: gives `_lower` and `_upper` of all quantities from the bootstrap in `draws`.

        Returns:
            flops, N, D, loss (on `frontier`), tokens_per_param, extrapolation (decades of compute beyond the
            optima found).
        """
        if level is not None:
            return self.draws.optimal(flops, level)
        budgets = budgets_of(flops)
        return self.on_lines(budgets, self.exponents().to_numpy(), self.losses(budgets, None)[0])

    @cached_property
    def frontier(self) -> FitResult | None:
        """The saturating frontier E + A C^-gamma through the optima, as a fit; None with fewer than three.

        E is barely identified over the few decades of compute anybody has: read `frontier.summary()` before
        extrapolating a loss.
        """
        rows = self.inside.iloc[self.frontier_rows]
        if rows["flops"].nunique() < FRONTIER_NEEDS:
            return None
        runs = {"C": rows["flops"].to_numpy(), "loss": rows["loss"].to_numpy()}
        return fit(laws.compute_frontier, runs, objective=SquaredError())

    @property
    def frontier_rows(self) -> np.ndarray:
        """Positions among `inside` that the frontier is fitted to: all of few, evenly drawn of many."""
        count = len(self.inside)
        return np.unique(np.linspace(0, count - 1, min(count, FRONTIER_ROWS)).astype(int))

    @cached_property
    def draws(self) -> AllocationDraws:
        """The bootstrap behind intervals: 1,000 replicates by the default way, seed 0."""
        return self.bootstrap(REPLICATES)

    def as_source(self, draws: bool) -> Source:
        """The frontier with the lines of N and D beside it, as decisions are made from it."""
        frontier = np.full(len(laws.compute_frontier.labels), np.nan)
        if self.frontier is not None:
            frontier = self.frontier.numbers
        lines = np.ravel(self.exponents().to_numpy())
        drawn = None
        if draws:
            moved = np.moveaxis(self.draws.drawn_lines, -1, 0).reshape(len(self.draws.N), -1)
            drawn = np.concatenate([self.draws.frontier_numbers, moved], axis=1)
        C = self.inside["flops"].to_numpy()
        return Source(
            law=best_of_budget,
            numbers=np.concatenate([frontier, lines]),
            draws=drawn,
            method=self.draws.method if draws else "",
            rows={"C": C},
            ends={"C": (float(C.min()), float(C.max()))},
            also={"N": _on_line("N"), "D": _on_line("D")},
            notes=tuple(self.warnings),
        )

    def _growth(self) -> pd.DataFrame:
        """The exponents, with intervals where the table shows any noise."""
        try:
            return self.exponents(0.9)
        except ValueError:
            return self.exponents()

    def _said(self) -> str:
        """How the best run grows, in a sentence."""
        words = []
        for name, row in self._growth().iterrows():
            ends = f" [{row['lower']:.2f}, {row['upper']:.2f}]" if "lower" in row else ""
            words.append(f"{name}* grows as C^{row['estimate']:.2f}{ends}")
        low, high = (written(self.inside["flops"].agg(end), FLOP, 2) for end in ("min", "max"))
        return f"{', '.join(words)}; {len(self.inside)} optima from {low} to {high} FLOP."

    def _title(self) -> str:
        return f"{type(self).__name__} of {len(self.inside)} optima"

    def _sections(self) -> list[Section]:
        blocks: list[Block] = [Words(self._said(), "care" if self.warnings else "lead")]
        blocks += [Items(tuple(self.warnings))] if self.warnings else []
        rows = np.unique(np.linspace(0, len(self.inside) - 1, SHOWN).astype(int))
        some = f"{len(rows)} of the {len(self.inside)} optima" if len(self.inside) > SHOWN else "Optima"
        return [
            Section("", blocks),
            Section("Exponents of compute, 90 % intervals", [grid_of(self._growth(), True)]),
            Section(some, [grid_of(self.inside.iloc[rows], False, hide=("edge",))]),
        ]

    def __str__(self) -> str:
        table = self._growth().to_string(float_format=lambda x: f"{x:.3f}")
        return "\n".join([self._title(), self._said(), "", table, *self.warnings])

    def __repr__(self) -> str:
        return f"<{self._title()}>"

    @abstractmethod
    def bootstrap(self, n: int = 1000, *, seed: int = 0) -> AllocationDraws:
        """Replicates of the optima."""

    def losses(self, budgets: np.ndarray, numbers: np.ndarray | None) -> np.ndarray:
        """(vectors, budgets) losses on the frontier, of its fit or of other numbers; NaN without one."""
        if self.frontier is None:
            return np.full((1, len(budgets)), np.nan)
        numbers = self.frontier.numbers if numbers is None else numbers
        return predict(laws.compute_frontier, numbers, {"C": budgets})

    def on_lines(self, budgets: np.ndarray, lines: np.ndarray, loss: np.ndarray) -> pd.DataFrame:
        """The table of `optimal` from the lines of N and D, (2, slope and intercept)."""
        N, D = (np.exp(intercept + slope * np.log(budgets)) for slope, intercept in lines)
        low, high = np.log10(self.inside["flops"].min()), np.log10(self.inside["flops"].max())
        beyond = np.maximum(0.0, np.maximum(np.log10(budgets) - high, low - np.log10(budgets)))
        table = {"flops": budgets, "N": N, "D": D, "loss": loss, "tokens_per_param": D / N}
        return pd.DataFrame(table | {"extrapolation": beyond})


@dataclass(frozen=True, eq=False)
class AllocationDraws:
    """Plausible optima, and the power laws through each set of them.

    Args:
        source: the optima they belong to.
        flops, N, D: (draws, points); NaN where a draw has no optimum inside the sizes tried.
        loss: (draws, rows of `source.frontier`) the loss of the best run there.
        lines: (2, slope and intercept) of N and D, the point estimate.
        weight: (points,) of each optimum in the lines.
        method: how they were drawn, in words.
    """

    source: Allocation
    flops: np.ndarray
    N: np.ndarray
    D: np.ndarray
    loss: np.ndarray
    lines: np.ndarray
    weight: np.ndarray
    method: str

    @cached_property
    def drawn_lines(self) -> np.ndarray:
        """(2, slope and intercept, draws) of N and D; NaN for draws with fewer than two optima."""
        return np.stack(
            [line(np.log(self.flops), np.log(values), self.weight) for values in (self.N, self.D)]
        )

    @cached_property
    def frontier_numbers(self) -> np.ndarray:
        """(draws, 3) refits of the frontier; NaN for draws with fewer than three optima."""
        frontier = self.source.frontier
        if frontier is None:
            return np.full((len(self.N), len(laws.compute_frontier.labels)), np.nan)
        known = np.isfinite(self.loss)
        targets = np.where(known, np.log(np.where(known, self.loss, 1.0)), np.log(frontier.data().target))
        enough = known.sum(axis=1) >= FRONTIER_NEEDS
        weights = np.where(enough[:, None], known, True).astype(float)
        found = refit([vary(frontier, weight=weights, target=targets)], careful=False)[0]
        return np.where(enough[:, None], found.numbers, np.nan)

    @cached_property
    def slopes(self) -> Ensemble:
        """The exponents `a` (N) and `b` (D) of every draw."""
        return Ensemble(("a", "b"), self.lines[:, 0], self.drawn_lines[:, 0].T, self.method)

    def exponents(self, level: float = 0.9) -> pd.DataFrame:
        """Rows N and D: estimate, lower, upper (percentiles), se (standard deviation of the draws)."""
        return self.slopes.conf_int(level).rename(index={"a": "N", "b": "D"})

    def optima(self, level: float = 0.9) -> pd.DataFrame:
        """One row per optimum inside.

        Returns:
            flops, N with `N_lower`, `N_upper`, and `kept`, the share of draws that have an optimum there.

        Raises:
            ValueError: where each draw has optima at other budgets (the convex hull).
        """
        if not (self.flops == self.flops[0]).all():
            raise ValueError(
                "The vertices of a hull differ from draw to draw: ask for .optimal(flops) or .exponents()."
            )
        lower, upper = interval(self.N, level)
        kept = np.isfinite(self.N).mean(axis=0)
        best = {"flops": self.flops[0], "N": self.source.inside["N"].to_numpy()}
        return pd.DataFrame(best | {"N_lower": lower, "N_upper": upper, "kept": kept})

    def optimal(self, flops: ArrayLike, level: float = 0.9) -> pd.DataFrame:
        """The best run of each budget, `_lower` and `_upper` of all of it; see `Allocation.optimal`."""
        budgets = budgets_of(flops)
        table = self.source.on_lines(budgets, self.lines, self.source.losses(budgets, None)[0])
        N, D = (np.exp(i[:, None] + s[:, None] * np.log(budgets)) for s, i in self.drawn_lines)
        loss = self.source.losses(budgets, self.frontier_numbers)
        table = with_ends(table, {"N": N, "D": D, "loss": loss, "tokens_per_param": D / N}, level)
        table.attrs["level"], table.attrs["method"] = level, f"{len(self.N):,} replicates: {self.method}"
        return table

    def derive(self, quantity: Quantity, level: float = 0.9) -> pd.DataFrame:
        """Any function of the exponents `a` (N) and `b` (D), arrays (draws,): estimate, lower, upper, se."""
        return self.slopes.derive(quantity, level)

    def __repr__(self) -> str:
        return f"<{len(self.N)} draws of {len(self.source.inside)} optima: {self.method}>"
