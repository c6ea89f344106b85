"""Runs watched while they train: false alarms over 50 looks, and how soon a fault is seen.

`python -m benchmarks.watching [TABLES] [--save]`. A table is eight runs of the Chinchilla law (Besiroglu et
al. 2024) with 25 checkpoints each; a run's residuals are an offset of .4 %, errors of .3 % that fade over
half a natural log of tokens, and noise of .1 %. Twenty runs of a ninth size, 50 checkpoints each, are
watched:
healthy, or 1 % or 3 % above the trend from checkpoint 20 on. Beside stand the checkpoints' own tests
(`fit.check`, p < .05), which nobody may repeat.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save

LAW = sj.laws.chinchilla
PARAMS = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
OFFSET, FADING, NOISE, FADE = 0.004, 0.003, 0.001, 0.5
FAULT_AT, WATCHED, LOOKS = 20, 20, 50


def residuals(rng: np.random.Generator, D: np.ndarray) -> np.ndarray:
    x = np.log(D)
    V = OFFSET**2 + FADING**2 * np.exp(-np.abs(x[:, None] - x) / FADE) + NOISE**2 * np.eye(len(x))
    return np.linalg.cholesky(V) @ rng.normal(size=len(x))


def run(rng: np.random.Generator, N: float, checkpoints: int) -> pd.DataFrame:
    D = np.linspace(1, 20, checkpoints + 1)[1:] * N
    loss = np.asarray(LAW(np.full(len(D), N), D, **PARAMS)) * np.exp(residuals(rng, D))
    return pd.DataFrame({"N": N, "D": D, "loss": loss})


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    tables = numbers[0] if numbers else 25
    warnings.simplefilter("ignore")
    rows = []
    for seed in range(tables):
        rng = np.random.default_rng(seed)
        fitted = pd.concat(
            [run(rng, N, 25).assign(run=i) for i, N in enumerate(np.geomspace(5e7, 1e9, 8))],
            ignore_index=True,
        )
        fit = sj.fit(LAW, fitted, run="run", objective=sj.SquaredError())
        for _ in range(WATCHED):
            healthy = run(rng, 2e9, LOOKS)
            for fault in (0.0, 0.01, 0.03):
                watched = healthy.copy()
                watched.loc[FAULT_AT:, "loss"] *= 1 + fault
                found = fit.monitor(watched)
                at = LOOKS if found.healthy else int(found.alarm)
                early = fit.monitor(watched.head(30), until={"D": watched["D"].iloc[-1]})
                rows.append(
                    {
                        "fault": fault,
                        "alarm": not found.healthy,
                        "early": at < FAULT_AT,
                        "delay": at - FAULT_AT,
                        "held": early.end["lower"] <= watched["loss"].iloc[-1] <= early.end["upper"],
                        "width": np.log(early.end["upper"] / early.end["lower"]),
                        "naive": (fit.check(watched)["p"] < 0.05).any() if fault == 0 else np.nan,
                    }
                )
    found = pd.DataFrame(rows)
    table = found.groupby("fault").agg(
        runs=("alarm", "size"),
        alarms=("alarm", "mean"),
        before_the_fault=("early", "mean"),
        held=("held", "mean"),
        width=("width", "median"),
        naive=("naive", "mean"),
    )
    seen = found[found["alarm"] & ~found["early"]].groupby("fault")["delay"]
    table["median_delay"], table["delay_90"] = seen.median(), seen.quantile(0.9)
    text = (
        f"{LOOKS} looks; the fault begins at checkpoint {FAULT_AT}; delays in checkpoints\n\n"
        + table.to_string(float_format=lambda v: f"{v:.3g}")
    )
    print(text)
    if "--save" in sys.argv:
        save("watching", text, table.reset_index().to_dict("records"))


if __name__ == "__main__":
    main()
