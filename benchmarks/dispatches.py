"""How often a device is called for a fit, and how often arrays move to it and back.

    python -m benchmarks.dispatches [--device] [--groups 2000] [--save]

Each work is done once to compile it, and counted the second time. On an accelerator a call and a transfer
each cost some ten microseconds or more of waiting, whatever they carry, and a loop that the host steers pays
for every round. With --device the accelerator's way is counted beside it and its objectives compared; where
JAX sees no accelerator it runs on the processor, where the counts are the same and the seconds say little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks import many_groups, throughput
from benchmarks.device import add_device, counts, driven
from benchmarks.report import machine, save

ROUNDING = 1e-25  # below it an objective is what float64 leaves of a perfect fit: 200 rows make 1e-29


def sweep(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Runs of a Chinchilla law with 1 % noise."""
    rng = np.random.default_rng(seed)
    N, D = np.exp(rng.uniform(np.log(4e7), np.log(1e10), rows)), np.exp(rng.uniform(20, 26, rows))
    loss = sj.laws.chinchilla(N, D, E=1.8, A=480, B=2100, alpha=0.35, beta=0.37)
    return pd.DataFrame({"N": N, "D": D, "loss": loss * np.exp(rng.normal(0, 0.01, rows))})


def works(groups: int) -> dict[str, Callable[[], Any]]:
    """What is counted, by name; certificates included."""
    one, ragged, small = sweep(), many_groups.simulate(groups), throughput.simulate(groups)
    chinchilla, floor = sj.laws.chinchilla, sj.laws.power_law_floor

    def alone(**options: Any) -> Callable[[], Any]:
        def work() -> sj.FitResult:
            fit = sj.fit(chinchilla, one, **options)
            assert fit.converged
            return fit

        return work

    fit = sj.fit(chinchilla, one)

    def many(law: sj.Law, table: pd.DataFrame, **options: Any) -> Callable[[], Any]:
        return lambda: sj.fit_groups(law, table, by="group", **options)

    return {
        "one fit, 240 rows": alone(),
        "one fit, 4,500 starts screened": alone(starts="grid"),
        "one fit, every one of 4,500 starts": alone(starts="grid", screen=False),
        "one fit, absolute errors": alone(objective=sj.AbsoluteError()),
        "4,000 bootstrap replicates": lambda: fit.bootstrap(4000),
        f"{groups:,} laws, 4 to 20 rows": many(floor, small, starts=throughput.STARTS),
        f"{groups:,} laws, 5 to 200 rows": many(chinchilla, ragged),
        f"{groups:,} laws, squared errors": many(chinchilla, ragged, objective=sj.SquaredError(on="raw")),
    }


def objectives(found: Any) -> np.ndarray:
    if not isinstance(found, sj.FitResult | sj.FitGroups):
        return np.asarray(found.objective_values)
    fits = found.values() if isinstance(found, sj.FitGroups) else [found]
    return np.array([fit.objective_value for fit in fits])


def counted(work: Callable[[], Any], device: bool) -> tuple[dict[str, Any], np.ndarray]:
    with driven(device):
        work()
    with driven(device) as traffic:
        begun = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - begun
    return {
        "seconds": seconds,
        **counts(traffic),
    }, objectives(found)


def both_ways(work: Callable[[], Any], device: bool) -> list[dict[str, Any]]:
    here, values = counted(work, False)
    if not device:
        return [here]
    there, others = counted(work, True)
    worst = float(np.nanmax((others - values) / np.maximum(values, ROUNDING)))
    return [{"way": "host"} | here, {"way": "device"} | there | {"largest excess": f"{worst:.0e}"}]


def report(found: dict[str, list[dict[str, Any]]]) -> str:
    rows = [{"work": name} | way for name, ways in found.items() for way in ways]
    table = pd.DataFrame(rows).round(2).fillna("")
    said = ", ".join(f"{name} {value}" for name, value in machine().items())
    return f"{said}\n{table.to_string(index=False)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_device(parser)
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    found = {name: both_ways(work, options.device) for name, work in works(options.groups).items()}
    print(report(found))
    if options.save:
        save("dispatches", report(found), found)


if __name__ == "__main__":
    main()
