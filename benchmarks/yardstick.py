"""How far from hand-written C: processor time per useful step of a lane, ours beside the same algorithm in C.

    python -m benchmarks.yardstick [--repeat 5] [--save]

`yardstick.c` is Levenberg-Marquardt on Chinchilla's law with all derivatives written out by hand, compiled
here for this processor; one core, one lane after the other. Both minimise the sum of Huber(1e-3) losses of
log residuals from all 4,500 starts of Hoffmann's grid, each to its end, with the same tolerance, damping and
reach. A useful step is one of a lane that had not ended. Ours is measured as the loop over lanes alone, and
as the whole of `sj.fit(screen=False)`: table, starts, polish and certificate included. Times are those of the
processor, all threads together, medians of warm calls; 240 runs, and a tenth of them.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.chinchilla_grid import grid, runs
from benchmarks.notebook import DELTA
from benchmarks.report import machine, save
from scaling_jax.engine.coordinates import search_points
from scaling_jax.engine.lanes import Lanes, run_lanes
from scaling_jax.engine.lm import LM
from scaling_jax.fitting.batch import Task, build_problem

SOURCE = Path(__file__).with_name("yardstick.c")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp-simd"]
HIT = 1e-6


@contextmanager
def compiled() -> Iterator[Callable[..., int]]:
    """The C function, from a folder that is gone afterwards."""
    cc = os.environ.get("CC") or shutil.which("cc")
    if not cc:
        raise SystemExit("There is no C compiler here: the yardstick needs `cc`.")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "yardstick.so"
        subprocess.run([cc, *FLAGS, "-shared", "-fPIC", SOURCE, "-o", library, "-lm"], check=True)
        run = ctypes.CDLL(str(library)).run
        run.restype = ctypes.c_long
        yield run


def in_c(run: Callable[..., int], table: pd.DataFrame, repeat: int) -> dict[str, Any]:
    n, d, loss = np.log(table[["n_params", "tokens", "loss"]].to_numpy(float).T)
    columns = [np.ascontiguousarray(column) for column in (n, d, loss)]
    solver = LM()

    def once() -> tuple[int, np.ndarray]:
        ends, values = grid(), np.empty(len(grid()))
        settings = [ctypes.c_double(s) for s in (solver.tol, solver.damping, solver.reach)]
        where = [address(column) for column in columns]
        steps = run(
            len(loss), *where, ctypes.c_double(DELTA), len(ends), address(ends), address(values), *settings
        )
        return steps, values

    seconds, (steps, values) = timed(once, repeat)
    return {"seconds": seconds, "steps": steps, "values": values}


def address(numbers: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(numbers.ctypes.data)


def ours(table: pd.DataFrame, repeat: int) -> dict[str, Any]:
    e, a, b, alpha, beta = grid().T
    starts = np.stack([np.exp(e), np.exp(a), np.exp(b), alpha, beta], axis=1)

    def fitted() -> sj.FitResult:
        inputs = {"N": "n_params", "D": "tokens"}
        return sj.fit(sj.laws.chinchilla, table, inputs=inputs, starts=starts, screen=False)

    whole, fit = timed(fitted, repeat)
    problem, free = build_problem(Task.of(fit.spec, fit.runs.read()))
    z = search_points(fit.law, starts[None], free)[0]

    def searched() -> Lanes:
        begun = Lanes.start(problem, LM(), z.copy(), np.zeros(len(z), np.int32))
        return run_lanes(problem, begun, LM())

    loop, lanes = timed(searched, repeat)
    scale = fit.objective_value / lanes.state.value.min()
    return {
        "seconds": whole,
        "loop": loop,
        "steps": int(lanes.state.steps.sum()),
        "values": lanes.state.value * scale,
        "best": fit.objective_value,
    }


def timed(work: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """The median processor time of warm calls, and what the last one gave."""
    work()
    seconds = []
    for _ in range(repeat):
        begun = time.process_time()
        found = work()
        seconds.append(time.process_time() - begun)
    return statistics.median(seconds), found


def measured(repeat: int) -> list[dict[str, Any]]:
    rows = []
    with compiled() as run:
        for table in (runs(), runs().iloc[::10]):
            c, mine = in_c(run, table, repeat), ours(table, repeat)
            best = min(mine["best"], np.nanmin(c["values"]))
            for name, seconds, of in (
                ("C", c["seconds"], c),
                ("ours, the loop", mine["loop"], mine),
                ("ours, the whole fit", mine["seconds"], mine),
            ):
                rows.append(
                    {
                        "rows": len(table),
                        "": name,
                        "processor s": seconds,
                        "steps": of["steps"],
                        "us per step": 1e6 * seconds / of["steps"],
                        "of C's": seconds / of["steps"] / (c["seconds"] / c["steps"]),
                        "best": float(np.nanmin(of["values"])),
                        "arrive, %": 100 * float(np.mean(of["values"] <= best * (1 + HIT))),
                    }
                )
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    device = machine()
    shown = pd.DataFrame(rows).round({"processor s": 2, "us per step": 2, "of C's": 1, "arrive, %": 1})
    return "\n".join(
        [
            "Chinchilla's law, 4,500 starts to their ends; processor time per useful step of a lane",
            f"{device['device']}, {device['cores']} cores, Python {device['python']}, jax {device['jax']}, "
            f"cc {' '.join(FLAGS)}, {device['date']}",
            shown.to_string(index=False, formatters={"steps": "{:,}".format, "best": "{:.9g}".format}),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    rows = measured(options.repeat)
    print(report(rows))
    if options.save:
        save("yardstick", report(rows), rows)


if __name__ == "__main__":
    main()
