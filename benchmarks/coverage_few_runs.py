"""Coverage of intervals of families of few training runs with checkpoints, whose rows share their run's luck.

`python -m benchmarks.coverage_few_runs` draws tables of 3 to 12 runs with five checkpoints each, luck of .4 %
common to a run's rows and .1 % of each row's own, fits and resamples them, and prints how often nominal 90 %
intervals hold the truth: as the runs resampled say, and spread as `uncertainty.few` spreads them. Where it
gives no interval, the plain ones show why.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.refits import refit, vary
from scaling_jax.uncertainty.few import few_runs, too_few, widened
from scaling_jax.uncertainty.resample import resampled

TABLES, REPLICATES, LEVEL, LUCK, NOISE = 100, 200, 0.9, 0.004, 0.001
RUNS = (3, 4, 5, 6, 8, 12)
TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SHARES = np.array([0.2, 0.35, 0.5, 0.7, 1.0])
DESIGNS = {"one run of each size": "sizes", "two lengths of each size": "grid", "sizes alone": "floor"}


@sj.law
def size_alone(N, *, E: sj.Positive, A: sj.Positive, alpha: sj.Real):
    """A floor and a power of size: all of it is settled between runs."""
    return E + A / N**alpha


def design(runs: int, kind: str) -> pd.DataFrame:
    sizes, ratio = np.geomspace(2e7, 1.2e9, runs), np.full(runs, 40.0)
    if kind == "grid":
        few = np.geomspace(2e7, 1.2e9, max(3, -(-runs // 2)))
        sizes, ratio = np.resize(few, runs), np.where(np.arange(runs) < len(few), 20.0, 80.0)
    n = np.repeat(sizes, len(SHARES))
    return pd.DataFrame({
        "N": n,
        "D": n * np.repeat(ratio, len(SHARES)) * np.tile(SHARES, runs),
        "run": np.repeat(np.arange(runs), len(SHARES)),
    })  # fmt: skip


def quantities(law: sj.Law, numbers: np.ndarray) -> dict[str, np.ndarray]:
    p = dict(zip(law.labels, np.atleast_2d(numbers).T, strict=True))
    at = {"N": np.array([2.4e9, 1.2e10]), "D": np.array([2.4e9, 1.2e10]) * 40}
    loss = np.log(predict(law, np.atleast_2d(numbers), {name: at[name] for name in law.inputs}))
    exponents = {name: p[name] for name in ("alpha", "beta") if name in p}
    return exponents | {"loss 2x": loss[:, 0], "loss 10x": loss[:, 1]}


def measured(runs: int, name: str) -> Iterator[dict[str, Any]]:
    """Per table and way to spread the draws, whether each interval holds the truth."""
    law = size_alone if DESIGNS[name] == "floor" else sj.laws.chinchilla
    constants = {label: TRUTH[label] for label in law.labels}
    table, rng = design(runs, DESIGNS[name]), np.random.default_rng([runs, 0])
    exact = predict(law, law.flatten(constants), {x: table[x].to_numpy() for x in law.inputs})[0]
    luck = LUCK * rng.normal(size=(TABLES, runs))[:, table["run"]]
    loss = exact * np.exp(luck + NOISE * rng.normal(size=(TABLES, len(table))))
    stacked = pd.concat([table] * TABLES, ignore_index=True).assign(
        loss=loss.ravel(), table=np.repeat(np.arange(TABLES), len(table))
    )
    fits = sj.fit_groups(law, stacked, by="table", run="run", objective=sj.SquaredError())
    truth, tails = quantities(law, law.flatten(constants)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    variants = [
        vary(fit, weight=next(resampled(fit, REPLICATES, "run", None, np.random.default_rng([0, i])))[0])
        for i, fit in enumerate(fits.values())
    ]
    for fit, found in zip(fits.values(), refit(variants, careful=False), strict=True):
        few = few_runs(fit)
        ways = {"runs resampled": found.numbers}
        if not too_few(fit):
            ways["spread for few"] = widened(fit, found.numbers)
        for way, numbers in ways.items():
            ends = {what: np.nanquantile(v, tails) for what, v in quantities(law, numbers).items()}
            held = {what: bool(low <= truth[what][0] <= high) for what, (low, high) in ends.items()}
            freedom = np.nan if few is None else round(few.freedom, 1)
            yield {"design": name, "runs": runs, "freedom": freedom, "draws": way, **held}


def finish(found: pd.DataFrame) -> None:
    measures = {name: float for name in found.columns if name not in ("design", "runs", "draws")}
    by = found.astype(measures).groupby(["design", "runs", "draws"], sort=False)
    table = by.mean().round(2)
    text = "\n".join([
        f"Coverage of nominal {LEVEL:.0%} intervals of {TABLES} families of few runs, {REPLICATES} "
        f"replicates each; luck {LUCK} per run,",
        f"noise {NOISE} per row, on the logarithm; a share near .9 is known to +/- "
        f"{np.sqrt(0.09 / TABLES):.2f} (one standard error).",
        "freedom: runs less the parameters settled between them; below .9 no interval is given.",
        table.reset_index().to_string(index=False),
    ])  # fmt: skip
    print(text)
    rows = table.reset_index().to_dict("records")
    save("coverage_few_runs", text, {"tables": TABLES, "replicates": REPLICATES, "table": rows})


def main() -> None:
    finish(pd.DataFrame([row for name in DESIGNS for runs in RUNS for row in measured(runs, name)]))


if __name__ == "__main__":
    main()
