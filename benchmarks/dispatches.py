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
from benchmarks.report import machine, save
from scaling_jax.engine.devices import as_an_accelerator
from scaling_jax.engine.traffic import watched

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

    def many(law: sj.Law, table: pd.DataFrame, **options: Any) -> Callable[[], Any]:
        return lambda: sj.fit_groups(law, table, by="group", **options)

    return {
        "one fit, 240 rows": alone(),
        "one fit, 4,500 starts screened": alone(starts="grid"),
        "one fit, every one of 4,500 starts": alone(starts="grid", screen=False),
        f"{groups:,} laws, 4 to 20 rows": many(floor, small, starts=throughput.STARTS),
        f"{groups:,} laws, 5 to 200 rows": many(chinchilla, ragged),
    }


def objectives(found: Any) -> np.ndarray:
    fits = found.values() if isinstance(found, sj.FitGroups) else [found]
    return np.array([fit.objective_value for fit in fits])


def counted(work: Callable[[], Any]) -> tuple[dict[str, Any], np.ndarray]:
    work()
    with watched() as traffic:
        begun = time.perf_counter()
        found = work()
        seconds = time.perf_counter() - begun
    return {
        "dispatches": traffic.dispatches,
        "transfers": traffic.transfers,
        "seconds": seconds,
        "of": ", ".join(f"{name} {count}" for name, count in traffic.calls.most_common()),
    }, objectives(found)


def both_ways(work: Callable[[], Any], device: bool) -> list[dict[str, Any]]:
    here, values = counted(work)
    if not device:
        return [here]
    with as_an_accelerator():
        there, others = counted(work)
    worst = float(np.nanmax((others - values) / np.maximum(values, ROUNDING)))
    return [{"way": "host"} | here, {"way": "device"} | there | {"largest excess": f"{worst:.0e}"}]


def report(found: dict[str, list[dict[str, Any]]]) -> str:
    rows = [{"work": name} | way for name, ways in found.items() for way in ways]
    table = pd.DataFrame(rows).round(2).fillna("")
    said = ", ".join(f"{name} {value}" for name, value in machine().items())
    return f"{said}\n{table.to_string(index=False)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", action="store_true", help="the accelerator's way as well")
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    found = {name: both_ways(work, options.device) for name, work in works(options.groups).items()}
    print(report(found))
    if options.save:
        save("dispatches", report(found), found)


if __name__ == "__main__":
    main()
