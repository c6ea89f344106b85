"""Mixtures: published tables fitted with the laws of shares, each figure beside the one that is known.

`python -m benchmarks.mixtures FOLDER [--save]` takes the folder of shared tables: the losses of Shukor et al.
2025 (arXiv:2507.09404) on seven domains, RegMix's mixtures of 17 domains (Liu et al. 2024, arXiv:2407.01492),
and the mixtures of five domains of SLDBench (Ye et al. 2024, arXiv:2403.16952). Seconds are of this process,
the first fit of each law with what it compiles.
"""

from __future__ import annotations

import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.stats import spearmanr

import scaling_jax as sj
from benchmarks.report import machine, save

# mean relative error in %, rows fitted / rows of the largest model, from a multi-start search of another make
KNOWN = {
    "additive": {
        "arxiv": (0.571, 2.513), "book": (0.352, 0.847), "c4": (0.350, 0.438), "commoncrawl": (0.350, 0.803),
        "stackexchange": (0.601, 0.915), "wikipedia": (0.911, 4.940), "github": (0.755, 2.842),
    },
    "joint": {
        "arxiv": (0.474, 2.155), "book": (0.324, 0.825), "c4": (0.317, 0.388), "commoncrawl": (0.317, 0.763),
        "stackexchange": (0.474, 1.190), "wikipedia": (0.748, 4.073), "github": (1.486, 1.248),
    },
}  # fmt: skip
LAWS = {"additive": sj.laws.mixture_additive, "joint": sj.laws.mixture_joint}
RANKS = {  # Spearman %, 1M, 60M and 1B
    ("pile_cc", "linear"): (90.21, 89.33, 87.66),
    ("pile_cc", "exponential"): (96.58, 96.02, 98.78),
    ("pile_cc", "power .45"): (98.63, 98.23, 92.02),
    ("github", "exponential"): (98.69, 97.60, 98.83),
    ("arxiv", "exponential"): (98.67, 98.14, 98.53),
}
OBJECTIVES = {"Huber .01": sj.Huber(0.01, on="raw"), "least squares": sj.SquaredError(on="raw")}
SETS = ("test_1m", "test_60m", "test_1B")
ON_RAW = sj.Huber(1e-3, on="raw")


def main(folder: Path, keep: bool) -> None:
    joint, words = shukor(folder)
    ranks, ranked_words = regmix(folder)
    five = ye(folder)
    parts = {
        "Shukor et al.: seven domains, runs up to 1.24e9 parameters fitted, 2.72e9 foreseen; mean relative "
        "error in % of rows fitted and foreseen, and the known ones": joint.to_string(index=False),
        "github begun where C is infinite for a mixture": words,
        "RegMix: 512 mixtures at 1e6 parameters rank others at 1e6, 6e7 and 1e9 (Spearman %), by two "
        "objectives, and the known, which are of least squares; rounded, shares add up to 1 within .4 %, and "
        "a line keeps b":
        ranks.to_string(index=False) + "\n" + ranked_words,
        "SLDBench, five domains by size, training rows: objective of both forms (the power is the lower)":
        five.to_string(index=False),
    }  # fmt: skip
    text = "\n\n".join(f"{title}\n{body}" for title, body in parts.items())
    print(text)
    if keep:
        records = {"shukor": joint, "regmix": ranks, "five": five}
        save("mixtures", text, {n: t.to_dict("records") for n, t in records.items()} | {"machine": machine()})


def shukor(folder: Path) -> tuple[pd.DataFrame, str]:
    """Both laws on every domain, and what is said of github from a start without a mixture."""
    table = pd.read_csv(folder / "mixtures/slimpajama_dmsl.csv.gz")
    domains = [name.removeprefix("weight_") for name in table if name.startswith("weight_")]
    columns: dict[str, Any] = {d: f"weight_{d}" for d in domains} | {"N": "model_size", "D": "n_tokens"}
    small = table[(table["model_size"] <= 1.24e9) & (table["n_tokens"] >= 4e9)]
    large = table[table["model_size"] > 2e9]
    rows = []
    for form, make in LAWS.items():
        for domain in KNOWN[form]:
            start = time.perf_counter()
            target = f"{domain}_loss"
            fit = sj.fit(
                make(*domains), small, inputs=columns, target=target, missing="drop", objective=ON_RAW
            )
            status = fit.status
            seconds = time.perf_counter() - start
            errors = [_error(fit, part, target) for part in (small, large)]
            rows.append({
                "law": form, "loss on": domain, "seconds": round(seconds, 1), "status": status,
                "agree": f"{fit.n_agree}/{fit.certificate.n_finished}", "objective": fit.objective_value,
                "fitted": round(errors[0], 3), "foreseen": round(errors[1], 3), "known": KNOWN[form][domain],
                "at bound": ", ".join(fit.certificate.at_bound) or "-",
            })  # fmt: skip
    law = sj.laws.mixture_joint(*domains)
    nowhere = dict.fromkeys(law.labels, 1.0) | {f"logC_{d}": 12.0 for d in domains}
    nowhere |= {"alpha": 0.3, "beta": 0.4, "E": 0.5} | {f"{n}_{d}": 0.3 for n in "AB" for d in domains}
    asked = {"inputs": columns, "target": "github_loss", "missing": "drop", "objective": ON_RAW}
    fit = sj.fit(law, small, starts=np.array([[nowhere[label] for label in law.labels]]), **asked)
    best = next(row["objective"] for row in rows if row["law"] == "joint" and row["loss on"] == "github")
    judged = "\n".join(f"  {said}" for said in fit.warnings)
    words = f"objective {fit.objective_value:.6g} (best {best:.6g}), status {fit.status}, warnings:\n{judged}"
    return pd.DataFrame(rows), words


