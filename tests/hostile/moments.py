"""Interrupts at any moment, many threads, and processes of a pool: results and state as before.

A task is something that takes a while and gives arrays; what they hold must not depend on what went on
beside or before.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np

import scaling_jax as sj
from tests.cases.simulated import TABLE
from tests.hostile.calls import state

__all__ = ["TASKS", "in_a_pool", "in_threads", "interrupted"]

GROUPS = {
    "x": np.tile(np.geomspace(1e6, 1e9, 6), 24),
    "loss": np.concatenate([20 * np.geomspace(1e6, 1e9, 6) ** -(0.1 + 0.005 * g) for g in range(24)]),
    "group": np.repeat(np.arange(24), 6),
}
LINE = {"x": [1.0, 10, 100, 1000, 1e4, 1e5], "loss": [8.1, 4.0, 2.0, 1.0, 0.5, 0.24]}


def fitted() -> np.ndarray:
    return sj.fit(sj.laws.chinchilla, TABLE).numbers


def resampled() -> np.ndarray:
    return sj.fit(sj.laws.power_law, LINE).bootstrap(300, seed=1).numbers


def studied() -> np.ndarray:
    table = sj.study(sj.laws.power_law, GROUPS, by="group", folder=tempfile.mkdtemp(), chunk=6, starts=8)
    return table[["A", "alpha"]].to_numpy()


def sampled() -> np.ndarray:
    fit = sj.fit(sj.laws.power_law, LINE)
    return fit.posterior(chains=2, draws=100, warmup=100).numbers


TASKS: dict[str, Callable[[], np.ndarray]] = {
    "fit": fitted,
    "bootstrap": resampled,
    "study": studied,
    "posterior": sampled,
}


def interrupted(name: str, moments: int, rng: np.random.Generator) -> dict[str, Any]:
    """SIGINT at random moments of a task, each followed by the task in peace.

    Returns:
        How many of them ended the task, the longest wait from signal to KeyboardInterrupt in seconds, and
        what was wrong afterwards.
    """
    task = TASKS[name]
    task()  # compiled
    given = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _interrupted(task, moments, rng)
    finally:
        signal.signal(signal.SIGINT, given)


def _interrupted(task: Callable[[], np.ndarray], moments: int, rng: np.random.Generator) -> dict[str, Any]:
    begun = time.perf_counter()
    expected, whole = task(), time.perf_counter() - begun
    before, ended, longest, wrong = state(), 0, 0.0, []
    for _ in range(moments):
        sent: list[float] = []
        timer = threading.Timer(float(rng.uniform(0, whole)), _interrupt, [sent])
        try:
            timer.start()
            try:
                task()
            finally:
                timer.cancel()
                timer.join()
            time.sleep(0)  # a signal that came at the very end is handled here
        except KeyboardInterrupt:
            ended += 1
            longest = max(longest, time.perf_counter() - sent[0])
        wrong += [what for what, value in state().items() if before[what] != value]
    if not np.array_equal(task(), expected):
        wrong.append("another result afterwards")
    return {"moments": moments, "ended": ended, "longest": round(longest, 2), "wrong": sorted(set(wrong))}


def _interrupt(sent: list[float]) -> None:
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)


def in_threads(name: str, threads: int = 8) -> bool:
    """Whether threads that run a task at once find what one alone finds, bit for bit."""
    task, before = TASKS[name], state()
    expected = task()
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda _: task(), range(threads)))
    return all(np.array_equal(one, expected) for one in found) and state() == before


def in_a_pool(name: str, workers: int = 2) -> bool:
    """Whether spawned processes find the same."""
    expected = TASKS[name]()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return all(np.array_equal(found, expected) for found in pool.map(_run, [name] * workers))


def _run(name: str) -> np.ndarray:
    return TASKS[name]()
