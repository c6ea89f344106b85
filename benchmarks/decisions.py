"""Which recipe wins at the largest size, from all smaller ones, on every table of recipes.

`python -m benchmarks.decisions FOLDER [--save]` takes the folder of shared tables. A decision is a pair of
recipes; each table is cut at every smaller size in turn. "contrast" is `sj.contrast` of the table, "largest"
the order at the largest size of the cut with the odds of its seeds, "law" a power law with floor for each
recipe with the odds of its bootstrap. Everything a cut holds is paid for; `cost` is its compute over that of
the runs to be predicted.

Two summaries: from the same cut, what is made of the same runs and what of the largest alone; and for the
same compute, each method at the largest cut that it can pay for, "contrast" all its sizes and "largest" one.
Both take the tables where both methods answer, the mean over a suite's tables and then over suites, so that
neither the suite with most pairs nor a table that one method alone can afford decides.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

import scaling_jax as sj
from benchmarks.report import save

Table = tuple[str, pd.DataFrame]
SHARES = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
MEASURES = ["right", "stated", "brier"]


def datadecide(folder: Path) -> Iterator[Table]:
    runs = pd.read_csv(folder / "datadecide/losses.csv.gz").query("size != '750M'")
    yield "datadecide", runs.assign(C=600 * runs["n_params"].astype(float) ** 2)


def optimizers(folder: Path) -> Iterator[Table]:
    runs = pd.read_csv(folder / "optimizers/cells.csv").query("optimizer != 'sophia'")
    runs = runs.rename(columns={"params_nominal": "N", "tokens_nominal": "D", "c4_en_loss": "loss"})
    yield "optimizers", runs.assign(recipe=runs["optimizer"])


def gadre(folder: Path) -> Iterator[Table]:
    runs = pd.read_csv(folder / "gadre/models.csv").rename(columns={"dataset": "recipe", "n_params": "N"})
    runs = runs.assign(D=(runs["token_multiplier"] * runs["N"]).astype(float))
    for column in ("loss_openlm", "loss_c4_eval", "loss_paloma_100_pls", "loss_paloma_ptb", "err_avg_17"):
        part = runs.rename(columns={column: "loss"})
        yield f"gadre, {column}", part.dropna(subset="loss")[["recipe", "N", "D", "loss"]]


def slimpajama(folder: Path) -> Iterator[Table]:
    runs = pd.read_csv(folder / "mixtures/slimpajama_dmsl.csv.gz")
    weights = [column for column in runs if column.startswith("weight_")]
    runs["recipe"] = runs[weights].round(4).astype(str).agg("-".join, axis=1)
    last = runs.sort_values("n_tokens").groupby(["recipe", "model_size"]).tail(1)
    last = last[last["model_size"] < 2e9].rename(columns={"model_size": "N"})
    last = last[last.groupby("recipe")["N"].transform("nunique") == 5]
    last["D"] = last.groupby("N")["n_tokens"].transform("median")
    for column in [c for c in last if c.endswith("_loss")]:
        part = last.rename(columns={column: "loss"}).dropna(subset="loss")
        part = part[part.groupby("recipe")["N"].transform("nunique") == 5]
        yield f"slimpajama, {column}", part[["recipe", "N", "D", "loss"]]


def schedules(folder: Path) -> Iterator[Table]:
    runs = pd.read_csv(folder / "lr_schedules/curves.csv")
    last = runs.sort_values("step").groupby(["schedule", "size_m"]).tail(1)
    last = last.assign(recipe=last["schedule"], C=last["size_m"].astype(float))
    yield "lr_schedules", last[["recipe", "C", "loss"]]


def same_cut(found: pd.DataFrame, methods: tuple[str, ...]) -> pd.DataFrame:
    """Means over the cuts of each suite where all of the methods answer."""
    both = found[found["method"].isin(methods)].dropna(subset="right")
    both = both[both.groupby(["table", "flops"])["method"].transform("nunique") == len(methods)]
    suites = both.pivot_table(MEASURES, "suite", "method")
    return pd.concat([suites, suites.mean().to_frame("all suites").T]).swaplevel(axis=1).sort_index(axis=1)


def same_compute(found: pd.DataFrame) -> pd.DataFrame:
    """Each method at the largest cut whose runs are within a share of the target's compute."""
    parts = []
    for share in SHARES:
        within = found[(found["cost"] <= share) & (found["method"] != "law")].dropna(subset="right")
        last = within.sort_values("flops").groupby(["table", "method"], as_index=False).tail(1)
        last = last[last.groupby("table")["method"].transform("nunique") == 2]
        parts.append(last.assign(share=share))
    every = pd.concat(parts)
    suites = every.pivot_table(MEASURES, ["share", "suite"], "method")
    means = suites.groupby("share").mean().swaplevel(axis=1).sort_index(axis=1)
    means["suites"] = every.groupby("share")["suite"].nunique()
    return means


def main() -> None:
    folder = Path(next(word for word in sys.argv[1:] if not word.startswith("-")))
    warnings.simplefilter("ignore")
    begun, parts = time.time(), []
    for source in (datadecide, optimizers, gadre, slimpajama, schedules):
        for name, runs in source(folder):
            try:
                decided = sj.evaluate.decisions(runs, by="recipe")
            except sj.DataError as error:
                print(f"{name} is left out: {error}", flush=True)
                continue
            parts.append(decided.assign(table=name, suite=name.split(",")[0]))
            print(name, f"{time.time() - begun:.0f} s", flush=True)
    found = pd.concat(parts, ignore_index=True)
    text = told(found)
    print(text)
    if "--save" in sys.argv:
        save("decisions", text, found.drop(columns="suite").to_dict("records"))


def told(found: pd.DataFrame) -> str:
    """All cuts, and the two summaries."""
    means = dict.fromkeys(["cost", "right", "stated", "brier", "sure_right", "regret"], "mean")
    table = found.groupby(["suite", "flops", "method"]).agg(means | dict.fromkeys(["pairs", "sure"], "sum"))
    shown = {"float_format": lambda v: f"{v:.4g}"}
    return "\n".join(
        [
            "Share of right decisions, mean stated probability, Brier score, by table and cut",
            "",
            table.reset_index().to_string(index=False, **shown),
            "",
            "From the same cut, mean over a suite's tables and cuts",
            "",
            same_cut(found, ("contrast", "largest")).to_string(**shown),
            "",
            same_cut(found, ("contrast", "largest", "law")).to_string(**shown),
            "",
            "For the same share of the target's compute, mean over suites",
            "",
            same_compute(found).to_string(**shown),
        ]
    )


if __name__ == "__main__":
    main()
