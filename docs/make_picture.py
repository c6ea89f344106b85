"""Draws the README's picture: our own sweep, the fitted law, and how far it may be believed beyond the
data."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import scaling_jax as sj

OUT = Path(__file__).parent / "_static" / "sweep.svg"


def main() -> None:
    runs = sj.datasets.load("tiny_sweep").query("arm == 'main' and final")
    fit = sj.fit(sj.laws.chinchilla, runs, inputs={"N": "n_params", "D": "tokens"}, run="run")
    with sj.plot.style(), plt.rc_context({"svg.hashsalt": "scaling_jax"}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 2.9), layout="constrained")
        sj.plot.curves(fit, "D", ax=left)
        sj.plot.fan(fit, ax=right)
        left.set(xlabel="training data D (bytes)", ylabel="validation loss (nats/byte)")
        right.set_ylabel("")
        left.set_title("95 finished runs, one law")
        right.set_title("the same law, beyond them", pad=14)
        OUT.parent.mkdir(exist_ok=True)
        figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
