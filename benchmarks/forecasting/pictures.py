"""Whether probabilities hold: where truths fell in the distributions that were forecast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["histograms"]

BINS = 10


def histograms(table: pd.DataFrame, path: Path) -> None:
    """PIT histograms, each task as it is and every suite counting alike, and per horizon."""
    from matplotlib.figure import Figure

    counts = table.groupby("suite")["pit"].transform("size")
    panels = {
        "every task": (table, np.ones(len(table))),
        "suites alike": (table, 1 / counts.to_numpy()),
        "below 10x compute": _part(table, table["horizon"] < 1),
        "10x compute and beyond": _part(table, table["horizon"] >= 1),
    }
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    for axes, (title, (rows, weight)) in zip(figure.subplots(1, 4, sharey=True), panels.items(), strict=True):
        axes.hist(rows["pit"], bins=BINS, range=(0, 1), weights=weight * BINS / weight.sum(), color="#4c72b0")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(title=f"{title}\n{len(rows)} tasks", xlabel="place of the truth", xticks=[0, 0.5, 1])
    figure.axes[0].set_ylabel("density")
    figure.savefig(path)


def _part(table: pd.DataFrame, kept: pd.Series) -> tuple[pd.DataFrame, np.ndarray]:
    rows = table[kept]
    return rows, 1 / rows.groupby("suite")["pit"].transform("size").to_numpy()
