"""What rows, starts, replicates and predictions cost: seconds and memory from a thousand rows to a million.

    python -m benchmarks.size [--save] [--quick]

Tables are simulated (Chinchilla's law, 1 % noise). Each line is a process of its own, so peak memory is its
own; times are the second run's, since the first compiles. CPU seconds stand beside wall seconds because they
do not depend on what else runs. The full search looks at every row from every start; its optimum is compared.
`--quick` leaves the two longest lines out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.report import machine, peak_megabytes, save

ROWS = (1_000, 10_000, 100_000, 1_000_000)
TRUTH = {"E": 1.7, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}
WORK = {
    **{f"fit of {rows:,} rows": ("fit", rows, {}) for rows in ROWS},
    "fit of 50,000 rows of 50 runs": ("runs", 50_000, {}),
    "fit of 10,000 rows, full search": ("full", 10_000, {}),
    "fit of 100,000 rows, full search": ("full", 100_000, {}),
    "fit of 240 rows, 100,000 starts": ("fit", 240, {"starts": 100_000}),
    "fit of 100,000 rows, 100,000 starts": ("fit", 100_000, {"starts": 100_000}),
    "bootstrap of 240 rows, 100,000 times": ("bootstrap", 240, {}),
    "prediction for 10,000,000 rows": ("predict", 10_000_000, {}),
}

LONGEST = ("fit of 100,000 rows, 100,000 starts", "bootstrap of 240 rows, 100,000 times")


def table(rows: int) -> dict[str, np.ndarray]:
    import scaling_jax as sj

    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7, 10, rows), 10 ** rng.uniform(9, 12, rows)
    loss = np.asarray(sj.laws.chinchilla(N, D, **TRUTH)) * np.exp(0.01 * rng.normal(size=rows))
    return {"N": N, "D": D, "loss": loss}


def work(kind: str, rows: int, options: dict[str, Any]) -> Callable[[], Any]:
    """The work to be timed; what it needs is made here."""
    import scaling_jax as sj

    law = sj.laws.chinchilla
    if kind in ("bootstrap", "predict"):
        fit = sj.fit(law, table(240))
        if kind == "bootstrap":
            return lambda: fit.bootstrap(100_000)
        runs = table(rows)
        return lambda: fit.predict(runs)
    runs = table(rows)
    if kind == "runs":
        runs["run"] = np.arange(rows) // 1000
        options = {"run": "run"}
    if kind == "full":
        import scaling_jax.fitting.members as members

        members.LONG = 10**9
    return lambda: sj.fit(law, runs, **options)


def measured(name: str) -> dict[str, Any]:
    """One kind of work, in this process."""
    warnings.simplefilter("ignore")
    kind, rows, options = WORK[name]
    run = work(kind, rows, options)
    before = peak_megabytes()
    times: list[tuple[float, float]] = []
    for _ in range(1 if kind == "bootstrap" or options else 2):
        cpu, wall = time.process_time(), time.perf_counter()
        result = run()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        "seconds": times[-1][0],
        "cpu": times[-1][1],
        "before": before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "objective": getattr(result, "objective_value", None),
        "status": getattr(result, "status", ""),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(WORK))
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(measured(options.only)))
        return
    rows: dict[str, Any] = {}
    lines = [f"{'work':<42}{'wall':>10}{'CPU':>10}{'peak memory':>15}{'before it':>13}  status"]
    print(lines[0], flush=True)
    for name in [name for name in WORK if not (options.quick and name in LONGEST)]:
        command = [sys.executable, "-m", "benchmarks.size", "--only", name]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows[name] = r = json.loads(done.stdout.strip().splitlines()[-1])
        lines.append(
            f"{name:<42}{r['seconds']:>8.2f} s{r['cpu']:>8.2f} s{r['memory']:>12.0f} MB"
            f"{r['before']:>10.0f} MB  {r['status']}"
        )
        print(lines[-1], flush=True)
    ends = [rows[f"fit of {n:,} rows"]["cpu"] for n in ROWS]
    growth = np.diff(np.log10(ends)) / np.diff(np.log10(ROWS))
    lines.append(
        "exponent of CPU time in rows, from 1,000 by decades: " + ", ".join(f"{g:.2f}" for g in growth)
    )
    for n in (10_000, 100_000):
        thin, full = (rows[f"fit of {n:,} rows{kind}"]["objective"] for kind in ("", ", full search"))
        lines.append(f"objective at {n:,} rows over the full search's, less one: {thin / full - 1:.1e}")
    lines.append(", ".join(f"{k} {v}" for k, v in machine().items()))
    print("\n".join(lines[-4:]))
    if options.save:
        save("size", "\n".join(lines), rows)


if __name__ == "__main__":
    main()
