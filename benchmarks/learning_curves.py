"""Learning curves of two studies, every curve of each in one batch: the rectified law, M1 to M4 and a broken
law.

`python -m benchmarks.learning_curves FOLDER` takes the folder of shared tables (rectified, revisiting) and
prints root mean squares of log errors beside the published fits of Lin et al. 2024 (arXiv:2402.02314) and
SciPy's of Alabdulmohsin et al. 2022 (arXiv:2209.06640), with the seconds of each batch, compiled and not.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax import evaluate

LOGS = sj.SquaredError(on="log")
LADDER: dict[str, tuple[sj.Law, dict[str, float] | None]] = {
    "m1": (sj.laws.power_law, None),
    "m2": (sj.laws.power_law_floor, None),
    "m3": (sj.laws.shifted_power_law, None),
    "m4": (sj.laws.ceiling_power_law, {"e_0": 1.0}),
    "bnsl1": (sj.laws.bnsl(1), None),
}
POINTS = 14  # of every fine-tuning curve


def rectified(folder: Path) -> pd.DataFrame:
    """The rectified law on all 90 fine-tuning curves: rmsd, beside `_published` and SciPy's
    (`_reference`)."""
    losses = pd.read_csv(folder / "rectified/finetune_losses.csv").query("train_size > 0")
    keys = ["dataset", "model"]
    fits = sj.fit_groups(
        sj.laws.rectified, losses, by=keys, inputs={"D": "train_size"}, target="test_loss", objective=LOGS
    )
    table = pd.DataFrame(
        [(*key, np.sqrt(fit.objective_value / POINTS)) for key, fit in fits.items()], columns=[*keys, "rmsd"]
    )
    for name, file in (("published", "published_rmsd"), ("reference", "reference_fits_scipy")):
        theirs = pd.read_csv(folder / f"rectified/{file}.csv")[[*keys, "rectified_rmsd"]]
        table = table.merge(theirs.rename(columns={"rectified_rmsd": f"rmsd_{name}"}), on=keys)
    return table


def curves(folder: Path) -> pd.DataFrame:
    """The 92 learning curves, with a name for each."""
    table = pd.read_csv(folder / "revisiting/learning_curves.csv")
    return table.assign(curve=table["domain"] + "|" + table["task"] + "|" + table["model"])


def half_fitted(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """A law of the ladder fitted to the first half of every curve: log errors there and beyond, one row per
    curve."""
    law, fixed = LADDER[name]
    if name == "m4":  # a ceiling of one says nothing of losses above it
        table = table[table.groupby("curve")["loss"].transform("max") < 1.0]
    fitted = (table["split"] == "fit").to_numpy()
    splits = evaluate.within(
        table["curve"], lambda rows: [evaluate.Split("half", fitted[rows], ~fitted[rows])]
    )
    options: dict[str, Any] = {
        "inputs": {"x": "seen_examples"},
        "target": "loss",
        "objective": LOGS,
        "fixed": fixed,
    }
    found = evaluate.score(law, table, splits, measures=["log_rmse"], **options).set_index("group")
    return found.rename(columns={"in_sample": f"inside_{name}", "log_rmse": f"beyond_{name}"})[
        [f"inside_{name}", f"beyond_{name}"]
    ]


def reference(folder: Path) -> pd.DataFrame:
    """SciPy's fits of the 92 curves, by curve."""
    table = pd.read_csv(folder / "revisiting/reference_fits_scipy.csv")
    return table.set_index(table["domain"] + "|" + table["task"] + "|" + table["model"])


def main(folder: Path) -> None:
    def timed(work: Any) -> tuple[pd.DataFrame, float, float]:
        seconds = []
        for _ in range(4):
            began = time.perf_counter()
            found = work()
            seconds.append(time.perf_counter() - began)
        return found, seconds[0], float(np.median(seconds[1:]))

    table, theirs = curves(folder), reference(folder)
    rows = {}
    tuned, cold, warm = timed(lambda: rectified(folder))
    above = {
        name: int((tuned["rmsd"] > tuned[f"rmsd_{name}"] * slack).sum())
        for name, slack in (("published", 1.0005), ("reference", 1 + 1e-6))
    }
    means = ", ".join(
        f"{name} {value:.6f}" for name, value in tuned.groupby("dataset")["rmsd"].mean().items()
    )
    for name in LADDER:
        found, first, again = timed(lambda name=name: half_fitted(table, name))
        inside, beyond = (found[f"{where}_{name}"] for where in ("inside", "beyond"))
        domain = theirs["domain"].reindex(found.index)
        rows[name] = {"curves": len(found), "cold s": first, "warm s": again} | {
            f"{where} {d}": value
            for where, column in (("in", inside), ("out", beyond))
            for d, value in column.groupby(domain).mean().items()
        }
        if f"fit_rms_{name}" in theirs:
            ratio = inside / theirs[f"fit_rms_{name}"].reindex(found.index)
            rows[name] |= {
                "worse than SciPy": int((ratio > 1.001).sum()),
                "better": int((ratio < 0.999).sum()),
            }
    ladder = pd.DataFrame.from_dict(rows, orient="index")
    text = (
        f"rectified law, {len(tuned)} curves in one batch: {cold:.1f} s cold, {warm:.2f} s warm; above the "
        "published fit on "
        f"{above['published']}, above SciPy's on {above['reference']}; mean rmsd {means}\n\n"
        "first half of each curve fitted, means by domain of root mean square log errors inside and "
        f"beyond\n{ladder.round(4).to_string()}"
    )
    print(text)
    save(
        "learning_curves",
        text,
        {"rectified": tuned.to_dict("list"), "seconds": [cold, warm], "ladder": ladder.to_dict("index")},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
