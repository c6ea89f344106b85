"""SLDBench (Lin et al. 2025) and scalebench: extrapolations scored as published, by named laws and blind.

`python -m benchmarks.sldbench --data FOLDER` reads TASK.csv or TASK.csv.gz, with a column `split` of train
and test, anywhere below the folder. A score is R2 over all test rows of a task, the mean over its outputs,
clipped to [-1, 1]; no candidate has more parameters than the task allows. The blind choice of laws,
objectives and weights is the same procedure for all tasks and sees training rows only: each input's largest
values are held out in turn, at two depths (of shares, random quarters), and every candidate is fitted to the
others. The geometric mean of its errors, to the power -2, is what it counts in a mean of predictions, each
refitted to all. `one` is the candidate with the least error alone; `blind` the mean of the best candidates
whose parameters together stay within the task's cap, as the published scoring has it; `mean` that of all,
which has more parameters than the cap allows. A task without test rows is not scored.

`--inside` scores the same procedure, and `one`, on training rows held out as the task's test rows were: the
largest size, the last cell, one mixture in four, above the upper quarter of compute. It takes as long again.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.engine.predict import predict_rows

L = sj.laws
DEPTHS = (0.1, 0.25)
MOST_HELD = 0.45
QUARTERS, SEED = 4, 0
POWERS = (0.0, 1.0, 2.0)
ON_LOGS: tuple[sj.Huber | sj.SquaredError, ...] = (sj.Huber(1e-3), sj.SquaredError())
ON_RAW: tuple[sj.Huber | sj.SquaredError, ...] = (sj.Huber(1e-3, on="raw"), sj.SquaredError(on="raw"))
SHARPNESS = 2.0  # power of the inverse error that a candidate counts in the mean; chosen by `--inside`
LEAST = 0.01  # of the best candidate's count: below it none is refitted
THREADS = 2
COLUMNS = ["train", "test", "human", "agent", "named", "one", "mean", "blind", "backtest"]
Rows = Callable[[pd.DataFrame], np.ndarray]
"""Which rows of a table are like a task's test rows."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A law with what is held or tied, an objective, and the power of the sizes that rows weigh as."""

    law: sj.Law
    objective: sj.Huber | sj.SquaredError = field(default_factory=sj.SquaredError)
    power: float = 0.0
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: Sequence[tuple[str, ...]] = ()

    @property
    def parameters(self) -> int:
        return len(self.law.labels) - len(self.fixed) - sum(len(group) - 1 for group in self.tied)

    def options(self, task: Task) -> dict[str, Any]:
        sizes = [name for name in task.sizes if name in self.law.inputs]
        return {
            "inputs": {name: column for name, column in task.inputs.items() if name in self.law.inputs},
            "objective": self.objective,
            "weights": dict.fromkeys(sizes, self.power) if self.power and sizes else None,
            "fixed": dict(self.fixed) or None,
            "tied": list(self.tied) or None,
        }

    def __str__(self) -> str:
        words = [self.law.name, f"{self.objective.kind} on {self.objective.on}"]
        words += [f"size^{self.power:g}"] if self.power else []
        words += [f"{name}={value:g}" for name, value in self.fixed.items()]
        return ", ".join(words + ["=".join(group) for group in self.tied])


@dataclass(frozen=True, eq=False)
class Task:
    """One task: where its numbers stand, what was scored before, and the laws that fit its inputs."""

    name: str
    inputs: Mapping[str, str]
    targets: Sequence[str]
    sizes: Sequence[str]
    most: float
    human: float
    agent: float
    named: Candidate
    laws: Sequence[Candidate]
    alike: Rows | None = None

    def candidates(self, positive: bool) -> list[Candidate]:
        """Every law under every objective and weight that the target allows."""
        objectives = ON_LOGS if positive else ON_RAW
        return [
            Candidate(base.law, objective, power, base.fixed, base.tied)
            for base, objective, power in itertools.product(self.laws, objectives, POWERS)
            if base.parameters <= self.most and (self.sizes or not power)
        ]


def largest(*columns: str, levels: int = 1) -> Rows:
    """The largest values of any of these columns."""

    def rows(table: pd.DataFrame) -> np.ndarray:
        lows = {column: np.unique(table[column])[-levels:].min() for column in columns}
        return np.any([table[column] >= low for column, low in lows.items()], axis=0)

    return rows


def last_cell(size: str, tokens: str) -> Rows:
    """The largest size with the most tokens that it saw."""

    def rows(table: pd.DataFrame) -> np.ndarray:
        large = (table[size] == table[size].max()).to_numpy()
        return large & (table[tokens] == table[tokens][large].max()).to_numpy()

    return rows


