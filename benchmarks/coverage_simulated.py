"""Coverage of bootstrap intervals where Chinchilla's law is true, under five kinds of noise.

`python -m benchmarks.coverage_simulated` fits 1,000 sweeps per kind of noise, bootstraps each 500 times, all
as batches, and prints how often nominal 90 % intervals hold the truth: exponents, loss at 10 and 100 times
the compute, optimal model size. Beside them stands the replicates' standard error of alpha over the true one,
which says why an interval is too short or long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.engine.predict import predict

BLOCKS, SWEEPS, REPLICATES, LEVEL = 4, 250, 500, 0.9  # blocks of sweeps, so that the memory of one is enough
TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
SIZES, RATIOS = np.geomspace(2e7, 1.2e9, 6), np.array([5.0, 10, 20, 40, 80])
CHECKPOINTS = np.array([0.35, 0.5, 0.7, 1.0])
FAR = (10.0, 100.0)
SIGMA = 0.005
OBJECTIVES = {"Huber 0.001": sj.Huber(1e-3), "Huber 0.01": sj.Huber(1e-2), "squared": sj.SquaredError()}
METHODS = {
    "log-normal": ("run", "bayesian", "residual"),
    "heteroscedastic": ("run", "bayesian"),
    "heavy tails": ("run", "bayesian"),
    "runs, checkpoints": ("run", "bayesian", "row"),
    "scales": ("run", "hierarchical"),
}


def design(kind: str) -> pd.DataFrame:
    """The runs of one sweep; twelve sizes where sizes are what is resampled."""
    sizes = np.geomspace(SIZES[0], SIZES[-1], 12) if kind == "scales" else SIZES
    n, ratio = (a.ravel() for a in np.meshgrid(sizes, RATIOS))
    table = pd.DataFrame({"N": n, "D": n * ratio, "run": np.arange(len(n))})
    if kind != "runs, checkpoints":
        return table
    return pd.concat([table.assign(D=table["D"] * share) for share in CHECKPOINTS], ignore_index=True)


def noise(kind: str, table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """(sweeps, rows) on the logarithm of the loss, standard deviation about half a per cent."""
    own = rng.normal(size=(SWEEPS, len(table)))
    if kind == "log-normal":
        return SIGMA * own
    if kind == "heteroscedastic":
        return SIGMA * own * np.interp(np.log(table["N"]), np.log(SIZES[[0, -1]]), [2.0, 0.5])
    if kind == "heavy tails":
        return SIGMA * rng.standard_t(3, size=own.shape)
    common = np.unique(table["run" if kind == "runs, checkpoints" else "N"], return_inverse=True)[1]
    return SIGMA * rng.normal(size=(SWEEPS, common.max() + 1))[:, common] + 0.3 * SIGMA * own


def optimal_size(p: dict[str, np.ndarray]) -> np.ndarray:
    """log of the compute-optimal size at 100 times the sweep's largest compute."""
    total, tokens_times_size = p["alpha"] + p["beta"], 100 * SIZES[-1] ** 2 * RATIOS[-1]
    return np.log(p["alpha"] * p["A"] / (p["beta"] * p["B"])) / total + p["beta"] / total * np.log(
        tokens_times_size
    )


def quantities(law: sj.Law, numbers: np.ndarray) -> dict[str, np.ndarray]:
    p = dict(zip(law.labels, np.atleast_2d(numbers).T, strict=True))
    at = {"N": SIZES[-1] * np.sqrt(FAR), "D": SIZES[-1] * RATIOS[2] * np.sqrt(FAR)}
    loss = np.log(predict(law, numbers, at))
    return {
        "alpha": p["alpha"],
        "beta": p["beta"],
        "loss 10x": loss[:, 0],
        "loss 100x": loss[:, 1],
        "optimal N 100x": optimal_size(p),
    }


def measured(kind: str, objective: str, block: int) -> Iterator[dict[str, Any]]:
    """One block of sweeps: per sweep and quantity whether each method's interval holds the truth,
    the estimate of alpha and its error."""
    law, table = sj.laws.chinchilla, design(kind)
    base = predict(law, law.flatten(TRUTH), {k: table[k].to_numpy() for k in ("N", "D")})[0]
    loss = base * np.exp(noise(kind, table, np.random.default_rng([list(METHODS).index(kind), block])))
    stacked = pd.concat([table] * SWEEPS, ignore_index=True).assign(
        loss=loss.ravel(), sweep=np.repeat(np.arange(SWEEPS), len(table))
    )
    fits = sj.fit_groups(law, stacked, by="sweep", run="run", objective=OBJECTIVES[objective])
    truth = quantities(law, law.flatten(TRUTH))
    for method in METHODS[kind]:
        for sweep, draws in fits.bootstrap(REPLICATES, method=method).items():
            found = quantities(law, draws.numbers)
            ends = {
                name: np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
                for name, values in found.items()
            }
            yield {
                "noise": kind, "objective": objective, "method": method, "block": block, "sweep": sweep,
                **{name: lower <= truth[name][0] <= upper for name, (lower, upper) in ends.items()},
                "estimate": fits[sweep].params["alpha"], "error": float(np.std(found["alpha"])),
            }  # fmt: skip


def finish(results: pd.DataFrame) -> None:
    by = results.groupby(["objective", "noise", "method"], sort=False)
    names = [*quantities(sj.laws.chinchilla, sj.laws.chinchilla.flatten(TRUTH))]
    table = by[names].mean()
    table["error / true"] = by["error"].median() / by["estimate"].std()
    table["sweeps"] = by.size()
    sweeps = int(table["sweeps"].min())
    text = "\n".join([
        f"Coverage of nominal {LEVEL:.0%} intervals, {REPLICATES} replicates of each sweep; "
        f"noise {SIGMA} on the logarithm;",
        f"a share near .9 of {sweeps} sweeps is known to +/- {np.sqrt(0.09 / sweeps):.3f} "
        "(one standard error)",
        table.round(3).reset_index().to_string(index=False),
    ])  # fmt: skip
    print(text)
    save(
        "coverage_simulated",
        text,
        {"replicates": REPLICATES, "table": table.reset_index().to_dict("records")},
    )


def main() -> None:
    cells = [
        (kind, objective, block) for objective in OBJECTIVES for kind in METHODS for block in range(BLOCKS)
    ]
    finish(pd.DataFrame([row for cell in cells for row in measured(*cell)]))


if __name__ == "__main__":
    main()
