"""Which runs to train next: the error of the answer against what was spent, for designs and for habits.

`python -m benchmarks.next_runs [FOLDER] [--save]`. Simulated: the Chinchilla law of the replication
(Besiroglu et al. 2024), the same with an error of its own (a walk of half a per cent per root decade, or a
term that dies out with compute, 5 % at a ten-thousandth of the budget). A design is paid for from nothing,
fitted, and asked for the loss of the best run of 1e24 FLOP. Replayed, with the folder of shared tables: the
runs below a thirtieth of a real sweep's largest compute may be bought, each once, after a start with the
cheapest; asked for is the loss of the runs above a tenth of the largest. Beside `sj.next_runs` stand random
runs, isoFLOP grids (as many runs at each of five levels of compute) and the largest runs first.
`discrepancy=0` is the design that trusts its law.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.engine.predict import predict_rows

LAW = sj.laws.chinchilla
TRUE = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
PRIOR = "hoffmann2022"
GOAL, NOISE, WALK = 1e24, 0.004, 0.005
BUDGETS = np.array([3e20, 1e21, 3e21, 1e22, 3e22])
TABLES = 100
LEVELS, RATIOS = 5, np.geomspace(4, 100, 5)
SHARES = np.array([0.01, 0.03, 0.1, 0.3])
START, SEEDS = 8, 10
Runs = pd.DataFrame


def _runs(flops: np.ndarray, ratio: np.ndarray) -> Runs:
    N = np.sqrt(flops / (6 * ratio))
    return pd.DataFrame({"N": N, "D": ratio * N})


def _cost(runs: Runs) -> np.ndarray:
    return (6 * runs["N"] * runs["D"]).to_numpy()


# designs from nothing: budget, rng -> runs


def ours(budget: float, _: np.random.Generator, discrepancy: float | str) -> Runs:
    plan = sj.next_runs(sj.published[PRIOR], budget, flops=GOAL, discrepancy=discrepancy).table
    return plan.loc[plan.index.repeat(plan["runs"]), ["N", "D"]].reset_index(drop=True)


def isoflop(budget: float, _: np.random.Generator) -> Runs:
    flops = np.geomspace(1e-2, 1.0, LEVELS)
    flops *= budget / (len(RATIOS) * flops.sum())
    grid = [part.ravel() for part in np.meshgrid(flops, RATIOS)]
    return _runs(*grid)


def random(budget: float, rng: np.random.Generator) -> Runs:
    flops = budget * 10 ** rng.uniform(-4, -0.7, 400)
    kept = flops[np.cumsum(flops) <= budget]
    return _runs(kept, np.exp(rng.uniform(np.log(4), np.log(100), len(kept))))


def largest(budget: float, _: np.random.Generator) -> Runs:
    return _runs(np.full(len(RATIOS) + 1, budget / (len(RATIOS) + 1)), np.geomspace(4, 100, len(RATIOS) + 1))


DESIGNS: dict[str, Callable[[float, np.random.Generator], Runs]] = {
    "next_runs": partial(ours, discrepancy="table"),
    "next_runs, discrepancy=0": partial(ours, discrepancy=0.0),
    "isoFLOP grid": isoflop,
    "random": random,
    "largest first": largest,
}


def _own_error(kind: str, flops: np.ndarray, budget: float, rng: np.random.Generator) -> np.ndarray:
    """Log loss that no parameter explains, pinned to 0 at the answer."""
    if kind == "walk":
        x, where = np.unique(np.log10(flops), return_inverse=True)
        steps = np.diff(np.append(x, np.log10(GOAL)))
        path = np.cumsum((WALK * np.sqrt(steps) * rng.normal(size=len(x)))[::-1])[::-1]
        return path[where]
    return 0.05 * (flops / (1e-4 * budget)) ** -0.6 if kind == "transient" else np.zeros(len(flops))


def simulated() -> pd.DataFrame:
    """A row per kind of truth, design, budget: root mean square and median error of the answer, per cent."""
    best = sj.plan((LAW, TRUE), flops=GOAL, level=None).table.iloc[0]
    parts = []
    for name, design in DESIGNS.items():
        for budget in BUDGETS:
            fixed = None if name == "random" else design(budget, np.random.default_rng(0))
            for table in range(TABLES):
                rng = np.random.default_rng([table, int(np.log10(budget) * 10)])
                runs = design(budget, rng) if fixed is None else fixed
                for kind in ("law", "walk", "transient"):
                    error = NOISE * rng.normal(size=len(runs)) + _own_error(kind, _cost(runs), budget, rng)
                    loss = np.asarray(LAW(runs["N"], runs["D"], **TRUE)) * np.exp(error)
                    key = {"kind": kind, "design": name, "budget": budget, "table": table}
                    parts.append(runs.assign(loss=loss, **key))
    keys = ["kind", "design", "budget", "table"]
    fits = sj.fit_groups(LAW, pd.concat(parts, ignore_index=True), by=keys)
    numbers = np.array([fits[key].numbers for key in fits])
    answer = predict_rows(LAW, numbers, {n: np.full(len(numbers), best[n]) for n in ("N", "D")})
    found = pd.DataFrame(list(fits), columns=keys)
    found["error"] = 100 * np.abs(np.log(answer / best["loss"]))
    return found.groupby(keys[:3], sort=False)["error"].agg(
        rms=lambda e: np.sqrt(np.mean(e**2)), median="median"
    )


# replays: pool, start, budget -> positions


def sweeps(folder: Path) -> Iterator[tuple[str, Runs]]:
    names = {"n_params": "N", "tokens": "D"}
    yield "tiny_sweep", sj.datasets.load("tiny_sweep").query("arm == 'main' and final").rename(columns=names)
    yield "chinchilla", pd.read_csv(folder / "chinchilla/epoch_replication.csv").rename(columns=names)
    yield "farseer", pd.read_csv(folder / "scalebench/farseer.csv")


def _taken(order: np.ndarray, cost: np.ndarray, budget: float) -> np.ndarray:
    """Positions in this order, as long as each is affordable."""
    taken, left = [], budget
    for i in order:
        if cost[i] <= left:
            taken.append(i)
            left -= cost[i]
    return np.array(taken, dtype=int)


def _level_by_level(cost: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """An order that goes round levels of compute, each level at random."""
    level = np.digitize(np.log(cost), np.linspace(*np.log([cost.min(), cost.max()]), LEVELS + 1)[1:-1])
    within = pd.Series(rng.permutation(len(cost))).groupby(level).rank()
    return np.lexsort((level, within))


def bought(how: str, pool: Runs, goal: Runs, budget: float, rng: np.random.Generator) -> np.ndarray:
    """Positions of the pool: the start, and what the rest of the budget is spent on."""
    cost = _cost(pool)
    start = np.argsort(cost, kind="stable")[:START]
    left, rest = budget - cost[start].sum(), np.setdiff1d(np.arange(len(pool)), start)
    if how == "all of the pool" or not (cost[rest] <= left).any():
        return np.arange(len(pool)) if how == "all of the pool" else start
    if how.startswith("next_runs"):
        fit = sj.fit(LAW, pool.iloc[start])
        at = {name: float(np.exp(np.log(goal[name]).mean())) for name in ("N", "D")}
        free = pool.iloc[rest].reset_index(drop=True)
        words = {"discrepancy": 0.0} if how.endswith("=0") else {}
        plan = sj.next_runs(
            fit, left, at=at, candidates=free[["N", "D"]].drop_duplicates(), replicate=False, **words
        )
        wanted = plan.table.merge(free.reset_index(), on=["N", "D"]).drop_duplicates(["N", "D"])["index"]
        return np.append(start, rest[wanted.to_numpy()])
    orders = {
        "random": rng.permutation(len(rest)),
        "isoFLOP grid": _level_by_level(cost[rest], rng),
        "largest first": np.argsort(-cost[rest], kind="stable"),
    }
    return np.append(start, rest[_taken(orders[how], cost[rest], left)])


def replayed(folder: Path) -> pd.DataFrame:
    """A row per sweep, method, share of the pool's compute: mean absolute error of the answer, per cent."""
    rows = []
    for name, runs in sweeps(folder):
        runs = runs[["N", "D", "loss"]].astype(float)
        cost = _cost(runs)
        pool = runs[cost <= cost.max() / 30].reset_index(drop=True)
        goal = runs[cost >= cost.max() / 10]
        parts = []
        for how in [*DESIGNS, "all of the pool"]:
            for share in SHARES:
                for seed in range(SEEDS if how in ("random", "isoFLOP grid") else 1):
                    budget = share * _cost(pool).sum()
                    chosen = bought(how, pool, goal, budget, np.random.default_rng(seed))
                    key = {"sweep": name, "method": how, "share": share, "seed": seed}
                    parts.append(pool.iloc[chosen].assign(**key))
        keys = ["sweep", "method", "share", "seed"]
        fits = sj.fit_groups(LAW, pd.concat(parts, ignore_index=True), by=keys)
        for key, fit in fits.items():
            error = np.abs(np.log(fit.predict(goal) / goal["loss"]))
            rows.append(dict(zip(keys, key, strict=True)) | {"error": 100 * error.mean()})
        print(f"{name}: {len(pool)} runs to buy, {len(goal)} asked about", flush=True)
    found = pd.DataFrame(rows)
    return found.groupby(["sweep", "method", "share"], sort=False)[["error"]].median()


def _wide(found: pd.DataFrame, across: str, what: str) -> pd.DataFrame:
    """A row per case, in their order, and a column per what was spent."""
    rows = [name for name in found.index.names if name != across]
    return found.reset_index().pivot_table(what, rows, across, sort=False)


def main() -> None:
    warnings.simplefilter("ignore")
    begun = time.time()
    wide = _wide(simulated(), "budget", "rms")
    lines = [
        f"Simulated, {TABLES} tables each: rms error of the loss at 1e24 FLOP, per cent, by budget in FLOP"
    ]
    lines += [wide.to_string(float_format=lambda v: f"{v:.2f}"), ""]
    record = {"simulated": wide.reset_index().to_dict("list")}
    folders = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    if folders:
        errors = _wide(replayed(folders[0]), "share", "error")
        lines += ["Replayed: mean error of the largest runs, per cent, by share of the pool's compute spent"]
        lines += [errors.to_string(float_format=lambda v: f"{v:.2f}"), ""]
        record["replayed"] = errors.reset_index().to_dict("list")
    text = "\n".join([*lines, f"{time.time() - begun:.0f} seconds"])
    print(text)
    if "--save" in sys.argv:
        save("next_runs", text, record)


if __name__ == "__main__":
    main()
