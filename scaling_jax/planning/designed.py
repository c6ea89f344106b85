"""What `sj.next_runs` found: the runs, and what they are worth to the answer, in numbers and words."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.reporting.blocks import Items, Section, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.uncertainty.ensemble import tail_of
from scaling_jax.uncertainty.tails import normal_quantile

__all__ = ["NextRuns"]

NEAR = 1.15  # times the floor: more runs of these sizes hardly help


@dataclass(frozen=True, eq=False)
class NextRuns(Shown):
    """Runs worth training; made by `sj.next_runs`.

    Args:
        table: a row per place chosen, dearest first: recipe (where there are several), the law's inputs, runs
            (how many there), cost (of all of them), share of the budget, laws_apart (where there are several
            laws: standard deviation between what they say there, in logs).
        before, after: standard deviation of the answer (the log of a loss, an optimum or a positive
            parameter), without and with the runs.
        floor: what any number of runs at the candidates would leave.
        spent: cost of the chosen.
        budget: what was to be spent.
        answer: what is wanted, in words.
        level: of `halfwidth`.
        bound: no choice of runs for the budget leaves less.
        gap: of a contrast, the difference of log losses as it is known now, the second less the first.
        names: the two recipes of a contrast.
    """

    table: pd.DataFrame
    before: float
    after: float
    floor: float
    spent: float
    budget: float
    answer: str
    level: float
    bound: float = 0.0
    gap: float = np.nan
    names: tuple[Hashable, Hashable] | None = None

    @property
    def halfwidth(self) -> float:
        """Half the interval of the answer with the runs."""
        return float(normal_quantile(1 - tail_of(self.level)) * self.after)

    @property
    def efficiency(self) -> float:
        """The least variance that any choice for the budget could leave, as a share of what this one does."""
        return float((self.bound / self.after) ** 2) if self.after > 0 else 1.0

    @property
    def settled(self) -> float:
        """Of a contrast, the probability that the runs will call a winner at `level`; NaN without one.

        What will be thought of the difference is normal about what is thought now, and its variance is that
        by which the runs lessen what is open.
        """
        from scipy.special import ndtr

        if self.names is None:
            return np.nan
        moves = np.sqrt(max(self.before**2 - self.after**2, 0.0)) or 1e-300
        bar = normal_quantile(self.level) * self.after
        return float(ndtr((self.gap - bar) / moves) + ndtr((-self.gap - bar) / moves))

    @property
    def bought(self) -> dict[str, float | int | str]:
        """The row of `sj.precision_for`."""
        return {
            "budget": self.budget,
            "runs": int(self.table["runs"].sum()),
            "sd": self.after,
            "halfwidth": self.halfwidth,
            "bound": self.bound,
            "floor": self.floor,
            "largest": float((self.table["cost"] / self.table["runs"]).max()) if len(self.table) else 0.0,
            "advice": "only larger runs help" if self._at_floor else "more runs help",
        }

    @property
    def _at_floor(self) -> bool:
        return self.after <= NEAR * self.floor

    def _sentences(self) -> list[str]:
        runs = int(self.table["runs"].sum())
        percent = 100 * normal_quantile(1 - tail_of(self.level))
        least = f"Any number of runs at these sizes leaves +-{percent * self.floor:.2g} %"
        said = [
            f"{runs} run{'' if runs == 1 else 's'} for {self.spent:.3g} of {self.budget:.3g}: the interval "
            f"of {self.answer} goes from +-{percent * self.before:.2g} % to +-{percent * self.after:.2g} % "
            f"({100 * self.level:.3g} %).",
            f"No choice for this budget gets below +-{percent * self.bound:.2g} % (efficiency "
            f"{100 * self.efficiency:.0f} %).",
            f"{least}: more of them hardly help, only larger runs do." if self._at_floor else f"{least}.",
        ]
        if self.names is not None:
            from scipy.special import ndtr

            ahead = self.names[0] if self.gap > 0 else self.names[1]
            now = float(ndtr(abs(self.gap) / self.before))
            said.append(
                f"{ahead} is ahead by {100 * abs(self.gap):.2g} %, with probability {now:.2f}; the runs call "
                f"a winner at {100 * self.level:.3g} % with probability {self.settled:.2f}."
            )
        return said

    def __str__(self) -> str:
        shown = self.table.to_string(index=False, float_format=lambda v: f"{v:.3g}")
        return "\n".join([*self._sentences(), shown])

    def __repr__(self) -> str:
        return f"<NextRuns: {int(self.table['runs'].sum())} runs, sd {self.before:.3g} to {self.after:.3g}>"

    def _title(self) -> str:
        return f"Runs to train next for {self.answer}"

    def _sections(self) -> list[Section]:
        return [Section("", [Items(tuple(self._sentences())), grid_of(self.table, index=False)])]
