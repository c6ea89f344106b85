"""Draws the README's picture: our own sweep, the fitted law, and how far it may be believed beyond the
data."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import scaling_jax as sj
from scaling_jax import plot

OUT = Path(__file__).parent / "_static" / "sweep.svg"


def main() -> None:
    runs = sj.datasets.load("tiny_sweep")
    fit = sj.fit(
        sj.laws.chinchilla,
        runs,
        inputs={"N": "n_params", "D": "tokens"},
        run="run",
        where="arm == 'main' and final",
    )
    plt.rcParams |= {"svg.hashsalt": "scaling_jax", "svg.fonttype": "none"}
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    plot.curves(fit, "D", ax=left)
    left.set(
        xlabel="training bytes D", ylabel="validation loss (nats/byte)", title="95 finished runs, one law"
    )
    left.legend(fontsize=6.5, frameon=False, ncols=2)
    N = np.geomspace(5e3, 5e6, 60)
    band = fit.predict({"N": N, "D": 60 * N}, interval="confidence")
    right.plot(N, band["prediction"], color="C0")
    right.fill_between(
        N, band["lower"], band["upper"], alpha=0.25, lw=0, label="90 % band of the mean curve, runs resampled"
    )
    right.axvline(runs["n_params"].max(), color="0.6", lw=0.8, ls="--")
    right.annotate(
        "largest model trained",
        (runs["n_params"].max(), 2.2),
        rotation=90,
        ha="right",
        va="top",
        fontsize=8,
        color="0.4",
    )
    right.set(
        xscale="log",
        xlabel="parameters N, at 60 bytes each",
        ylabel="validation loss (nats/byte)",
        title="beyond the data",
    )
    right.legend(fontsize=8, frameon=False)
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    OUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