def _error(fit: sj.FitResult, table: pd.DataFrame, target: str) -> float:
    measured = table.dropna(subset=[target])
    return float(100 * np.mean(np.abs(fit.predict(measured) / measured[target] - 1)))


def regmix(folder: Path) -> tuple[pd.DataFrame, str]:
    """Rank correlations, all 13 losses in one batch, and what the certificate says of the printed form."""
    table = pd.read_csv(folder / "mixtures/regmix.csv.gz")
    domains = [name for name in table if name.startswith("r_")]
    tried = table[table["set"] == "train_1m"]
    forms: dict[str, tuple[sj.Law, dict[str, float]]] = {
        "linear": (sj.laws.mixing_power(*domains), {"a": 1.0}),
        "exponential": (sj.laws.mixing_exponential(*domains), {}),
        "power .45": (sj.laws.mixing_power(*domains), {"a": 0.45}),
    }
    rows = []
    for ((domain, form), known), (how, objective) in product(RANKS.items(), OBJECTIVES.items()):
        law, fixed = forms[form]
        fit = sj.fit(law, tried, target=f"loss_{domain}", fixed=fixed, objective=objective)
        found = [_rank(fit, table[table["set"] == name], f"loss_{domain}") for name in SETS]
        rows.append(
            {"loss on": domain, "law": form, "by": how, "status": fit.status}
            | dict(zip(("1e6", "6e7", "1e9"), found, strict=True))
            | {"known": known}
        )
    asked: dict[str, Any] = {"objective": OBJECTIVES["Huber .01"]}
    losses = [name for name in table if name.startswith("loss_")]
    start = time.perf_counter()
    together = sj.fit(forms["exponential"][0], tried, target=losses, **asked)
    seconds = time.perf_counter() - start
    predicted, large = together.predict(table[table["set"] == "test_1B"]), table[table["set"] == "test_1B"]
    each = [100 * spearmanr(predicted[name], large[name])[0] for name in losses]
    printed = sj.fit(_printed(domains), tried, target="loss_pile_cc", **asked)
    return pd.DataFrame(rows).round(2), (
        f"all {len(losses)} losses at once: {seconds:.1f} s, {together.converged.sum()} converged, rank "
        f"correlation at 1e9 {min(each):.2f} to {max(each):.2f}, mean {np.mean(each):.2f}\n"
        f"c + k exp(t.r) as printed: {printed.status}. {printed.warnings[0]}"
    )


def _rank(fit: sj.FitResult, table: pd.DataFrame, target: str) -> float:
    return float(100 * spearmanr(fit.predict(table), table[target])[0])


def _printed(domains: list[str]) -> sj.Law:
    """Ye's form with the factor that shares make superfluous."""

    def printed(*shares: jax.Array, c: jax.Array, k: jax.Array, t: jax.Array) -> jax.Array:
        return c + k * jnp.exp(jnp.stack(shares) @ t)

    return sj.Law(
        printed,
        inputs=dict.fromkeys(domains, sj.Interval(0, 1)),
        params=[
            sj.Parameter("c", sj.Domain("non-negative", lower=0.0)),
            sj.Parameter("k", sj.Domain("positive", lower=0.0, log=True)),
            sj.Parameter("t", shape=(len(domains),)),
        ],
        simplex=domains,
    )


def ye(folder: Path) -> pd.DataFrame:
    """The exponential and the power of five shares on five losses at once, by size of model."""
    table = pd.read_csv(folder / "sldbench/domain_mixture.csv.gz")
    shares = [name for name in table if name.startswith("proportion_")]
    losses = [name for name in table if name.startswith("loss_")]
    train = table[table["split"] == "train"]
    made = {"exponential": sj.laws.mixing_exponential, "power": sj.laws.mixing_power}
    rows = []
    for size, part in train.groupby("group"):
        row: dict[str, Any] = {"size": size, "rows": len(part)}
        for form, make in made.items():
            fits = sj.fit(make(*shares), part, target=losses, objective=sj.Huber(0.01, on="raw"))
            row[form] = sum(fit.objective_value for fit in fits.values())
            row[f"{form} converged"] = f"{fits.converged.sum()}/{len(fits)}"
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--save"]
    main(Path(arguments[0]) if arguments else Path("../shared/data"), "--save" in sys.argv)
