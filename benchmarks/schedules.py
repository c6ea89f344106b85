"""The annealing law on loss curves under nine schedules, and what sums of many curves cost.

`python -m benchmarks.schedules [folder of the shared tables]` fits `laws.tissue` to three schedules of
each of three model sizes and predicts six others, for several momenta, with the numbers to be met beside;
times a warm fit of all nine; and sums 1,000 curves of 50,000 updates.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import peak_megabytes, save
from tests.cases.schedules import WANTED, fitted, with_sums

MOMENTA = (0.99, 0.995, 0.998, 0.999, 0.9995)
STARTS = 32


def met(curves: pd.DataFrame) -> pd.DataFrame:
    """Found and wanted, one row per momentum and size."""
    rows = []
    for momentum in MOMENTA:
        for size, found in fitted(with_sums(curves, momentum)).iterrows():
            params, objective, r2, mae = WANTED.get((size, momentum), ((), None, None, None))
            wanted = {"objective wanted": objective, "R2 wanted": r2, "MAE wanted": mae}
            wanted |= dict(zip(("L0 wanted", "A wanted", "alpha wanted", "C wanted"), params, strict=False))
            rows.append({"momentum": momentum, "size": size, **found, **wanted})
    table = pd.DataFrame(rows).set_index(["momentum", "size"])
    return table[sorted(table.columns, key=lambda name: (name.split()[0] != "status", name))]


def seconds_of_a_fit(curves: pd.DataFrame) -> float:
    """Of the law to nine schedules of every size at once, from 32 starts, once its programs are there."""
    table = with_sums(curves, 0.998)
    for _ in range(2):
        began = time.perf_counter()
        sj.fit_groups(sj.laws.tissue, table, by="size_m", run="schedule", starts=STARTS)
    return time.perf_counter() - began


def cost_of_sums() -> tuple[float, float]:
    """Seconds, and megabytes beyond the curves, of 1,000 curves of 50,000 updates at 100 checkpoints each."""
    curves = {i: sj.schedules.cosine(50_000, 1e-3 * (1 + i / 1000), warmup=500) for i in range(1000)}
    at, run = np.tile(np.arange(500, 50_001, 500), 1000), np.repeat(np.arange(1000), 100)
    before, began = peak_megabytes(), time.perf_counter()
    sj.schedules.features(curves, at, run=run)
    return time.perf_counter() - began, peak_megabytes() - before


def main(folder: Path) -> None:
    curves = pd.read_csv(folder / "lr_schedules/curves.csv")
    table = met(curves)
    fit, (sums, memory) = seconds_of_a_fit(curves), cost_of_sums()
    text = "\n".join(
        [
            "The annealing law fitted to three schedules, R2 and MAE (nats/token) on six others",
            "",
            table.T.to_string(float_format=lambda x: f"{x:.6g}", na_rep=""),
            "",
            f"fit of 9 schedules of 3 sizes from {STARTS} starts, warm: {fit:.2f} s",
            f"sums of 1,000 curves of 50,000 updates: {sums:.1f} s, {memory:.0f} MB beside the curves' 400",
        ]
    )
    print(text)
    plain = table.reset_index().astype(object)
    laws = plain.where(plain.notna(), None).to_dict("records")
    record = {"laws": laws, "fit_s": fit, "sums_s": sums, "sums_mb": memory}
    save("schedules", text, record)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))
