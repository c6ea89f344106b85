"""How often `fit.adequacy()` speaks: of true laws, which is its level, and of wrong ones, which is its power.

`python -m benchmarks.adequacy [--tables N] [--save]` simulates tables of ten laws and of Chinchilla's under
the noise that runs have (heavy tails, small runs noisier, checkpoints that share their run's luck, six long
runs), fits each kind in batches and counts the tables whose law is found wanting. Then the same for tables
that Chinchilla's law does not describe: an exponent on the sum of its terms, a break, checkpoints of
unfinished cosine schedules; beside each the power of whoever knows the shape of the error and the noise,
which no test of tables alone can have. `--real FOLDER` prints what it says of public tables instead.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

import scaling_jax as sj
from benchmarks import coverage_real
from benchmarks.report import save
from scaling_jax.core.objective import Objective
from scaling_jax.diagnosis.adequacy import LEVEL, look
from scaling_jax.uncertainty.sandwich import row_slopes
from tests.cases.catalogue import CASES, CHINCHILLA

BLOCK = 250  # tables fitted at once, so that the memory of one block is enough
NOISE = 0.005
HUBER, SQUARED = sj.Huber(), sj.SquaredError()
TEN = (
    "power_law",
    "power_law_floor",
    "shifted_power_law",
    "power_product",
    "multiplicative",
    "kaplan",
    "chinchilla",
    "chinchilla_gamma",
    "data_constrained",
    "overtraining",
)
SIZES, RATIOS = np.geomspace(2e7, 1.2e9, 6), np.array([5.0, 10, 20, 40, 80])
CHECKPOINTS = np.array([0.35, 0.5, 0.7, 1.0])
LONG = np.geomspace(0.1, 1, 10)
MOST_ROWS = 48

Noise = Callable[[pd.DataFrame, np.random.Generator], np.ndarray]


class Kind(NamedTuple):
    """Tables of one kind: the law that is fitted, the runs, the true mean, and the noise of each row."""

    words: str
    law: sj.Law
    runs: pd.DataFrame
    mean: np.ndarray
    noise: Noise
    fixed: dict[str, float] | None = None


def normal(runs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    return NOISE * rng.normal(size=len(runs))


def heavy(runs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    return NOISE * rng.standard_t(3, size=len(runs))


def uneven(runs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Twice the noise for the smallest size, half for the largest."""
    return normal(runs, rng) * np.interp(np.log(runs["N"]), np.log(SIZES[[0, -1]]), [2.0, 0.5])


