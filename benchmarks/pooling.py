"""Families that lend each other exponents: each family's largest model predicted from its smallest two.

`python -m benchmarks.pooling` uses the shared tables of the Hitchhiker's study (Choshen et al. 2025,
arXiv:2410.11840), its cut at 10 B tokens and its last 30 % of the target's run. Families come in two halves:
a family shows its two smallest sizes, the families of the other half all of theirs, so exponents are pooled
over others. At most 12 checkpoints per run, evenly in log tokens. Compared: the unpooled fit, and the study's
own variant that borrows A and alpha.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save

TABLE = Path(__file__).parents[1] / "../shared/data/hitchhikers/checkpoints.csv.gz"
CUT, LAST, PER_RUN = 1e10, 0.7, 12
BORROWED = {"A": float(np.exp(6.255414)), "alpha": 0.3526596}
INPUTS = {"N": "n_params", "D": "tokens_seen"}
# old names of pythia-deduped's 70m, 410m and 1.4b: the same runs under another size
RENAMED = r"(?:19m|350m|1\.3b)"
POOL = ["alpha", "beta"]


def families() -> pd.DataFrame:
    """Rows of families with three sizes or more and more than a row per run."""
    table = pd.read_csv(TABLE)
    table = table[table["family"].notna() & (table["tokens_seen"] > CUT) & (table["n_params"] > 0)]
    renamed = table["family"].str.startswith("pythia") & table["model"].str.contains(RENAMED, case=False)
    table = table[~renamed].drop_duplicates(["model", "tokens_seen", "family"])
    per = table.groupby("family").agg(sizes=("n_params", "nunique"), rows=("loss", "size"))
    return table[table["family"].isin(per.index[(per["sizes"] >= 3) & (per["rows"] > 2 * per["sizes"])])]


def thinned(run: pd.DataFrame) -> pd.DataFrame:
    run = run.sort_values("tokens_seen")
    aims = np.linspace(np.log(run["tokens_seen"].iloc[0]), np.log(run["tokens_seen"].iloc[-1]), PER_RUN)
    return run.iloc[
        np.unique(np.searchsorted(np.log(run["tokens_seen"]), aims - 1e-9).clip(max=len(run) - 1))
    ]


def main() -> None:
    table = families()
    sizes = {f: np.sort(t["n_params"].unique()) for f, t in table.groupby("family")}
    train = pd.concat([thinned(run) for _, run in table.groupby(["family", "model"])])
    few = train[[n <= sizes[f][1] for f, n in zip(train["family"], train["n_params"], strict=True)]]
    tests = {}
    for f, rows in table.groupby("family"):
        target = rows[rows["n_params"] == sizes[f][-1]]
        tests[f] = target[target["tokens_seen"] >= LAST * target["tokens_seen"].max()]
    options = {"by": "family", "inputs": INPUTS, "run": "model"}
    unpooled = sj.fit_groups(sj.laws.chinchilla, few, **options)
    borrowed = sj.fit_groups(
        sj.laws.chinchilla, few, fixed=BORROWED, objective=sj.SquaredError(on="raw"), **options
    )
    errors, inside = {"unpooled": {}, "borrowed A, alpha": {}, "pooled": {}}, {}
    for f, test in tests.items():
        for name, fits in (("unpooled", unpooled), ("borrowed A, alpha", borrowed)):
            errors[name][f] = np.mean(np.abs(fits[f].predict(test) / test["loss"].to_numpy() - 1))
    order = sorted(tests)
    for half in (order[::2], order[1::2]):
        shown = pd.concat([few[few["family"].isin(half)], train[~train["family"].isin(half)]])
        fits = sj.fit_groups(sj.laws.chinchilla, shown, **options)
        pooled = fits.posterior(pool=POOL, warmup=500, draws=500)
        print(pooled.summary(), flush=True)
        for f in half:
            band = pooled[f].predict(tests[f], interval="prediction", level=0.9)
            loss = tests[f]["loss"].to_numpy()
            errors["pooled"][f] = np.mean(np.abs(band["prediction"] / loss - 1))
            inside[f] = np.mean((band["lower"] <= loss) & (loss <= band["upper"]))
    found = pd.DataFrame(errors).assign(
        covered=pd.Series(inside), rows=pd.Series({f: len(t) for f, t in tests.items()})
    )
    macro = found.mean()
    loses = [
        f
        for f in found.index
        if found.loc[f, "pooled"] > found.loc[f, ["unpooled", "borrowed A, alpha"]].min()
    ]
    text = (
        f"{found.to_string(float_format=lambda x: f'{x:.4f}')}\n\n"
        f"macro average: pooled {macro['pooled']:.4f}, unpooled {macro['unpooled']:.4f}, "
        f"borrowed {macro['borrowed A, alpha']:.4f}; "
        f"coverage of the 90 % predictive interval {macro['covered']:.1%} (mean over families)\n"
        f"families where pooling loses to the better of the two: {', '.join(loses) or 'none'}"
    )
    print(text)
    save("pooling", text, {"families": found.to_dict("index"), "macro": macro.to_dict(), "loses": loses})


if __name__ == "__main__":
    main()
