"""Learning curves of two studies, every curve of each in one batch, beside the studies' own fits.

Lin et al. 2024 (arXiv:2402.02314) publish fits of the rectified law, Alabdulmohsin et al. 2022
(arXiv:2209.06640) a ladder of four laws, of which SciPy's fits are kept beside the curves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
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
    """The rectified law on the 90 fine-tuning curves: rmsd, beside `_published` and SciPy's, `_reference`."""
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
    """A law of the ladder on the first half of each curve: log errors there and beyond, a row per curve."""
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