def upper_quarter(column: str) -> Rows:
    """The largest quarter of each group's values."""

    def rows(table: pd.DataFrame) -> np.ndarray:
        return (table.groupby("group")[column].rank(pct=True) > 1 - 1 / QUARTERS).to_numpy()

    return rows


def some_mixtures(table: pd.DataFrame) -> np.ndarray:
    """One mixture of four, of every group."""
    mixture = table.groupby([name for name in table if name.startswith("proportion_")]).ngroup().to_numpy()
    return np.isin(mixture, np.random.default_rng(SEED).permutation(mixture.max() + 1)[::QUARTERS])


def _shares(n: int) -> dict[str, str]:
    return {f"r{i}": f"proportion_domain_{i}" for i in range(1, n + 1)}


UNTIED = {"N": "params", "D": "tokens", "U": "unique_tokens"}
TOKENS = {"lr": "lr", "B": "bsz", "N": "non_embedding_param_size", "D": "data_size"}
SURFACE = L.response_surface(lr=2e-3, B=256.0, N=3e8, D=2e10)
TASKS = [
    Task(
        "parallel", {"N": "num_params", "P": "parallel_size"}, ["loss"], ["N"], 4, 1.0, 0.999985,
        Candidate(L.parallel_streams),
        [
            Candidate(L.parallel_streams),
            Candidate(L.power_sum("N", "P"), tied=[("alpha_N", "alpha_P")]),
            Candidate(L.power_product("N", "P")),
        ],
        largest("parallel_size"),
    ),
    Task(
        "vocab", {"N": "non_vocab_parameters", "V": "vocab_size", "D": "num_characters"},
        ["unigram_normalized_loss"], ["N", "D"], 7, 0.966, 0.988557,
        Candidate(L.vocabulary_log, ON_RAW[1]),
        [
            Candidate(L.vocabulary),
            Candidate(L.vocabulary, tied=[("alpha", "gamma")]),
            Candidate(L.vocabulary_log),
        ],
        largest("vocab_size"),
    ),
    Task(
        "sft", {"D": "sft_data_size", "x": "sft_data_size"}, ["sft_loss"], ["D", "x"], 4, 0.957, 0.999265,
        Candidate(L.rectified),
        [
            Candidate(L.rectified),
            Candidate(L.power_law),
            Candidate(L.power_law_floor),
            Candidate(L.shifted_power_law),
        ],
        largest("sft_data_size"),
    ),
    Task(
        "domain_mixture", _shares(5), [f"loss_domain_{i}" for i in range(1, 6)], [], 7, 0.671, 0.998312,
        Candidate(L.mixing_power(*_shares(5)), ON_RAW[1]),
        [
            Candidate(L.mixing_power(*_shares(5))),
            Candidate(L.mixing_power(*_shares(5)), fixed={"a": 1.0, "b": 0.0}),
            Candidate(L.mixing_exponential(*_shares(5))),
        ],
        some_mixtures,
    ),
    Task(
        "moe",
        {"N": "dense_parameter_count", "E": "num_experts", "experts": "num_experts"},
        ["loss_validation"], ["N"], 6, 0.703, 0.961586,
        Candidate(L.expert_share, power=1.0),
        [
            Candidate(L.routed),
            Candidate(L.expert_share),
            Candidate(L.power_product("N", "experts")),
            Candidate(L.power_sum("N", "experts")),
        ],
        largest("dense_parameter_count"),
    ),
    Task(
        "data_constrained", UNTIED, ["loss"], ["N", "D"], 7, 0.911, 0.926947,
        Candidate(L.power_sum("N", "D", "U"), ON_LOGS[0]),
        [
            Candidate(L.data_constrained),
            Candidate(L.data_constrained_geometric),
            Candidate(L.data_constrained_overfit, tied=[("alpha", "beta")]),
            Candidate(L.power_sum("N", "D", "U")),
            Candidate(L.chinchilla),
        ],
        largest("params", "unique_tokens", levels=2),
    ),
    Task(
        "lr_bsz", TOKENS, ["lm_loss"], ["N", "D"], np.inf, -0.076, 0.983442,
        Candidate(SURFACE, power=2.0),
        [Candidate(L.lr_batch_surface), Candidate(SURFACE), Candidate(L.chinchilla)],
        last_cell("non_embedding_param_size", "data_size"),
    ),
    Task(
        "easy_question", {"C": "flops"}, ["brier_score"], ["C"], 6, -1.0, 0.935259,
        Candidate(L.bump, ON_RAW[1]),
        [
            Candidate(L.bump),
            Candidate(L.bump, fixed={"A": 0.0, "C_m": 1.0, "w": 1.0}),
            Candidate(L.compute_only),
            Candidate(L.response_surface(C=10.0)),
        ],
        upper_quarter("flops"),
    ),
]  # fmt: skip
EXTRA = [
    Task(
        "sparsity",
        {"x1": "P", "x2": "N_active", "N": "N_active", "experts": "P"},
        ["loss"], [], np.inf, np.nan, 0.37,
        Candidate(L.interaction, ON_RAW[1]),
        [
            Candidate(L.interaction),
            Candidate(L.power_product("N", "experts")),
            Candidate(L.power_sum("N", "experts")),
        ],
    ),
    Task(
        "farseer", {"N": "N", "D": "D"}, ["loss"], ["N", "D"], np.inf, np.nan, 0.91,
        Candidate(L.chinchilla),
        [Candidate(L.chinchilla), Candidate(L.chinchilla_gamma)],
    ),
]  # fmt: skip


