"""The pictures of the pages, made anew for every build, on white and on dark, from the sweep that ships.

`python docs/make_pictures.py FOLDER` writes them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import scaling_jax as sj

COLUMNS = {"N": "n_params", "D": "tokens"}
DPI = 170
WEB = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
FILTERED = WEB | {"B": 2600.0, "E": 1.79}
WATCHED = "main-d24-seed0"


@cache
def runs() -> pd.DataFrame:
    return sj.datasets.load("tiny_sweep").query("arm == 'main' and final")


@cache
def fit() -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, runs(), inputs=COLUMNS, run="run")


@cache
def plan() -> object:
    return sj.plan(fit(), flops=[1e13, 1e14])


@cache
def approaches() -> object:
    return sj.approaches(runs(), budget="budget", **COLUMNS, run="run")


@cache
def contrast() -> object:
    """Two simulated recipes, of which one starts ahead and the other ends lower."""
    law, N = sj.laws.chinchilla, np.repeat(np.geomspace(5e7, 3e9, 8), 3)
    D = np.tile([8, 20, 60], 8) * N
    fits = {}
    for name, recipe in (("web", WEB), ("filtered", FILTERED)):
        noise = np.exp(0.004 * np.random.default_rng(len(name)).normal(size=len(N)))
        fits[name] = sj.fit(law, {"N": N, "D": D, "loss": law(N, D, **recipe) * noise})
    return sj.contrast(fits, flops=[1e22, 1e24])


@cache
def watched(fault: float) -> object:
    """One run of the sweep watched by the others, its losses raised by a share from the middle on."""
    table = sj.datasets.load("tiny_sweep").query("arm == 'main' and not decayed and tokens > 1e5")
    family = sj.fit(sj.laws.chinchilla, table[table["run"] != WATCHED], inputs=COLUMNS, run="run")
    one = table[table["run"] == WATCHED].sort_values("tokens")
    late = np.arange(len(one)) >= len(one) // 2
    so_far = one.assign(loss=one["loss"] * np.where(late, 1 + fault, 1)).iloc[:-3]
    return family.monitor(so_far, until={"D": float(one["tokens"].max())})


@cache
def ahead() -> object:
    return sj.forecast(runs(), "loss", at={"n_params": [5e6], "tokens": [1e8]}, inputs=COLUMNS, run="run")


@cache
def design() -> object:
    return sj.next_runs(fit(), 2e13, flops=1e15)


PICTURES: dict[str, Callable[[], object]] = {
    "fan": lambda: sj.plot.fan(fit(), {"n_params": [2e6], "tokens": [8e7]}),
    "contours": lambda: sj.plot.contours(plan()),
    "predicted": lambda: sj.plot.predicted(fit(), fit().backtest()),
    "curves": lambda: sj.plot.curves(fit()),
    "residuals": lambda: sj.plot.residual_panels(fit()),
    "pairs": lambda: sj.plot.pairs(fit(), ["E", "A", "alpha", "B", "beta"]),
    "influence": lambda: sj.plot.influence(fit()),
    "sensitivity": lambda: sj.plot.sensitivity(fit().sensitivity(flops=1e14)),
    "backtest": lambda: sj.plot.backtest(fit().backtest()),
    "plan": lambda: sj.plot.plan(plan(), "tokens_per_param"),
    "isoflop": lambda: sj.plot.isoflop(sj.isoflop(runs(), budget="budget", **COLUMNS)),
    "envelope": lambda: sj.plot.envelope(sj.envelope(runs(), run="run", **COLUMNS)),
    "approaches": lambda: sj.plot.approaches(approaches(), "loss"),
    "contrast": lambda: sj.plot.contrast_panels(contrast()),
    "watching": lambda: sj.plot.monitor(watched(0.0)),
    "watching_fault": lambda: sj.plot.monitor(watched(0.08)),
    "forecast": lambda: sj.plot.forecast(ahead()),
    "weights": lambda: sj.plot.weights(ahead()),
    "next_runs": lambda: sj.plot.next_runs(design(), fit()),
}


def make(folder: Path) -> None:
    """Writes every picture twice: NAME.png and NAME_dark.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        for dark in (False, True):
            with sj.plot.style(dark=dark):
                axes = np.ravel(np.asarray(draw(), dtype=object))
            figure = axes[0].figure.figure
            figure.savefig(folder / f"{name}{'_dark' * dark}.png", dpi=DPI)
            plt.close(figure)


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "pictures"))
