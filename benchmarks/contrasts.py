"""Contrasts of simulated recipes: are stated probabilities right that often, and do intervals of the
multiplier hold?

`python -m benchmarks.contrasts [PAIRS] [--save]`. A recipe is the Chinchilla law of the replication
(Besiroglu et al. 2024) with one of its parameters moved so that its loss differs from that of the other by 0
to 2 % at the budget that is asked about, 10 to 300 times the largest run. Three kinds of table: seeds of
their own; half of the noise shared by the two recipes; and checkpoints, five of each of twelve runs, whose
errors belong to the run. Beside the default stand the draws alone (`transfer=0`), in which every law is true
and recipes have nothing in common.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
from scipy.optimize import brentq

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.fitting.refits import refit, vary
from scaling_jax.uncertainty.draws import Draws
from scaling_jax.uncertainty.resample import joint_weights

LAW = sj.laws.chinchilla
BASE = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
KINDS = ("own seeds", "shared seeds", "checkpoints")
DRAWS = 250
BINS = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def best_loss(params: dict[str, float], flops: float) -> float:
    return float(sj.plan((LAW, params), flops=flops, level=None).table["loss"].iloc[0])


def other(by: float, which: int) -> dict[str, float]:
    """The second recipe, a parameter moved."""
    moved = dict(BASE)
    if which == 0:
        moved["A"] *= np.exp(by)
    elif which == 1:
        moved["B"] *= np.exp(by)
    elif which == 2:
        moved["E"] *= np.exp(by / 4)
    else:  # both ends of the sweep stay where they are, in the middle of it
        moved["beta"] *= 1 - by / 10
        moved["B"] *= np.exp(-by / 10 * BASE["beta"] * np.log(1e10))
    return moved


def pair(rng: np.random.Generator, kind: str) -> tuple[pd.DataFrame, float, float, float]:
    """A table of two recipes, the budget asked about, the true log ratio of losses, and log multiplier."""
    noise = rng.uniform(0.002, 0.006)
    sizes = np.geomspace(3e7, 1e9, 6)
    ratios = np.array([10.0, 80.0]) if kind == "checkpoints" else np.array([5.0, 12, 30, 80, 200])
    N, D = (grid.ravel() for grid in np.meshgrid(sizes, ratios))
    D, run = N * D, np.arange(len(N))
    flops = 6 * (N * D).max() * 10 ** rng.uniform(1.0, 2.5)
    wanted = rng.uniform(0, 0.02) * rng.choice([-1, 1])
    which, base = int(rng.integers(4)), best_loss(BASE, flops)
    by = brentq(lambda s: np.log(best_loss(other(s, which), flops) / base) - wanted, -4, 4)
    second = other(by, which)
    log_m = brentq(lambda s: best_loss(second, flops * np.exp(s)) - base, -6, 6)
    common = rng.normal(size=len(N))
    parts = []
    for name, params in (("a", BASE), ("b", second)):
        error = noise * rng.normal(size=len(N))
        if kind == "shared seeds":
            error = noise * np.sqrt(0.5) * common + np.sqrt(0.5) * error
        rows = pd.DataFrame({"recipe": name, "run": run, "N": N, "D": D, "error": error})
        if kind == "checkpoints":
            rows = pd.concat([rows.assign(D=rows["D"] * share) for share in (0.3, 0.45, 0.6, 0.8, 1.0)])
            rows["error"] += noise / 4 * rng.normal(size=len(rows))
        rows["loss"] = np.asarray(LAW(rows["N"], rows["D"], **params)) * np.exp(rows["error"])
        parts.append(rows)
    return pd.concat(parts, ignore_index=True), flops, wanted, log_m


def contrasts(kind: str, pairs: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    made = [pair(rng, kind) for _ in range(pairs)]
    table = pd.concat([rows.assign(pair=i) for i, (rows, *_) in enumerate(made)], ignore_index=True)
    fits = sj.fit_groups(LAW, table, by=["pair", "recipe"], run="run")
    sides = [[fits[i, "a"], fits[i, "b"]] for i in range(pairs)]
    weights = [next(joint_weights(two, DRAWS, rng)[0]) for two in sides]
    variants = [
        vary(fit, weight=own)
        for two, w in zip(sides, weights, strict=True)
        for fit, own in zip(two, w, strict=True)
    ]
    refits = refit(variants, careful=False)
    draws = [Draws.plain(v.fit, one, "joint") for v, one in zip(variants, refits, strict=True)]
    rows = []
    for i, (_, flops, wanted, log_m) in enumerate(made):
        for how, transfer in (("default", "table"), ("draws alone", 0)):
            found = sj.contrast(draws[2 * i], draws[2 * i + 1], flops=flops, transfer=transfer)
            row = found.table.iloc[0]
            rows.append(
                {
                    "kind": kind,
                    "how": how,
                    "truth": wanted,
                    "probability": row["probability"],
                    "right": (row["probability"] > 0.5) == (wanted > 0),
                    "error": np.log1p(row["difference"] / row["loss_a"]) - wanted,
                    "multiplier_error": np.log(row["multiplier"]) - log_m,
                    "held": row["multiplier_lower"] <= np.exp(log_m) <= row["multiplier_upper"],
                    "width": np.log(row["multiplier_upper"] / row["multiplier_lower"]),
                    "walk": found.walk,
                }
            )
    return pd.DataFrame(rows)


def reliability(found: pd.DataFrame) -> pd.DataFrame:
    """Stated probability of the called winner against how often it won, by bins of what was stated."""
    stated = found["probability"].where(found["probability"] >= 0.5, 1 - found["probability"])
    groups = found.assign(stated=stated).groupby(pd.cut(stated, BINS, include_lowest=True), observed=True)
    return groups.agg(pairs=("right", "size"), stated=("stated", "mean"), right=("right", "mean"))


def missed(curve: pd.DataFrame) -> str:
    """By how much a reliability curve is missed, in which direction, and what of that is chance."""
    n, stated, right = (curve[name].to_numpy() for name in ("pairs", "stated", "right"))
    points, chance = 100 * (right - stated), 100 * np.sqrt(stated * (1 - stated) / n)
    k = int(np.argmax(np.abs(points)))
    overall = 100 * float(np.average(right - stated, weights=n))
    side = "under" if points[k] > 0 else "over"
    most = abs(points[k])
    held = "within 3 points in every bin" if most <= 3 else f"missed by up to {most:.1f} points"
    return (
        f"{held} (there {side}-confident: stated {stated[k]:.3f}, right {right[k]:.3f}, chance alone "
        f"+-{chance[k]:.1f}); right less stated over all pairs {overall:+.1f} points"
    )


def summary(found: pd.DataFrame) -> dict[str, float]:
    stated = found["probability"].where(found["probability"] >= 0.5, 1 - found["probability"])
    return {
        "pairs": len(found),
        "right": found["right"].mean(),
        "stated": stated.mean(),
        "right where > .9": found["right"][stated > 0.9].mean(),
        "called > .9": (stated > 0.9).mean(),
        "Brier": ((found["probability"] - (found["truth"] > 0)) ** 2).mean(),
        "rms error %": 100 * np.sqrt((found["error"] ** 2).mean()),
        "multiplier held": found["held"].mean(),
        "median width": np.exp(found["width"].median()),
    }


def main() -> None:
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    pairs = numbers[0] if numbers else 1002
    warnings.simplefilter("ignore")
    begun = time.time()
    found = pd.concat([contrasts(kind, pairs // len(KINDS), seed) for seed, kind in enumerate(KINDS)])
    lines = [f"{pairs} simulated pairs, true difference 0 to 2 % at 10 to 300 times the largest run", ""]
    table = pd.DataFrame(
        {(how, "all"): summary(part) for how, part in found.groupby("how")}
        | {(how, kind): summary(part) for (how, kind), part in found.groupby(["how", "kind"])}
    ).T
    lines += [table.to_string(float_format=lambda v: f"{v:.3f}"), ""]
    curves = {how: reliability(part) for how, part in found.groupby("how")}
    for how, curve in curves.items():
        lines += [f"Reliability, {how}:", curve.to_string(float_format=lambda v: f"{v:.3f}"), ""]
        lines += [f"The reliability of {how} is {missed(curve)}.", ""]
    lines.append(f"{time.time() - begun:.0f} seconds")
    text = "\n".join(lines)
    print(text)
    if "--save" in sys.argv:
        record = {
            "summary": {" ".join(key): row for key, row in table.T.to_dict().items()},
            "reliability": {
                how: curve.reset_index(drop=True).to_dict("list") for how, curve in curves.items()
            },
        }
        save("contrasts", text, record)


if __name__ == "__main__":
    main()
