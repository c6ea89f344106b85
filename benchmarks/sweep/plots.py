"""`python -m benchmarks.sweep.plots`: the two pictures of the dataset card."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("svg")
import matplotlib.pyplot as plt

from .__main__ import TABLE

FOLDER = TABLE.parents[2] / "docs" / "datasets"
STYLE = {
    "figure.figsize": (7.2, 4.4),
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "tiny_sweep",  # element names, so that equal tables are equal pictures
}


def by_size(table: pd.DataFrame) -> plt.Figure:
    main = table[(table["arm"] == "main") & (table["seed"] == 0)]
    figure, axes = plt.subplots(layout="constrained")
    sizes = sorted(main["n_params"].unique())
    for colour, n in zip(plt.cm.viridis(np.linspace(0, 0.93, len(sizes))), sizes, strict=True):
        rows = main[main["n_params"] == n].sort_values("tokens")
        trunk, ends = rows[~rows["decayed"]], rows[rows["decayed"]]
        axes.plot(trunk["tokens"], trunk["loss"], color=colour, lw=0.9, alpha=0.6)
        axes.plot(ends["tokens"], ends["loss"], "o-", color=colour, ms=4, lw=1.4, label=f"{n / 1e3:.3g}k")
    axes.set(xscale="log", xlabel="training bytes D", ylabel="validation loss (nats/byte)")
    axes.set_ylim(top=3.2)
    axes.set_title("Thin lines: checkpoints at the constant rate; dots: decayed runs", fontsize=10)
    axes.legend(title="parameters N", frameon=False, ncols=2, fontsize=8)
    return figure


def iso_flop(table: pd.DataFrame) -> plt.Figure:
    runs = table[(table["arm"] == "main") & table["final"]]
    figure, axes = plt.subplots(layout="constrained")
    budgets = sorted(runs["budget"].unique())
    for colour, budget in zip(plt.cm.plasma(np.linspace(0, 0.88, len(budgets))), budgets, strict=True):
        rows = runs[runs["budget"] == budget]
        mean = rows.groupby("n_params")["loss"].mean()
        axes.plot(rows["n_params"], rows["loss"], "o", color=colour, ms=3.5, alpha=0.7)
        axes.plot(mean.index, mean, color=colour, lw=1.1, label=f"{budget:.2g}")
    axes.set(xscale="log", xlabel="parameters N", ylabel="validation loss (nats/byte)")
    axes.set_title("Runs of equal compute 6ND", fontsize=10)
    axes.legend(title="FLOP", frameon=False, fontsize=8)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep.plots", description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    table = pd.read_csv(options.table)
    with plt.rc_context(STYLE):
        for name, draw in {"tokens": by_size, "isoflop": iso_flop}.items():
            draw(table).savefig(options.folder / f"tiny_sweep_{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
