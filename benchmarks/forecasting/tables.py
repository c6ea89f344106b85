"""Further sweeps of the competition: every table as rows N, D, loss, run of families, cut in compute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import scaling_jax as sj

__all__ = ["sweeps"]

FACTORS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # of compute, from the rows to the run that is predicted
FEWEST_ROWS, FEWEST_SIZES = 6, 3
EARLY_STEPS = 200  # of our own sweep, before which a run says little of its size
MIXTURES = 4  # of slimpajama's, the best covered ones


def sweeps(folder: Path) -> pd.DataFrame:
    """Tasks in the form of `coverage_real.every_task`: rows to fit and, marked `held_out`, the run to
    predict."""
    tables = [farseer, slimpajama, step_law, data_constrained, datadecide, tiny_sweep]
    parts = [task for table in tables for family in table(folder) for task in cut(family)]
    return pd.concat(parts, ignore_index=True)


def cut(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """A family's rows below each fraction of its largest run's compute, and that run."""
    compute, seen = rows["N"] * rows["D"], set()
    target = rows.loc[[compute.idxmax()]]
    for factor in FACTORS:
        known = rows[compute <= compute.max() / factor]
        if len(known) >= FEWEST_ROWS and known["N"].nunique() >= FEWEST_SIZES and len(known) not in seen:
            seen.add(len(known))
            name = f"{rows['family'].iloc[0]}|{rows['curve'].iloc[0]}|{factor:g}"
            both = pd.concat([known.assign(held_out=False), target.assign(held_out=True)])
            yield both.assign(task=name, law="chinchilla")


def families(table: pd.DataFrame, suite: str) -> Iterator[pd.DataFrame]:
    table = table.assign(suite=suite)
    table["curve"] = table.get("curve", pd.Series("", index=table.index))
    table["run"] = table.get("run", pd.Series(range(len(table)), index=table.index).astype(str))
    kept = ["suite", "family", "curve", "N", "D", "loss", "run"]
    for _, rows in table.dropna(subset=["loss"]).groupby(["family", "curve"], sort=False):
        yield rows[kept].reset_index(drop=True)


def farseer(folder: Path) -> Iterator[pd.DataFrame]:
    return families(pd.read_csv(folder / "scalebench/farseer.csv").assign(family="farseer"), "farseer")


def slimpajama(folder: Path) -> Iterator[pd.DataFrame]:
    """Checkpoints of constant-rate runs, for some mixtures and every target."""
    table = pd.read_csv(folder / "mixtures/slimpajama_dmsl.csv.gz")
    weights = [name for name in table if name.startswith("weight_")]
    table["curve"] = table.groupby(weights).ngroup().astype(str)
    sizes = table.groupby("curve")["model_size"].nunique()
    best = sizes.sort_values(ascending=False, kind="stable").index[:MIXTURES]
    table = table[table["curve"].isin(best)].rename(columns={"model_size": "N", "n_tokens": "D"})
    for target in [name for name in table if name.endswith("_loss")]:
        named = {"family": f"slimpajama {target}", "loss": table[target], "run": table["N"].astype(str)}
        yield from families(table.assign(**named), "slimpajama")


def step_law(folder: Path) -> Iterator[pd.DataFrame]:
    """The best learning rate and batch size of every size and number of tokens."""
    table = pd.read_csv(folder / "step_law/dense.csv.gz")
    best = table[table["split"] == "train"].groupby(["N", "D"], as_index=False)["smooth_loss"].min()
    return families(best.rename(columns={"smooth_loss": "loss"}).assign(family="step_law"), "step_law")


def data_constrained(folder: Path) -> Iterator[pd.DataFrame]:
    """Runs of one epoch, those too short to have learned anything left out."""
    table = pd.read_csv(folder / "data_constrained/runs.csv").rename(columns={"n_params": "N", "tokens": "D"})
    plain = (table["dedup"] == 0) & (table["resized"] == 0)
    once = table[plain & (table["epochs"] <= 1.01) & (table["D"] > 1e9)]
    return families(once.assign(family="data_constrained"), "data_constrained")


def datadecide(folder: Path) -> Iterator[pd.DataFrame]:
    """Ladders at a fixed number of tokens per parameter, three seeds, one family per recipe.

    Without the size that is off the ladder, and the recipes that get worse as they grow (the table's README).
    """
    table = pd.read_csv(folder / "datadecide/losses.csv.gz")
    table = table[(table["size"] != "750M") & ~table["recipe"].str.contains("Dolma")]
    named = {"n_params": "N", "tokens_schedule": "D", "recipe": "family"}
    return families(table.rename(columns=named), "datadecide")


def tiny_sweep(folder: Path) -> Iterator[pd.DataFrame]:
    """Our own sweep."""
    table = sj.datasets.load("tiny_sweep").rename(columns={"n_params": "N", "tokens": "D"})
    main = table[(table["arm"] == "main") & (table["step"] > EARLY_STEPS)]
    return families(main.assign(family="tiny_sweep"), "tiny_sweep")
