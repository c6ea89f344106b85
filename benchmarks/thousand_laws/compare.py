"""The laws beside the study's: its refitted parameters cell by cell, and the heat maps it printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.thousand_laws.laws import PARAMETERS, errors
from scaling_jax.evaluate.splits import Split

KEYS = ["experiment", "family", "pct", "n_models", "window"]
POINT = 5e-4
PRINTED = {
    "hist": "hist",
    "hist_test1": "hist",
    "hist_no_cut": "hist_no_cut",
    "one_model": "one_model",
    "baseline_best": "base_best",
    "closer_3": "closer3",
    "closer_4": "closer4",
    "scale_down": "scale_down",
}
ROWS = {
    "one_model": "n_models",
    "closer_3": "window",
    "closer_4": "window",
}  # maps with a row per run or per window, in order
NOT_AVERAGED = ("interv", "5sh", "v0")


def reference(folder: str | Path, digitised: bool = False) -> pd.DataFrame:
    """The study's fits as refitted with its own code:
    those on exact data, and those on curves read from figures if asked for."""
    found = pd.read_csv(Path(folder) / "reference_fits.csv.gz")
    return found[found["fitted"] & (digitised | ~found["approx"])]


def beside(
    table: pd.DataFrame, splits: list[Split], laws: pd.DataFrame, theirs: pd.DataFrame
) -> pd.DataFrame:
    """One row per cell that both fitted: both objectives on the same rows, and both errors."""
    joined = laws.merge(
        theirs[[*KEYS, *PARAMETERS, "are_last30", "are_last1"]], on=KEYS, suffixes=("", "_theirs")
    )
    by_label = {s.label: s for s in splits}
    windows = [None if np.isnan(w) else int(w) for w in joined["window"]]
    cells = [by_label[key] for key in zip(*(joined[k] for k in KEYS[:-1]), windows, strict=True)]
    at_theirs = errors(table, cells, joined[[f"{name}_theirs" for name in PARAMETERS]].to_numpy())
    joined["squares_theirs"] = at_theirs["squares"]
    rounding = 64 * np.finfo(float).eps * joined["size"]
    joined["worse"] = joined["squares"] > joined["squares_theirs"] * (1 + 1e-6) + rounding
    joined["better"] = joined["squares_theirs"] > joined["squares"] * (1 + 1e-6) + rounding
    joined["better_1pct"] = joined["squares_theirs"] > joined["squares"] * 1.01 + rounding
    joined["same"] = ~joined["worse"] & ~joined["better"]
    joined["identified"] = determined(joined)
    joined["are_gap"] = np.abs(joined["are_last30"] - joined["are_last30_theirs"])
    return joined


def beside_joint(laws: pd.DataFrame, joint: pd.DataFrame) -> tuple[str, dict[str, int]]:
    """Cells of one study beside those of another of the same cells, by their sums of squares."""
    rounding = 64 * np.finfo(float).eps * laws["size"]
    ours, theirs = laws["squares"], joint["squares"]
    found = {
        "cells": len(laws),
        "worse": int((ours > theirs * (1 + 1e-6) + rounding).sum()),
        "better": int((theirs > ours * (1 + 1e-6) + rounding).sum()),
        "better by 1 %": int((theirs > ours * 1.01 + rounding).sum()),
    }
    return (
        f"beside a search in all numbers: worse in {found['worse']} of {len(laws):,} cells, better in "
        f"{found['better']}, by 1 % in {found['better by 1 %']}; status there "
        f"{joint['status'].value_counts().to_dict()}"
    ), found


def summary(joined: pd.DataFrame) -> pd.DataFrame:
    """Per experiment: cells, where our objective is better or worse,
    and the largest gap in ARE where it should be none."""
    rows = []
    for name, part in [*joined.groupby("experiment"), ("all", joined)]:
        level = part[part["same"] & part["identified"]]
        rows.append(
            {
                "experiment": name,
                "cells": len(part),
                "same": int(part["same"].sum()),
                "better": int(part["better"].sum()),
                "better by 1 %": int(part["better_1pct"].sum()),
                "worse": int(part["worse"].sum()),
                "identified and same": len(level),
                "ARE apart > .05": int((level["are_gap"] > POINT).sum()),
                "underdetermined": int((part["status"] == "underdetermined").sum()),
                "fewer rows than parameters": int(part["few_rows"].sum()),
            }
        )
    return pd.DataFrame(rows)


def macro_map(laws: pd.DataFrame, column: str = "are_last1") -> pd.DataFrame:
    """The study's aggregated map in percent: mean within, then over families, by number of sizes and p."""
    part = laws[~laws["family"].str.contains("|".join(NOT_AVERAGED))]
    part = part.drop_duplicates(["family", "n_sizes", "pct"])
    sizes = part["n_sizes"].clip(upper=8).astype(int)
    within = part.assign(sizes=sizes).groupby(["sizes", "pct", "family"])[column].mean()
    return (
        100
        * within.groupby(["sizes", "pct"])
        .mean()
        .reset_index()
        .pivot_table(index="sizes", columns="pct", values=column)
        .loc[2:]
    )


