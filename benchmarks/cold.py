"""What a new process costs: the import, the first fit of every law, a look, and the way to a printed fit.

`python -m benchmarks.cold [LAW ...]` starts a process per measurement: once with an empty folder of kept
programs, so that nothing is compiled beforehand, and once more with what the first has kept. Medians of three
for the imports and the printed fit, one pair of processes per law. Beside the seconds stand the processor's,
of all threads, which other work on the machine lengthens less, and how many programs were compiled.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
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
import sys, time, jax
from tests.cases.catalogue import CASES, TARGET, tables
import scaling_jax as sj
case = CASES[sys.argv[1]]
table = tables(case, 1)
compiled = []
event = "/jax/core/compile/backend_compile_duration"
jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: compiled.append(name == event))
t, c = time.perf_counter(), time.process_time()
status = sj.fit(case.law, table, target=TARGET).status
print(time.perf_counter() - t, time.process_time() - c, sum(compiled))
"""
LAW = ("seconds", "processor", "programs", "seconds again", "processor again", "programs again")


def numbers(program: str, *arguments: str, kept: str = "") -> list[float]:
    """What a new process prints, where programs are kept in a folder (none: nowhere)."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "SCALING_JAX_CACHE": kept},
    )
    return [float(word) for word in done.stdout.split()]


def twice(program: str, *arguments: str) -> list[float]:
    """The same of two processes, the second of which finds what the first has kept."""
    with tempfile.TemporaryDirectory() as folder:
        return [n for _ in range(2) for n in numbers(program, *arguments, kept=folder)]


def main() -> None:
    names = sys.argv[1:] or list(CASES)
    imported = median(numbers(IMPORTS)[0] for _ in range(3))
    printed, again = (median(pair) for pair in zip(*(twice(PRINTED) for _ in range(3)), strict=True))
    looks = [median(look) for look in zip(*(numbers(LOOK) for _ in range(3)), strict=True)]
    laws = pd.DataFrame({name: twice(FIRST, name) for name in names}, index=LAW).T
    laws = laws.sort_values("processor", ascending=False)
    lines = [
        f"import scaling_jax beyond jax and pandas: {imported:.2f} s; from import to a printed fit: "
        f"{printed:.2f} s, in the next process {again:.2f} s",
        f"summary() of a fit that nobody looked at: {1e3 * looks[0]:.1f} ms; "
        f"of one that was examined: {1e3 * looks[1]:.1f} ms",
        f"first fit of {len(laws)} laws, each in a new process: {summed_up(laws, '')}",
        f"again, each in another new process: {summed_up(laws, ' again')}",
        laws.round(2).to_string(),
        f"running beside, at the end: {os.getloadavg()[1]:.1f} processes (five minutes' mean)",
        str(machine()),
    ]
    print("\n".join(lines))
    save(
        "cold",
        "\n".join(lines),
        {
            "import": imported,
            "printed": [printed, again],
            "looks": looks,
            "first": laws.to_dict("index"),
            "load": os.getloadavg(),
        },
    )


def summed_up(laws: pd.DataFrame, when: str) -> str:
    took, busy, made = (laws[name + when] for name in ("seconds", "processor", "programs"))
    return (
        f"median {took.median():.2f} s, worst {took.max():.2f} s (processor {busy.median():.2f} s, "
        f"{busy.max():.2f} s); programs compiled: median {made.median():.0f}, most {made.max():.0f}"
    )


if __name__ == "__main__":
    main()
