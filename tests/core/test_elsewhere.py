"""Work reaches another process whole, is tried twice, and what fails does not stop the rest."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import pytest

import scaling_jax as sj
from scaling_jax.core import elsewhere
from scaling_jax.core.elsewhere import as_they_end, must_be_executor, packed, unpacked


class Here:
    """Threads of this process, whose work need not be packed."""

    def __init__(self, threads: int):
        self.pool, self.kept = ThreadPoolExecutor(threads), {}

    def pack(self, work: object) -> bytes:
        self.kept[key := str(len(self.kept)).encode()] = work
        return key

    def submit(self, fn, work, attempt):
        return self.pool.submit(self.kept[work])


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    executor = Here(1)
    monkeypatch.setattr(elsewhere, "packed", executor.pack)
    yield executor
    executor.pool.shutdown()


def test_results_come_as_they_end_and_failures_by_name(here: Here) -> None:
    tries: list[int] = []

    def work(i: int) -> int:
        tries.append(i)
        if i == 2 or (i == 3 and tries.count(3) == 1):
            raise ArithmeticError(f"no {i}")
        return i * i

    found = dict(as_they_end(here, range(5), lambda i: partial(work, i)))
    assert {i: found[i] for i in (0, 1, 3, 4)} == {0: 0, 1: 1, 3: 9, 4: 16}
    assert isinstance(found[2], ArithmeticError) and str(found[2]) == "no 2"
    assert tries.count(2) == 2 and tries.count(3) == 2 and len(tries) == 7


def test_whoever_stops_listening_cancels_what_has_not_begun(here: Here) -> None:
    begun, go = [], threading.Event()

    def work(i: int) -> int:
        begun.append(i)
        if i:
            go.wait()
        return i

    ends = as_they_end(here, range(9), lambda i: partial(work, i))
    assert next(ends) == (0, 0)
    ends.close()
    go.set()
    here.pool.shutdown()
    assert len(begun) <= 2


def test_a_pool_that_breaks_leaves_every_error_and_takes_nothing_more() -> None:
    class Broken:
        given = 0

        def submit(self, fn, *arguments):
            self.given += 1
            if self.given > 3:
                raise RuntimeError("the pool is broken")
            future: Future = Future()
            future.set_exception(CancelledError("a process died"))
            return future

    found = dict(as_they_end(Broken(), range(3), lambda i: partial(int, i)))
    assert sorted(found) == [0, 1, 2]
    assert all(isinstance(error, CancelledError) for error in found.values())


def test_what_is_no_executor_is_refused_and_forks_are() -> None:
    for other in (3, "dask", ProcessPoolExecutor):
        with pytest.raises(TypeError, match=r"give an executor, such as"):
            must_be_executor(other)
    fork = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    with pytest.raises(ValueError, match=r"forks this process.*get_context\('spawn'\)"):
        must_be_executor(fork)
    must_be_executor(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")))


def test_a_law_without_a_name_travels_by_value_and_arrives_as_one() -> None:
    pytest.importorskip("cloudpickle", reason="laws travel by value with cloudpickle")

    @sj.law(starts=lambda inputs, target: {label: [1.0] for label in mine.labels})
    def mine(x, *, A: sj.Positive, alpha: sj.Real):
        return A * jnp.exp(-alpha * x)

    law, again = unpacked(packed({"law": mine}))["law"], unpacked(packed(mine))
    assert law is again and law is not mine
    assert law(2.0, A=3.0, alpha=0.5) == mine(2.0, A=3.0, alpha=0.5)
    assert law.proposals({}, None)["alpha"].tolist() == [1.0]
    assert unpacked(packed(sj.laws.chinchilla)) is sj.laws.chinchilla


def test_what_cannot_be_packed_is_one_sentence() -> None:
    with pytest.raises(TypeError, match=r"cannot be given to another process .* importable module"):
        packed(threading.Lock())


SCRIPT = """
import sys
import scaling_jax as sj
from scaling_jax.core import elsewhere
from scaling_jax.core.elsewhere import packed

@sj.law
def mine(x, *, A: sj.Positive):
    return A / x

open(sys.argv[1], "wb").write(packed(mine))
"""


def test_a_script_s_law_is_read_where_the_script_is_not(tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle", reason="laws travel by value with cloudpickle")
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "law")], check=True)
    assert pickle.loads((tmp_path / "law").read_bytes())(4.0, A=2.0) == 0.5