def printed_maps(folder: str | Path, cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of family heat maps with at least 3 sizes (or of one run) beside the errors of `cells`, matched
    by label or row, and by p.

    Labels of rows are not always legible; families whose map has another number of rows than `cells` are left
    out.
    """
    maps = pd.read_csv(Path(folder) / "published_heatmaps.csv.gz")
    maps = maps[
        (maps["level"] == "family")
        & (maps["metric"] == "are")
        & maps["experiment"].isin(PRINTED)
        & ~maps["clipped"]
    ]
    found = []
    for name, part in maps.groupby("experiment"):
        mine = cells[cells["experiment"] == PRINTED[name]].drop(columns="target")
        if name in ROWS:
            mine["label"] = mine.groupby("family")[ROWS[name]].rank(method="dense") - 1
            rows = mine.groupby("family")["label"].transform("max")
            mine = mine[rows == mine["family"].map(part.groupby("group")["row"].max())]
            part = part.assign(label=part["row"])
            mine = mine[(mine["n_sizes"] >= 3) | (name == "one_model")]
        else:
            mine["label"] = mine["n_sizes"]
            part = part.assign(label=part["row_label"].astype(str).str.extract(r"(\d+)\s*$")[0].astype(float))
            mine = mine[mine["label"] >= 3].drop_duplicates(["family", "label", "pct"])
        part, mine = (
            part.assign(pct=part["x"].astype(float).round(3)),
            mine.assign(group=mine["family"], pct=mine["pct"].round(3)),
        )
        both = part.merge(mine, on=["group", "label", "pct"])
        value = np.where(both["target"] == "last_checkpoint", both["are_last1"], both["are_last30"]) * 100
        found.append(
            pd.DataFrame({"map": name, "family": both["group"], "gap": np.abs(value - both["value_percent"])})
        )
    return pd.concat(found, ignore_index=True)


def determined(laws: pd.DataFrame) -> pd.Series:
    """Laws all of whose parameters their rows determine."""
    return (laws["status"] == "converged") & (laws["unidentified"] == "")


def pca_share(laws: pd.DataFrame, scaled: bool = False) -> float:
    """Share of the variance of (a, b, e, alpha, beta) over laws that three components hold: as the study has
    it, or each scaled to one.

    Unscaled, the constants vary by tens and the exponents by less than one, so that three components could
    hardly hold less.
    """
    points = laws[list(PARAMETERS)].to_numpy()
    points = points - points.mean(axis=0)
    spread = np.linalg.svd(points / points.std(axis=0) if scaled else points, compute_uv=False) ** 2
    return float(spread[:3].sum() / spread.sum())


def whole_families(laws: pd.DataFrame) -> pd.DataFrame:
    """Each family's law of all smaller models at full training."""
    full = laws[(laws["experiment"] == "hist") & (laws["pct"] == 1.0)]
    return full.sort_values("n_models").groupby("family").tail(1)


def record(joined: pd.DataFrame) -> dict[str, Any]:
    listed = joined[joined["same"] & (joined["are_gap"] > POINT)]
    columns = [
        *KEYS,
        "squares",
        "squares_theirs",
        "are_last30",
        "are_last30_theirs",
        "status",
        "unidentified",
    ]
    return {
        "by experiment": summary(joined).to_dict("records"),
        "worse": joined.loc[joined["worse"], columns].to_dict("records"),
        "same objective, other ARE": listed[columns].to_dict("records"),
    }
