"""Eight laws on 92 learning curves (Alabdulmohsin et al. 2022) and eight on our sweep, by extrapolation.

Run as `python -m benchmarks.compare_laws [folder of the shared tables]`; each call of `compare_laws` is timed
in a process that has compiled nothing for it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pandas as pd

import scaling_jax as sj
from benchmarks.report import save

L = sj.laws
CURVE_LAWS = [
    L.power_law,
    L.power_law_floor,
    L.shifted_power_law,
    (L.ceiling_power_law, {"fixed": {"e_0": 1.01}}),
    L.rectified,
    L.compute_frontier,
    L.bnsl(1),
    L.bnsl(2),
]
SWEEP_LAWS = [
    L.chinchilla,
    L.chinchilla_tied,
    L.chinchilla_gamma,
    L.multiplicative,
    L.kaplan,
    L.bracket,
    L.compute_only,
    L.power_law,
]


def curves(folder: Path) -> pd.DataFrame:
    """Fitted on the first half of a curve, judged on the second; rates below 1.01, where all are defined."""
    table = pd.read_csv(folder / "revisiting/learning_curves.csv")
    columns = dict.fromkeys(("x", "D", "C"), "seen_examples")
    return sj.compare_laws(
        CURVE_LAWS,
        table,
        by=["domain", "task", "model"],
        inputs=columns,
        target="loss",
        holdout="split == 'extrapolate'",
        objective=sj.SquaredError(),
    )


def sweep() -> pd.DataFrame:
    """Final losses of the sweep's main arm; the largest size is held out."""
    runs = sj.datasets.load("tiny_sweep")
    runs = runs[runs["final"] & (runs["arm"] == "main")]
    columns = {"N": "n_params", "D": "tokens", "C": "flops", "x": "flops"}
    return sj.compare_laws(
        SWEEP_LAWS, runs, inputs=columns, holdout=lambda t: t["n_params"] >= t["n_params"].max()
    )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    texts, record = [], {}
    for name, call in (("learning curves", lambda: curves(folder)), ("tiny_sweep", sweep)):
        begun = time.perf_counter()
        table = call()
        seconds = time.perf_counter() - begun
        texts.append(f"{name}: {seconds:.1f} s cold\n{table.to_string(float_format=lambda v: f'{v:.4g}')}\n")
        record[name] = {"seconds_cold": seconds, "table": table.reset_index().to_dict("records")}
        print(texts[-1], flush=True)
    save("compare_laws", "\n".join(texts), record)


if __name__ == "__main__":
    main()
