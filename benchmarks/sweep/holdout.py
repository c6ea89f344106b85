"""`python -m benchmarks.sweep.holdout`: does a law fitted to the lower budgets predict the top one?

Chinchilla's law is fitted to the decayed runs of all budgets below the top one, and of those a decade or more below it;
the error on the top budget stands beside the spread between seeds, below which no law can get.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from .__main__ import TABLE

PARAMETERS = ["E", "A", "B", "alpha", "beta"]


def finished(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["arm"] == "main") & table["final"]]


def seed_deviation(runs: pd.DataFrame) -> tuple[float, int]:
    """Pooled standard deviation of the loss between seeds of one configuration, and the number of configurations."""
    by = runs.groupby(["width", "tokens"])["loss"]
    several = by.count() >= 3
    return float(np.sqrt(by.var()[several].mean())), int(several.sum())


def predict(p: np.ndarray, n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Chinchilla with E, A, B as logarithms, and N and D in units near the data's middle for conditioning."""
    return np.exp(p[0]) + np.exp(p[1] - p[3] * np.log(n / 1e5)) + np.exp(p[2] - p[4] * np.log(d / 1e6))


def fit(runs: pd.DataFrame, count: str = "n_params") -> np.ndarray:
    """The best of many starts: Huber's loss on the logarithm of the loss, as Hoffmann et al. fitted."""
    n, d, log_loss = runs[count].to_numpy(float), runs["tokens"].to_numpy(float), np.log(runs["loss"].to_numpy())

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.log(predict(p, n, d)) - log_loss

    random = np.random.default_rng(0)
    starts = random.uniform([-2, -3, -3, 0.1, 0.1], [0.7, 0.7, 0.7, 1, 1], (60, 5))
    found = [least_squares(residuals, s, loss="huber", f_scale=1e-3, x_scale="jac", max_nfev=2000) for s in starts]
    return min(found, key=lambda r: r.cost).x


def natural(p: np.ndarray) -> dict[str, float]:
    a, b = np.exp(p[1] + p[3] * np.log(1e5)), np.exp(p[2] + p[4] * np.log(1e6))
    return dict(zip(PARAMETERS, (float(np.exp(p[0])), float(a), float(b), float(p[3]), float(p[4])), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep.holdout", description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    runs = finished(pd.read_csv(parser.parse_args().table))
    deviation, configurations = seed_deviation(runs)
    top = runs["budget"].max()
    test = runs[runs["budget"] == top]
    print(f"seeds: standard deviation {deviation:.4f} nats/byte over {configurations} configurations")
    for count in ("n_params", "n_params_nonemb"):
        for below in (0.99 * top, 0.101 * top):
            used = runs[runs["budget"] <= below]
            p = fit(used, count)
            error = predict(p, test[count].to_numpy(float), test["tokens"].to_numpy(float)) - test["loss"].to_numpy()
            inside = predict(p, used[count].to_numpy(float), used["tokens"].to_numpy(float)) - used["loss"].to_numpy()
            print(
                f"{count}, budgets up to {used['budget'].max():.2g} ({len(used)} runs) -> {top:.2g} ({len(test)} runs): "
                f"error mean {error.mean():+.4f}, rms {np.sqrt(np.mean(error**2)):.4f} "
                f"({100 * np.sqrt(np.mean((error / test['loss']) ** 2)):.2f} %); rms where fitted {np.sqrt(np.mean(inside**2)):.4f}"
            )
            print("   ", ", ".join(f"{k} {v:.4g}" for k, v in natural(p).items()))


if __name__ == "__main__":
    main()
