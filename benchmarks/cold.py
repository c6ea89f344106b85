"""What a new process costs: the import, the first fit of every law, a look, and the way to a printed fit.

`python -m benchmarks.cold [LAW ...]` starts a process per measurement, so nothing is compiled beforehand;
medians of three for the imports and the printed fit, one process per law.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median

import pandas as pd

from benchmarks.report import machine, save
from tests.cases.catalogue import CASES

IMPORTS = """
import time; t = time.perf_counter()
import jax, pandas; peers = time.perf_counter() - t
import scaling_jax; print(time.perf_counter() - t - peers)
"""
PRINTED = """
import time; t = time.perf_counter()
import scaling_jax as sj
runs = sj.datasets.load("tiny_sweep")
columns, final = {"N": "n_params", "D": "tokens"}, "arm == 'main' and final"
text = str(sj.fit(sj.laws.chinchilla, runs, inputs=columns, run="run", where=final))
print(time.perf_counter() - t)
"""
LOOK = """
import time
import scaling_jax as sj
runs = sj.datasets.load("tiny_sweep")
columns, final = {"N": "n_params", "D": "tokens"}, "arm == 'main' and final"
fit = sj.fit(sj.laws.chinchilla, runs, inputs=columns, run="run", where=final)
t = time.perf_counter(); text = fit.summary(); first = time.perf_counter() - t
if hasattr(fit, "examine"): fit.examine()
t = time.perf_counter(); text = fit.summary(); again = time.perf_counter() - t
print(first, again)
"""
FIRST = """
import sys, time
from tests.cases.catalogue import CASES, TARGET, tables
import scaling_jax as sj
case = CASES[sys.argv[1]]
table = tables(case, 1)
t = time.perf_counter()
status = sj.fit(case.law, table, target=TARGET).status
print(time.perf_counter() - t)
"""


def seconds(program: str, *arguments: str, at: int = -1) -> float:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[at])


def main() -> None:
    names = sys.argv[1:] or list(CASES)
    imported, printed = (median(seconds(program) for _ in range(3)) for program in (IMPORTS, PRINTED))
    looks = [median(seconds(LOOK, at=at) for _ in range(3)) for at in (-2, -1)]
    first = pd.Series({name: seconds(FIRST, name) for name in names}).sort_values(ascending=False)
    lines = [
        f"import scaling_jax beyond jax and pandas: {imported:.2f} s; "
        f"from import to a printed fit: {printed:.2f} s",
        f"summary() of a fit that nobody looked at: {1e3 * looks[0]:.1f} ms; "
        f"of one that was examined: {1e3 * looks[1]:.1f} ms",
        f"first fit of {len(first)} laws, each in a new process: "
        f"median {first.median():.2f} s, {int((first <= 2).sum())} within 2 s",
        first.round(2).to_string(),
        str(machine()),
    ]
    print("\n".join(lines))
    save(
        "cold",
        "\n".join(lines),
        {"import": imported, "printed": printed, "looks": looks, "first": first.to_dict()},
    )


if __name__ == "__main__":
    main()
