"""`python -m benchmarks.sweep.holdout`: does a law fitted to the lower budgets predict the top one?

Chinchilla's law is fitted to the decayed runs of all budgets below the top one, then only to those well below
it; the error on the top budget stands beside the spread between seeds, below which no law can get.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj

from .__main__ import TABLE


def finished(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["arm"] == "main") & table["final"]]


def seed_deviation(runs: pd.DataFrame) -> tuple[float, int]:
    """Pooled standard deviation of the loss between seeds of a configuration, and how many there are."""
    by = runs.groupby(["width", "tokens"])["loss"]
    several = by.count() >= 3
    return float(np.sqrt(by.var()[several].mean())), int(several.sum())


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep.holdout", description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    runs = finished(pd.read_csv(parser.parse_args().table))
    deviation, configurations = seed_deviation(runs)
    print(f"seeds: standard deviation {deviation:.4f} nats/byte over {configurations} configurations")
    budgets = sorted(runs["budget"].unique())
    test = runs[runs["budget"] == budgets[-1]]
    print(f"held out: {len(test)} runs of {budgets[-1]:.2g} FLOP; errors in nats/byte")
    for count in ("n_params", "n_params_nonemb"):
        for highest in (budgets[-2], budgets[-4]):
            used = runs[runs["budget"] <= highest]
            fit = sj.fit(
                sj.laws.chinchilla, used, inputs={"N": count, "D": "tokens"}, target="loss", run="run"
            )
            error = fit.predict(test) - test["loss"].to_numpy()
            inside = fit.predict(used) - used["loss"].to_numpy()
            print(
                f"N = {count}, {len(used)} runs up to {highest:.2g} FLOP: "
                f"mean error {error.mean():+.4f}, rms {rms(error):.4f} "
                f"({100 * rms(error / test['loss']):.2f} %); rms where fitted {rms(inside):.4f}; "
                f"{fit.n_agree} of {fit.n_polished} starts agree; "
                + ", ".join(f"{k} {v:.4g}" for k, v in fit.params.items())
            )


if __name__ == "__main__":
    main()