def read(folder: Path, name: str) -> pd.DataFrame | None:
    """A task's table, with one group where it has none."""
    found = [path for ending in ("csv.gz", "csv") for path in sorted(folder.rglob(f"{name}.{ending}"))]
    if not found:
        return None
    table = pd.read_csv(found[0])
    return table if "group" in table else table.assign(group="all")


def held_out(table: pd.DataFrame, task: Task) -> dict[tuple[str, float], np.ndarray]:
    """Input and depth -> the rows held out: of every group the input's largest values, that share or more.

    Shares have no larger values to go to: where inputs are shares, random quarters are held out.
    """
    groups = table.groupby("group").indices.values()
    if sj.Unit.__metadata__[0] in task.named.law.input_domains.values():
        quarter = np.random.default_rng(SEED).integers(0, QUARTERS, len(table))
        return {("quarter", k): quarter == k for k in range(QUARTERS)}
    found = {}
    for column, depth in itertools.product(dict.fromkeys(task.inputs.values()), DEPTHS):
        held = np.zeros(len(table), dtype=bool)
        for rows in groups:
            values = table[column].to_numpy()[rows]
            held[rows] = values >= np.sort(values)[-max(1, int(np.ceil(depth * len(values))))]
        if held.mean() <= MOST_HELD:
            found[column, depth] = held
    return found


def backtest(candidate: Candidate, table: pd.DataFrame, task: Task) -> float:
    """Geometric mean of the normalised squared errors over what is held out and over outputs."""
    cuts = held_out(table, task)
    groups = table.groupby("group").indices
    splits = {
        cut: [sj.evaluate.Split((group, *cut), r[~held[r]], r[held[r]]) for group, r in groups.items()]
        for cut, held in cuts.items()
    }
    everything = [split for part in splits.values() for split in part]
    errors = []
    for target in task.targets:
        options = candidate.options(task) | {"target": target}
        fits = sj.evaluate.fit_splits(candidate.law, table, everything, **options)
        for part in splits.values():
            rows = np.concatenate([split.test for split in part])
            each = [fits[split.label].numbers for split in part]
            numbers = np.repeat(each, [len(split.test) for split in part], axis=0)
            actual = table[target].to_numpy()[rows]
            miss = predicted(candidate, task, numbers, table.iloc[rows]) - actual
            errors.append(np.mean(miss**2) / actual.var())
    return float(np.exp(np.mean(np.log(errors)))) if np.isfinite(errors).all() else np.inf


