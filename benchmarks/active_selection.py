"""Runs bought from a pool, against the published methods of active experiment selection (Li et al. 2026).

`python -m benchmarks.active_selection FOLDER [--save]`, FOLDER the shared tables. Of a task's training rows,
each to be had once, a start of the cheapest (two and a half times as many as the law has parameters, at most
2 % of the pool's cost) is fitted, `sj.next_runs` spends what is left of a share of that cost for the loss of
the test rows, at once or in rounds with a fit before each, and the law fitted to all that was bought is
scored on them: R2, clipped to [-1, 1]. The losses of the test rows play no part before that. Beside it stands
the same with random runs (the mean of ten orders), the cheapest runs and the whole pool, and what the authors
print: their V-optimal choice, their own, and all data (means over their laws and ten repeats, with the
standard deviation). Tasks are those whose test rows and cost per run are known: 6 N D, or N where all runs
saw as many tokens.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.next_runs import affordable
from benchmarks.report import save
from benchmarks.sldbench import EXTRA, TASKS, Candidate, Task, read, score

SHARES = (1, 5, 10)  # per cent of the pool's cost
PER_PARAMETER, START = 2.5, 0.02
ORDERS, ROUNDS = 10, 5
METHODS = ("next_runs", "in rounds", "random", "cheapest", "all data")
COSTS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "farseer": lambda runs: 6 * runs["N"] * runs["D"],
    "moe": lambda runs: runs["dense_parameter_count"],
    "data_constrained": lambda runs: 6 * runs["params"] * runs["tokens"],
}
Way = tuple[Task, Candidate]
PRINTED = {"farseer": "farseer", "moe": "moe", "data_constrained": "data_con"}
LAWS = {"farseer": Candidate(sj.laws.farseer)}  # of the work that made its runs; of others the named one


def begun(cost: np.ndarray, law: sj.Law) -> np.ndarray:
    """Positions of the cheapest runs that a search starts from."""
    order = np.argsort(cost, kind="stable")
    paid = int(np.searchsorted(np.cumsum(cost[order]), START * cost.sum(), side="right"))
    return order[: min(int(PER_PARAMETER * len(law.labels)), paid)]


def designed(
    pool: pd.DataFrame, test: pd.DataFrame, cost: np.ndarray, budget: float, way: Way, rounds: int
) -> np.ndarray:
    """Positions of the start and of what `sj.next_runs` buys besides, fitting again after every round."""
    task, one = way
    columns = {name: task.inputs[name] for name in one.law.inputs}
    at = {name: test[column].to_numpy() for name, column in columns.items()}
    bought = begun(cost, one.law)
    for part in np.diff(np.geomspace(cost[bought].sum(), budget, rounds + 1)):
        rest = np.setdiff1d(np.arange(len(pool)), bought)
        if not (cost[rest] <= part).any():
            continue
        fit = sj.fit(one.law, pool.iloc[bought], target=task.targets[0], **one.options(task))
        places = pd.DataFrame({name: pool[column].to_numpy()[rest] for name, column in columns.items()})
        places = places.assign(price=cost[rest], at=rest).drop_duplicates(list(columns), ignore_index=True)
        plan = sj.next_runs(fit, part, at=at, candidates=places, cost="price", replicate=False, most=None)
        bought = np.append(bought, plan.table.merge(places, on=list(columns))["at"].to_numpy())
    return bought


def replayed(task: Task, table: pd.DataFrame) -> pd.DataFrame:
    """A row per method, share of the cost and order: R2 on the test rows."""
    pool = table.query("split == 'train'").reset_index(drop=True)
    test = table.query("split == 'test'")
    cost = COSTS[task.name](pool).to_numpy(dtype=float)
    one = LAWS.get(task.name, task.named)
    start, every = begun(cost, one.law), np.arange(len(pool))
    rest = np.setdiff1d(every, start)
    parts = []
    for share in SHARES:
        budget = share / 100 * cost.sum()
        chosen = {
            ("next_runs", 0): designed(pool, test, cost, budget, (task, one), 1),
            ("in rounds", 0): designed(pool, test, cost, budget, (task, one), ROUNDS),
            ("cheapest", 0): affordable(np.argsort(cost, kind="stable"), cost, budget),
            ("all data", 0): every,
        }
        for order in range(ORDERS):
            mixed = np.random.default_rng(order).permutation(rest)
            bought = affordable(mixed, cost, budget - cost[start].sum())
            chosen["random", order] = np.append(start, bought)
        parts += [
            pool.iloc[rows].assign(share=share, method=method, order=order)
            for (method, order), rows in chosen.items()
        ]
    keys = ["share", "method", "order"]
    runs = pd.concat(parts, ignore_index=True)
    fits = sj.fit_groups(one.law, runs, by=keys, target=task.targets[0], **one.options(task))
    r2 = [score(np.asarray(fit.predict(test))[None], test, task) for fit in fits.values()]
    return pd.DataFrame(list(fits), columns=keys).assign(r2=r2)


def main() -> None:
    warnings.simplefilter("ignore")
    folder = Path(next((word for word in sys.argv[1:] if not word.startswith("--")), "../shared/data"))
    printed = pd.read_csv(folder / "active_sl/published_r2.csv")
    rows = []
    for task in [*TASKS, *EXTRA]:
        table = read(folder, task.name) if task.name in COSTS else None
        if table is None or not (table["split"] == "test").any():
            continue
        ours = replayed(task, table).groupby(["method", "share"])["r2"].mean()
        theirs = printed[printed["task"] == PRINTED[task.name]].set_index(["method", "budget_percent"])
        for share in SHARES:
            row = {"task": task.name, "share %": share} | {way: ours[way, share] for way in METHODS}
            row |= {"V-optimal, printed": theirs.loc[("v-opt", share), "r2"]}
            row |= {"sd": theirs.loc[("v-opt", share), "sd"], "theirs": theirs.loc[("ours", share), "r2"]}
            rows.append(row | {"all data, printed": theirs.loc[("all data", 100), "r2"]})
    found = pd.DataFrame(rows)
    least = found["V-optimal, printed"] - found["sd"]
    held = [f"{way} {(found[way] >= least).sum()} of {len(found)}" for way in METHODS[:2]]
    text = "R2 on the test rows of what a share of the pool's cost buys\n\n"
    text += found.to_string(index=False, float_format=lambda value: f"{value:.3f}")
    text += "\n\nno less than the printed V-optimal choice less its sd: " + ", ".join(held)
    print(text)
    if "--save" in sys.argv:
        save("active_selection", text, found.to_dict("list"))


if __name__ == "__main__":
    main()
