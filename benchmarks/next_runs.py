"""Which runs to train next: the error of the answer against what was spent, for designs and for habits.

`python -m benchmarks.next_runs [FOLDER] [--designs] [--save]`. Simulated: the Chinchilla law of the
replication (Besiroglu et al. 2024), the same with an error of its own (a walk of half a per cent per root
decade, or a term that dies out with compute, 5 % at a ten-thousandth of the budget). A design is paid for
from nothing, fitted, and asked for the loss of the best run of 1e24 FLOP. Replayed, with the folder of shared
tables: the runs below a thirtieth of a real sweep's largest compute may be bought, each once, after a start
with the cheapest; asked for is the loss of the runs above a tenth of the largest. So it is on simulated
sweeps whose law errs by the same walk. `in rounds` spends a third at a time and fits again before the next.
Beside `sj.next_runs` stand random runs, isoFLOP grids (as many runs at each of five levels of compute) and
the largest runs first. `discrepancy=0` is the design that trusts its law.

With `--designs` what designs of whole sweeps say beforehand is held to what comes out: the interval that
`sj.next_runs` expects, and the error of plain fits to tables drawn from other constants than the design was
made from, the law erring by the walk that the design supposes.
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
SIMULATED = 6
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


EXPECTED = [(PRIOR, 1e22, GOAL, 10), (PRIOR, 1e22, GOAL, 50)]
DRAWN = 40


def expected() -> pd.DataFrame:
    """A row per design of a whole sweep: standard deviation expected of the answer, root mean square and
    median error (over .6745), per cent; and how often the 90 % interval that was expected holds."""
    rows = []
    for prior, budget, goal, most in EXPECTED:
        for walk in (0.0, WALK):
            plan = sj.next_runs(sj.published[prior], budget, flops=goal, most=most, discrepancy=walk)
            chosen = plan.table.loc[plan.table.index.repeat(plan.table["runs"]), ["N", "D"]]
            best = sj.plan((LAW, TRUE), flops=goal, level=None).table.iloc[0]
            parts = []
            for table in range(DRAWN):
                rng = np.random.default_rng([table, most, int(np.log10(budget) * 10)])
                error = NOISE * rng.normal(size=len(chosen))
                if walk:
                    error = error + _own_error("walk", _cost(chosen), budget, rng, goal)
                loss = np.asarray(LAW(chosen["N"], chosen["D"], **TRUE)) * np.exp(error)
                parts.append(chosen.assign(loss=loss, table=table))
            fits = sj.fit_groups(LAW, pd.concat(parts, ignore_index=True), by="table")
            numbers = np.array([fit.numbers for fit in fits.values()])
            said = predict_rows(LAW, numbers, {n: np.full(len(numbers), best[n]) for n in ("N", "D")})
            error = 100 * np.log(said / best["loss"])
            half = 100 * plan.halfwidth
            rows.append({
                "budget": budget,
                "goal": goal,
                "walk": walk,
                "runs": len(chosen),
                "expected": 100 * plan.after,
                "rms": np.sqrt(np.mean(error**2)),
                "median": np.median(np.abs(error)) / 0.6745,
                "inside 90 %": np.mean(np.abs(error) <= half),
                "efficiency": plan.efficiency,
            })  # fmt: skip
    return pd.DataFrame(rows)


def _own_error(
    kind: str, flops: np.ndarray, budget: float, rng: np.random.Generator, goal: float = GOAL
) -> np.ndarray:
    """Log loss that no parameter explains, pinned to 0 at the answer."""
    if kind == "walk":
        x, where = np.unique(np.log10(flops), return_inverse=True)
        steps = np.diff(np.append(x, np.log10(goal)))
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
    for table in range(SIMULATED):
        rng = np.random.default_rng([7, table])
        N, ratio = (g.ravel() for g in np.meshgrid(np.geomspace(3e7, 3e9, 12), np.geomspace(4, 100, 8)))
        runs = pd.DataFrame({"N": N, "D": ratio * N})
        error = NOISE * rng.normal(size=len(runs)) + _own_error("walk", _cost(runs), 0.0, rng, 1e22)
        yield f"simulated {table}", runs.assign(loss=np.asarray(LAW(N, ratio * N, **TRUE)) * np.exp(error))


def affordable(order: np.ndarray, cost: np.ndarray, budget: float) -> np.ndarray:
    """Positions in this order, as long as each can be paid."""
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
        words = {"discrepancy": 0.0} if how.endswith("=0") else {}
        for rounds in (3, 2, 1) if how.endswith("in rounds") else (1,):
            start = _designed(pool, goal, start, (budget - cost[start].sum()) / rounds, words)
        return start
    orders = {
        "random": rng.permutation(len(rest)),
        "isoFLOP grid": _level_by_level(cost[rest], rng),
        "largest first": np.argsort(-cost[rest], kind="stable"),
    }
    return np.append(start, rest[affordable(orders[how], cost[rest], left)])


def _designed(
    pool: Runs, goal: Runs, start: np.ndarray, budget: float, words: dict[str, float]
) -> np.ndarray:
    """The start, and the runs of the pool that the design of its fit buys."""
    rest = np.setdiff1d(np.arange(len(pool)), start)
    free = pool.iloc[rest].reset_index(drop=True)
    if not (_cost(free) <= budget).any():
        return start
    fit = sj.fit(LAW, pool.iloc[start])
    at = {name: goal[name].to_numpy() for name in ("N", "D")}
    places = free[["N", "D"]].drop_duplicates()
    plan = sj.next_runs(fit, budget, at=at, candidates=places, replicate=False, most=None, **words)
    wanted = plan.table.merge(free.reset_index(), on=["N", "D"]).drop_duplicates(["N", "D"])["index"]
    return np.append(start, rest[wanted.to_numpy()])


def replayed(folder: Path) -> pd.DataFrame:
    """A row per sweep, method, share of the pool's compute: mean absolute error of the answer, per cent."""
    rows = []
    for name, runs in sweeps(folder):
        runs = runs[["N", "D", "loss"]].astype(float)
        cost = _cost(runs)
        pool = runs[cost <= cost.max() / 30].reset_index(drop=True)
        goal = runs[cost >= cost.max() / 10]
        parts = []
        for how in ["next_runs, in rounds", *DESIGNS, "all of the pool"]:
            for share in SHARES:
                for seed in range(SEEDS if how in ("random", "isoFLOP grid") else 1):
                    budget = share * _cost(pool).sum()
                    chosen = bought(how, pool, goal, budget, np.random.default_rng(seed))
                    key = {
                        "sweep": name.split(" ")[0],
                        "method": how,
                        "share": share,
                        "seed": f"{name} {seed}",
                    }
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


def designed() -> None:
    """Prints and keeps what sweeps that are designed before any run promise and hold."""
    found = expected()
    lines = [
        f"Sweeps designed before any run, {DRAWN} tables each: sd expected of the answer, and error, per cent"
    ]
    text = "\n".join([*lines, found.to_string(index=False, float_format=lambda v: f"{v:.3g}")])
    print(text)
    if "--save" in sys.argv:
        save("next_runs_designs", text, found.to_dict("list"))


def main() -> None:
    warnings.simplefilter("ignore")
    if "--designs" in sys.argv:
        designed()
        return
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
