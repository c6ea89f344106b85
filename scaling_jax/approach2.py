"""Approach 2: the best size of each compute budget from the vertex of a parabola, and a power law through the vertices."""

from __future__ import annotations

import warnings as python_warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.data import DataError
from scaling_jax.plan import budgets_of

__all__ = ["Isoflop", "isoflop"]


@dataclass(frozen=True, eq=False)
class Isoflop:
    """Best sizes of compute budgets. table: flops, N, D, loss, sizes (how many), edge (vertex outside the sizes tried); warnings."""

    table: pd.DataFrame
    warnings: list[str] = field(default_factory=list)

    def exponents(self) -> pd.DataFrame:
        """Rows N and D with the exponent `estimate` and log `intercept` of the power law in compute; edges are left out."""
        good = self.table[~self.table["edge"]]
        lines = {name: np.polyfit(np.log(good["flops"]), np.log(good[name]), 1) for name in ("N", "D")}
        return pd.DataFrame.from_dict(lines, orient="index", columns=["estimate", "intercept"])

    def optimal(self, flops: Any) -> pd.DataFrame:
        """One row per budget (FLOP): flops, N, D, tokens_per_param, on the power laws."""
        budgets, lines = budgets_of(flops), self.exponents()
        N, D = (np.exp(lines.loc[k, "intercept"] + lines.loc[k, "estimate"] * np.log(budgets)) for k in ("N", "D"))
        return pd.DataFrame({"flops": budgets, "N": N, "D": D, "tokens_per_param": D / N})


def isoflop(runs: pd.DataFrame, *, budget: str, N: str = "N", D: str = "D", loss: str = "loss") -> Isoflop:
    r"""The compute-optimal size of each budget: the vertex of a parabola of the loss in log size.

    $$L = c_0 + c_1 \ln N + c_2 (\ln N)^2, \quad \ln N^* = -\frac{c_1}{2 c_2}; \qquad N^* \propto C^a, \; D^* \propto C^b$$

    Args:
        runs: one row per run.
        budget, N, D, loss: columns of the compute budget (FLOP; equal within a budget), parameters, tokens and loss.

    Returns:
        An `Isoflop`; its warnings name budgets with a vertex on an edge or fewer than three sizes, and fewer than three budgets.

    Raises:
        DataError: for a missing column, values that are not positive, or fewer than two budgets with a vertex inside.

    Known to go wrong: a parabola over a wide range of sizes moves the level of N* (Czech et al. 2026, arXiv:2603.22339), not its
    exponent; D* is that of a power law in N through the budget's runs.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), section 3.2.
    """
    if missing := [name for name in (budget, N, D, loss) if name not in runs]:
        raise DataError(f"runs has no column {', '.join(map(repr, missing))}; name the columns: budget=, N=, D=, loss=.")
    values = runs[[budget, N, D, loss]].set_axis(["flops", "N", "D", "loss"], axis=1).astype(float)
    if not (np.isfinite(values) & (values > 0)).all(axis=None):
        raise DataError(f"Columns {budget!r}, {N!r}, {D!r} and {loss!r} must be positive and finite: drop the rows that are not.")
    found, notes = [], []
    for flops, group in values.groupby("flops"):
        sizes = group["N"].nunique()
        if sizes < 3:
            notes.append(f"Budget {flops:.3g} has {sizes} sizes and a parabola needs three: it is left out.")
            continue
        x = np.log(group["N"])
        middle = x.mean()
        bend, slope, level = np.polyfit(x - middle, group["loss"], 2)
        vertex = -slope / (2 * bend) if bend > 0 else np.inf
        edge = not x.min() < vertex + middle < x.max()
        if edge:
            notes.append(f"Budget {flops:.3g} has its vertex outside the sizes tried: it is left out of the power laws.")
        tokens = np.polyval(np.polyfit(x - middle, np.log(group["D"]), 1), vertex)
        best = (np.exp(vertex + middle), np.exp(tokens), level + slope * vertex / 2) if not edge else (np.nan,) * 3
        found.append((flops, *best, sizes, edge))
    table = pd.DataFrame(found, columns=["flops", "N", "D", "loss", "sizes", "edge"]).astype({"edge": bool})
    inside = int((~table["edge"]).sum())
    if inside < 2:
        raise DataError(f"{inside} budgets have a vertex inside the sizes tried and a power law needs two. " + " ".join(notes))
    if inside < 3:
        notes.append("Fewer than three budgets: the exponents have nothing to be checked against.")
    for note in notes:
        python_warnings.warn(note, UserWarning, stacklevel=2)
    return Isoflop(table, notes)