def predicted(candidate: Candidate, task: Task, numbers: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """(rows,) the law at parameters (rows, labels)."""
    columns = {name: rows[task.inputs[name]].to_numpy(dtype=float) for name in candidate.law.inputs}
    return predict_rows(candidate.law, numbers, columns)


def foretold(candidate: Candidate, train: pd.DataFrame, test: pd.DataFrame, task: Task) -> np.ndarray:
    """(outputs, rows) what a candidate fitted to the training rows says of the others."""
    found = []
    for target in task.targets:
        fits = sj.fit_groups(candidate.law, train, by="group", target=target, **candidate.options(task))
        numbers = np.stack([fits[group].numbers for group in test["group"]])
        found.append(predicted(candidate, task, numbers, test))
    return np.array(found)


def score(said: np.ndarray, test: pd.DataFrame, task: Task) -> float:
    """Mean over outputs of R2 over the test rows of all groups, clipped."""
    each = [sj.evaluate.r_squared(one, test[target]) for one, target in zip(said, task.targets, strict=True)]
    return float(np.clip(np.mean(each), -1, 1))


def counts(errors: Mapping[Candidate, float]) -> dict[Candidate, float]:
    """What each candidate counts in the mean, the best one 1, without those that hardly do."""
    least = min(errors.values())
    found = {candidate: (least / error) ** SHARPNESS for candidate, error in errors.items()}
    return {candidate: share for candidate, share in found.items() if share >= LEAST}


def within(share: Mapping[Candidate, float], most: float) -> dict[Candidate, float]:
    """The candidates that count most, each taken where its parameters still fit beside those before it."""
    kept: dict[Candidate, float] = {}
    for candidate in sorted(share, key=share.__getitem__, reverse=True):
        if sum(one.parameters for one in kept) + candidate.parameters <= most:
            kept[candidate] = share[candidate]
    return kept


def blended(said: Mapping[Candidate, np.ndarray], share: Mapping[Candidate, float]) -> np.ndarray:
    """The weighted mean of predictions, without candidates that are not finite everywhere."""
    sound = [candidate for candidate in share if np.isfinite(said[candidate]).all()]
    return np.average([said[one] for one in sound], axis=0, weights=[share[one] for one in sound])


def blind(train: pd.DataFrame, test: pd.DataFrame, task: Task) -> dict[str, Any]:
    """The blind choices, and their scores where there are rows to predict."""
    positive = bool((train[list(task.targets)] > 0).all(axis=None))
    errors = {candidate: backtest(candidate, train, task) for candidate in task.candidates(positive)}
    share = counts(errors)
    best = max(share, key=share.__getitem__)
    told = {
        "chosen": str(best),
        "backtest": errors[best],
        "shares": {str(one): count / sum(share.values()) for one, count in share.items()},
    }
    if not len(test):
        return told
    said = {candidate: foretold(candidate, train, test, task) for candidate in share}
    return told | {
        "one": score(said[best], test, task),
        "mean": score(blended(said, share), test, task),
        "blind": score(blended(said, within(share, task.most)), test, task),
    }


def run(task: Task, table: pd.DataFrame, inside: bool = False) -> dict[str, Any]:
    """One row of the report."""
    train, test = (table[table["split"] == word].reset_index(drop=True) for word in ("train", "test"))
    row: dict[str, Any] = {"task": task.name, "train": len(train), "test": len(test)}
    row |= {"human": task.human, "agent": task.agent, "named": np.nan}
    row |= dict.fromkeys(("one", "mean", "blind"), np.nan)
    row |= {"named law": str(task.named)} | blind(train, test, task)
    if len(test):
        row["named"] = score(foretold(task.named, train, test, task), test, task)
    if inside and task.alike is not None:
        held = task.alike(train)
        known, kept = train[~held].reset_index(drop=True), train[held].reset_index(drop=True)
        again = blind(known, kept, task)
        row |= {"inside rows": len(kept)} | {f"inside {way}": again[way] for way in ("one", "mean", "blind")}
    return row


def mean(rows: pd.DataFrame, what: str) -> str:
    scored = rows[what].dropna()
    return f"{what}: mean R2 {scored.mean():.3f} over {len(scored)} tasks"


def report(tasks: Sequence[Task], folder: Path, inside: bool = False) -> pd.DataFrame:
    """One row per task that has a table, printed as it is done."""
    tables = {task: table for task in tasks if (table := read(folder, task.name)) is not None}
    rows = []
    with ThreadPoolExecutor(THREADS) as pool:
        for row in pool.map(partial(run, inside=inside), tables, tables.values()):
            print(f"{row['task']}: named {row['named law']}; blind {row['chosen']}", flush=True)
            rows.append(row)
    return pd.DataFrame(rows)


def printed(everything: pd.DataFrame, seconds: float) -> str:
    """The report as text; its last line is the blind score."""
    rows = everything[~everything["task"].isin([task.name for task in EXTRA])]
    inside = [name for name in everything if name.startswith("inside")]
    scored = rows[rows["test"] > 0]
    return "\n".join([
        f"{'task':18}{'the candidate that counts most, its share in the mean, and how many share it'}",
        *(
            f"{row['task']:18}{row['chosen']}, {max(row['shares'].values()):.2f} of {len(row['shares'])}"
            for row in everything.to_dict("records")
        ),
        "",
        everything[["task", *COLUMNS, *inside]].round(4).to_string(index=False, na_rep="-"),
        "",
        f"{seconds:.0f} s; the means are of SLDBench alone",
        *(mean(rows, what) for what in inside[1:]),
        *(mean(scored, what) for what in ("human", "agent", "named", "one", "mean", "blind")),
    ])  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=str(__doc__).partition("\n\n")[0])
    words.add_argument("--data", type=Path, required=True, help="the folder that holds the tables")
    words.add_argument("--save", action="store_true", help="keep what is printed under benchmarks/results/")
    words.add_argument("--tasks", nargs="*", help="only these")
    words.add_argument("--inside", action="store_true", help="also score rows held out of the training rows")
    given = words.parse_args()
    chosen = [task for task in [*EXTRA, *TASKS] if not given.tasks or task.name in given.tasks]
    begun = time.perf_counter()
    everything = report(chosen, given.data, given.inside)
    seconds = time.perf_counter() - begun
    text = printed(everything, seconds)
    print(text)
    if given.save:
        save("sldbench", text, {"seconds": seconds, "tasks": everything.to_dict("records")})


if __name__ == "__main__":
    main()