def clustered(runs: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """A run's own luck, and less than a third as much for each checkpoint."""
    return NOISE * rng.normal(size=runs["run"].max() + 1)[runs["run"]] + 0.3 * normal(runs, rng)


def grid(checkpoints: np.ndarray | None = None, ratios: np.ndarray = RATIOS) -> pd.DataFrame:
    """Thirty runs of six sizes and five tokens per parameter, or their checkpoints."""
    n, ratio = (a.ravel() for a in np.meshgrid(SIZES, ratios))
    table = pd.DataFrame({"N": n, "D": n * ratio, "run": np.arange(len(n))})
    if checkpoints is None:
        return table
    return pd.concat([table.assign(D=table["D"] * share) for share in checkpoints], ignore_index=True)


def chinchilla(runs: pd.DataFrame) -> np.ndarray:
    return np.asarray(sj.laws.chinchilla(runs["N"].to_numpy(), runs["D"].to_numpy(), **CHINCHILLA))


def bent(runs: pd.DataFrame, gamma: float) -> np.ndarray:
    """Chinchilla's reducible loss to a power, the same where it is one."""
    return CHINCHILLA["E"] + (chinchilla(runs) - CHINCHILLA["E"]) ** gamma


def broken(runs: pd.DataFrame, factor: float, where: float = 0.5) -> np.ndarray:
    """The reducible loss falls `factor` times as fast beyond this share of the rows, in order of compute."""
    size = np.log(runs["N"] * runs["D"]).to_numpy()
    rest = chinchilla(runs) - CHINCHILLA["E"]
    beyond = np.maximum(size - np.quantile(size, where), 0.0)
    return CHINCHILLA["E"] + rest * np.exp(-(factor - 1) * 0.17 * beyond)


def cosine(runs: pd.DataFrame, size: float) -> np.ndarray:
    """Checkpoints of cosine schedules lie above what a finished run of as many tokens reaches, by `size`
    where the learning rate is highest."""
    share = (runs["D"] / runs.groupby("run")["D"].transform("max")).to_numpy()
    return chinchilla(runs) * (1 + size * 0.5 * (1 + np.cos(np.pi * share)))


def true_laws() -> Iterator[Kind]:
    """Ten laws under normal noise, Chinchilla's under other noise as well."""
    for name in TEN:
        case = CASES[name]
        axes = np.meshgrid(*case.design.values(), indexing="ij")
        runs = pd.DataFrame({n: a.ravel() for n, a in zip(case.design, axes, strict=True)})
        if len(runs) > MOST_ROWS:
            runs = runs.sample(MOST_ROWS, random_state=0).sort_index().reset_index(drop=True)
        inputs = {n: runs[n].to_numpy(float) for n in case.law.inputs}
        fixed = {n: case.truth[n] for n in case.fixed}
        yield Kind(name, case.law, runs, np.asarray(case.law(**inputs, **case.truth)), normal, fixed)
    yield from chinchillas("", lambda runs: chinchilla(runs))


def chinchillas(words: str, mean: Callable[[pd.DataFrame], np.ndarray], only: str = "") -> Iterator[Kind]:
    """Thirty runs, their checkpoints, twelve runs and six long ones, with a mean of the caller's."""
    law = sj.laws.chinchilla
    for name, runs, noise in (
        ("30 runs", grid(), normal),
        ("30 runs, heavy tails", grid(), heavy),
        ("30 runs, small ones noisier", grid(), uneven),
        ("30 runs of 4 checkpoints", grid(CHECKPOINTS), clustered),
        ("12 runs of 10 checkpoints", grid(LONG, RATIOS[[1, 3]]), clustered),
        ("6 runs of 10 checkpoints", grid(LONG, RATIOS[[3]]), clustered),
    ):
        if only in name:
            yield Kind(f"chinchilla{words}, {name}", law, runs, mean(runs), noise)


def wrong_laws() -> Iterator[Kind]:
    """What Chinchilla's law does not describe."""
    for gamma in (0.7, 0.5):
        yield from chinchillas(f" ** {gamma:g}", lambda runs, g=gamma: bent(runs, g))
    for factor in (0.7, 0.4):
        yield from chinchillas(f", slope {factor:g} after a break", lambda runs, f=factor: broken(runs, f))
    for where in (0.3, 0.7):
        words = f", slope 0.7 after {100 * where:.0f} % of the rows"
        yield from chinchillas(words, lambda runs, w=where: broken(runs, 0.7, w))
    for size in (0.01, 0.03):
        words = f", cosine + {100 * size:g} %"
        yield from chinchillas(words, lambda runs, s=size: cosine(runs, s), "checkpoints")


def possible(kind: Kind) -> float | None:
    """Power at 5 % of the likelihood ratio that knows the mean, the noise and its clusters; none for noise
    that is not normal and of one size."""
    if kind.noise not in (normal, clustered):
        return None
    fit = sj.fit(kind.law, kind.runs.assign(y=kind.mean), target="y", objective=SQUARED, fixed=kind.fixed)
    run = kind.runs["run"].to_numpy()
    alike = (
        np.equal.outer(run, run) + 0.3**2 * np.eye(len(run)) if kind.noise is clustered else np.eye(len(run))
    )
    white = np.linalg.inv(np.linalg.cholesky(NOISE**2 * alike))
    law, _ = np.linalg.qr(white @ row_slopes(fit))
    miss = white @ fit.residuals
    return float(norm.sf(norm.isf(LEVEL) - np.linalg.norm(miss - law @ (law.T @ miss))))


def spoken(kind: Kind, objective: Objective, tables: int) -> tuple[float, float, float]:
    """Share of the tables found wanting, share of the fits that converged, and milliseconds a look."""
    rng, said, looked = np.random.default_rng(7), [], 0.0
    for _ in range(-(-tables // BLOCK)):
        block = min(BLOCK, tables)
        both = [
            kind.runs.assign(y=kind.mean * np.exp(kind.noise(kind.runs, rng)), table=i) for i in range(block)
        ]
        fits = sj.fit_groups(
            kind.law,
            pd.concat(both, ignore_index=True),
            by="table",
            target="y",
            run="run" if "run" in kind.runs else None,
            objective=objective,
            fixed=kind.fixed,
        )
        began = time.perf_counter()
        said += [look(fit).speaks for fit in fits.values() if fit.converged]
        looked += time.perf_counter() - began
    return float(np.mean(said)), len(said) / tables, 1000 * looked / max(len(said), 1)


def simulated(tables: int) -> tuple[str, list[dict[str, object]]]:
    """The printed tables and their numbers; a quarter of the tables for squared errors and for wrong laws."""
    record: list[dict[str, object]] = []
    lines = [
        f"{'share of tables found wanting':<74}{'Huber':>8}{'squared':>9}{'converged':>11}{'possible':>10}"
    ]
    for title, kinds, many in (
        (f"The law is true ({tables} tables, squared errors {tables // 4})", true_laws(), tables),
        (f"The law is wrong ({tables // 4} tables)", wrong_laws(), tables // 4),
    ):
        lines += ["", title]
        print("\n".join(lines[-2:] if record else lines), flush=True)
        for kind in kinds:
            huber, converged, ms = spoken(kind, HUBER, many)
            squared = spoken(kind, SQUARED, tables // 4)[0]
            row = {"kind": kind.words, "true": title.startswith("The law is true"), "tables": many}
            best = LEVEL if row["true"] else possible(kind)
            row |= {"huber": huber, "squared": squared, "converged": converged, "possible": best, "ms": ms}
            record.append(row)
            told = "-" if best is None else f"{best:.3f}"
            lines.append(f"{kind.words:<74}{huber:>8.3f}{squared:>9.3f}{converged:>11.3f}{told:>10}")
            print(lines[-1], flush=True)
    return "\n".join(lines), record


def real(folder: Path) -> Iterator[tuple[str, sj.FitResult]]:
    """The law that each public table is usually given."""
    sweep = {"inputs": {"N": "n_params", "D": "tokens"}, "run": "run", "where": "arm == 'main' and final"}
    yield "tiny_sweep", sj.fit(sj.laws.chinchilla, sj.datasets.load("tiny_sweep"), **sweep)
    replication = pd.read_csv(folder / "chinchilla/epoch_replication.csv")
    for words, rows in (("245 rows", replication), ("240 rows", replication.iloc[5:])):
        inputs = {"N": "n_params", "D": "tokens"}
        yield f"chinchilla_replication, {words}", sj.fit(sj.laws.chinchilla, rows, inputs=inputs)
    tasks = [*coverage_real.hitchhikers(folder), *coverage_real.gadre(folder), *coverage_real.ladder(folder)]
    for _, rows in {task["family"].iloc[0]: task for task in tasks}.items():
        law, columns, run = coverage_real.LAWS[rows["law"].iloc[0]]
        yield rows["family"].iloc[0], sj.fit(law, rows, inputs=columns, run=run)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    if asked.real is None:
        text, record = simulated(asked.tables)
        if asked.save:
            save("adequacy", text, record)
        return
    lines, record = [], []
    for name, fit in real(asked.real):
        found = fit.adequacy()
        lines += [
            f"{name} ({fit.law.name}, {found.trends.runs} runs): {fit.verdict.word}",
            f"    {found.sentence}",
        ]
        record.append({"table": name, "word": fit.verdict.word, "p": found.p, "sentence": found.sentence})
        print("\n".join(lines[-2:]), flush=True)
    if asked.save:
        save("adequacy_real", "\n".join(lines), record)


if __name__ == "__main__":
    main()
