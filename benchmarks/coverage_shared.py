"""Coverage of intervals of groups that share parameters, where the law is true and exponents are common.

`python -m benchmarks.coverage_shared` draws tables of recipes with one pair of Chinchilla exponents, fits
them with `shared=["alpha", "beta"]`, resamples all recipes at once, and prints how often nominal 90 %
intervals hold the truth: the shared exponents, the first recipe's own constants, and its optimal size and
loss at 1e24 FLOP. Beside them stands what held when the shared values were left at their estimate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.fitting.refits import refit
from scaling_jax.uncertainty.bootstrap import replicates

TABLES, REPLICATES, LEVEL, FLOPS, SIGMA = 200, 500, 0.9, 1e24, 0.005
LAW, SHARED = sj.laws.chinchilla, ["alpha", "beta"]
COMMON = {"alpha": 0.34, "beta": 0.30}
GRIDS = {"2 recipes of 30 runs": (2, 6, 5), "6 recipes of 12 runs": (6, 4, 3)}
OBJECTIVES = {"Huber 0.001": sj.Huber(1e-3), "squared": sj.SquaredError()}


def truths(recipes: int) -> list[dict[str, float]]:
    """Constants of each recipe, fifteen per cent apart."""
    factor = 1.15 ** np.linspace(0, 1, recipes)
    return [{"E": 1.7, "A": 400 * f, "B": 600 / f, **COMMON} for f in factor.tolist()]


def table(recipes: int, sizes: int, ratios: int, rng: np.random.Generator) -> pd.DataFrame:
    N, ratio = (a.ravel() for a in np.meshgrid(np.geomspace(2e7, 1.2e9, sizes), np.geomspace(5, 80, ratios)))
    parts = []
    for recipe, own in enumerate(truths(recipes)):
        loss = np.asarray(LAW(N, N * ratio, **own)) * np.exp(rng.normal(0, SIGMA, len(N)))
        parts.append(pd.DataFrame({"N": N, "D": N * ratio, "loss": loss, "recipe": recipe}))
    return pd.concat(parts, ignore_index=True)


def quantities(numbers: np.ndarray) -> dict[str, np.ndarray]:
    p = dict(zip(LAW.labels, np.atleast_2d(numbers).T, strict=True))
    with np.errstate(invalid="ignore"):
        total = p["alpha"] + p["beta"]
        size = (np.log(p["alpha"] * p["A"] / (p["beta"] * p["B"])) + p["beta"] * np.log(FLOPS / 6)) / total
        loss = p["E"] + p["A"] * np.exp(-p["alpha"] * size)
        loss = loss + p["B"] * np.exp(-p["beta"] * (np.log(FLOPS / 6) - size))
    return {**p, "N* at 1e24": size, "loss at 1e24": loss}


def inside(draws: np.ndarray, truth: dict[str, np.ndarray]) -> dict[str, bool]:
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    ends = {name: np.nanquantile(values, tails) for name, values in quantities(draws).items()}
    return {name: bool(low <= truth[name][0] <= high) for name, (low, high) in ends.items()}


def measured(grid: str, objective: str) -> Iterator[dict[str, Any]]:
    """Per table and way to refit, whether each interval of the first recipe holds the truth."""
    recipes, sizes, ratios = GRIDS[grid]
    truth = quantities(LAW.flatten(truths(recipes)[0]))
    for seed in range(TABLES):
        rng = np.random.default_rng([list(GRIDS).index(grid), seed])
        fits = sj.fit_groups(
            LAW,
            table(recipes, sizes, ratios, rng),
            by="recipe",
            shared=SHARED,
            objective=OBJECTIVES[objective],
        )
        held = refit([replicates(fits[0], REPLICATES, [0, 0])], careful=False)[0].numbers
        jointly = fits.bootstrap(REPLICATES)[0].numbers
        for way, numbers in (("jointly", jointly), ("held", held)):
            yield {"table": grid, "objective": objective, "shared": way, **inside(numbers, truth)}


def main() -> None:
    found = pd.DataFrame([row for grid in GRIDS for name in OBJECTIVES for row in measured(grid, name)])
    summary = found.groupby(["table", "objective", "shared"], sort=False).mean()
    text = "\n".join([
        f"Coverage of nominal {LEVEL:.0%} intervals, {REPLICATES} joint replicates of each of {TABLES} "
        f"tables; noise {SIGMA} on the logarithm;",
        f"a share near .9 is known to +/- {np.sqrt(0.09 / TABLES):.3f} (one standard error).",
        "'held': what held where the shared values stayed at their estimate in every replicate.",
        summary.round(3).reset_index().to_string(index=False),
    ])  # fmt: skip
    print(text)
    table_of = summary.reset_index().to_dict("records")
    save("coverage_shared", text, {"replicates": REPLICATES, "tables": TABLES, "table": table_of})


if __name__ == "__main__":
    main()
