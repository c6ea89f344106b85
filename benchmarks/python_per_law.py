"""What Python costs per law of a batch, beside all that a law costs.

    python -m benchmarks.python_per_law [--sizes 2000 10000] [--save]

The tables are those of `throughput`: 4 to 20 rows each, a power law with floor, 32 starts, programs compiled
before. Python is the processor's time (user and system, of the thread) of every thread that runs Python, the
calling one and those that hand lanes to the device, less what passes inside of calls of compiled programs and
of reading their answers; threads of XLA's own are not in it, and nobody waiting is. `search` is what passes
within the engine's `solve`; `rest` is all else: reading the table, starts, certificates, results. Below the
line is what a user asks for next: the table of certificates; a record of every group; verdicts of all, which
look at the residuals of each.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pandas as pd

import scaling_jax as sj
from benchmarks.report import machine, save
from benchmarks.throughput import STARTS, simulate
from scaling_jax.engine.compiled import Program
from scaling_jax.fitting import members


class Clock:
    """Processor's seconds of all threads that run Python, by what they were doing."""

    def __init__(self) -> None:
        self.threads = self.programs = self.search = 0.0
        self._lock, self._inside = threading.Lock(), threading.local()

    def within(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A function whose time counts as `what`, calls of others within it once."""

        @functools.wraps(call)
        def counted(*given: Any, **words: Any) -> Any:
            if getattr(self._inside, what, False):
                return call(*given, **words)
            setattr(self._inside, what, True)
            begun = time.thread_time()
            try:
                return call(*given, **words)
            finally:
                setattr(self._inside, what, False)
                with self._lock:
                    setattr(self, what, getattr(self, what) + time.thread_time() - begun)

        return counted

    @contextmanager
    def running(self) -> Iterator[None]:
        submit = ThreadPoolExecutor.submit

        def handed(pool: ThreadPoolExecutor, call: Callable[..., Any], *given: Any, **words: Any) -> Any:
            return submit(pool, self.within("threads", call), *given, **words)

        with (
            patch.object(ThreadPoolExecutor, "submit", handed),
            patch.object(Program, "__call__", self.within("programs", Program.__call__)),
            patch.object(Program, "fetched", self.within("programs", Program.fetched)),
            patch.object(members, "solve", self._solve),
        ):
            yield

    def _solve(self, *given: Any, **words: Any) -> Any:
        begun, before = time.thread_time() + self.threads, self.programs
        try:
            return SOLVE(*given, **words)
        finally:
            self.search += time.thread_time() + self.threads - begun - (self.programs - before)


SOLVE = members.solve


def spent(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """What a call gives, and its seconds: by the clock, of the process, and of Python, in all and in the
    search."""
    clock = Clock()
    wall, process, own = time.perf_counter(), time.process_time(), time.thread_time()
    with clock.running():
        found = call()
    python = time.thread_time() - own + clock.threads - clock.programs
    return found, {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - process,
        "Python": python,
        "search": clock.search,
        "rest": python - clock.search,
    }


def measure(groups: int) -> list[dict[str, Any]]:
    """One size: each row milliseconds per law."""
    table, law = simulate(groups), sj.laws.power_law_floor

    def fitted() -> sj.FitGroups:
        return sj.fit_groups(law, table, by="group", starts=STARTS)

    def kept() -> pd.DataFrame:
        with tempfile.TemporaryDirectory() as folder:
            return sj.study(law, table, by="group", folder=folder, chunk=groups, starts=STARTS)

    fitted().table, kept()
    fits, of_fits = spent(fitted)
    asked = {
        "fit_groups": of_fits,
        "study, its file included": spent(kept)[1],
        "fits.certificates": spent(lambda: fits.certificates)[1],
        "every FitResult made": spent(lambda: list(fits.values()))[1],
        "fits.table, its verdicts": spent(lambda: fits.table)[1],
    }
    return [
        {"what": what, "laws": groups} | {name: 1e3 * value / groups for name, value in seconds.items()}
        for what, seconds in asked.items()
    ]


def report(rows: list[dict[str, Any]]) -> str:
    device = machine()
    return "\n".join(
        [
            f"milliseconds per law; {STARTS} starts each, 4 to 20 rows; {device['device']}, "
            f"{device['cores']} cores, Python {device['python']}, jax {device['jax']}, {device['date']}",
            pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3f}"),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", type=int, default=[2000, 10_000])
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    rows = [row for groups in options.sizes for row in measure(groups)]
    print(report(rows))
    if options.save:
        save("python_per_law", report(rows), rows)


if __name__ == "__main__":
    main()
