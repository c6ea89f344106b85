"""Where the tests find the shared tables, and the fits that several files ask about, each made once."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.tables.components import Components
from tests.cases import simulated
from tests.cases.observational import SCORES

# programs of these tests are kept for these tests alone, and once for all processes that share the work
OWNER = "PYTEST_XDIST_WORKER" not in os.environ
if OWNER:
    os.environ["SCALING_JAX_CACHE"] = tempfile.mkdtemp(prefix="scaling_jax-programs-")
PROGRAMS = os.environ["SCALING_JAX_CACHE"]
# tracing leaves many small objects that live long: passes of the garbage collector were 9 % of the CPU time
gc.set_threshold(20_000, 10, 10)
SHARED = Path(__file__).parents[1] / "../shared/data"


MEMORY_MAPS = Path("/proc/self/maps")
# Linux kills a process at 65,530, and one module adds up to 19,000 (all laws, JAX 0.12)
MOST_MAPS = 30_000


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_let_go() -> Iterator[None]:
    """XLA keeps memory mapped for every program: the suite in one process would reach the system's limit."""
    yield
    if MEMORY_MAPS.exists() and MEMORY_MAPS.read_text().count("\n") > MOST_MAPS:
        jax.clear_caches()
        sj.clear_caches()


def pytest_unconfigure() -> None:
    if OWNER:  # its workers have ended
        shutil.rmtree(PROGRAMS, ignore_errors=True)


@pytest.fixture
def nothing_compiles(caplog: pytest.LogCaptureFixture) -> Callable[[], AbstractContextManager[None]]:
    """`with nothing_compiles():` fails where JAX compiles a program inside."""

    @contextmanager
    def watched() -> Iterator[None]:
        caplog.clear()
        with jax.log_compiles(), caplog.at_level("WARNING"):
            yield
        assert not [record.message for record in caplog.records if record.message.startswith("Compiling")]

    return watched


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a shared file by name; the test skips where the shared tables are not."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():  # public tables that may not be committed; only a checkout beside them has them
            pytest.skip(f"the shared table {name} is not here")
        return path

    return find


@pytest.fixture(scope="session")
def replication(shared: Callable[[str], Path]) -> pd.DataFrame:
    """The 245 runs read off Hoffmann et al.'s figure by Besiroglu et al. 2024, with the law's N and D."""
    runs = pd.read_csv(shared("chinchilla/epoch_replication.csv"))
    return runs.assign(N=runs["n_params"], D=runs["tokens"])


@pytest.fixture(scope="session")
def runs240(replication: pd.DataFrame) -> pd.DataFrame:
    """Without the five largest losses, as the replication fits them."""
    return replication.iloc[5:]


@pytest.fixture(scope="session")
def fit240(runs240: pd.DataFrame) -> sj.FitResult:
    """The Chinchilla law on the 240 runs, all as the library does it by itself."""
    return sj.fit(sj.laws.chinchilla, runs240)


@pytest.fixture(scope="session")
def fit245(replication: pd.DataFrame) -> sj.FitResult:
    """The same on all 245."""
    return sj.fit(sj.laws.chinchilla, replication)


@pytest.fixture(scope="session")
def overtrained(shared: Callable[[str], Path]) -> pd.DataFrame:
    """Gadre et al. 2024's over-trained models, with M, tokens per parameter."""
    models = pd.read_csv(shared("gadre/models.csv"))
    return models.assign(M=models["tokens"] / models["n_params"])


@pytest.fixture(scope="session")
def models77(shared: Callable[[str], Path]) -> pd.DataFrame:
    """The base models whose scores Ruan et al. 2024 learn from."""
    table = pd.read_csv(shared("obs_scaling/base_llm_benchmark_eval.csv"))
    flags = pd.read_csv(shared("obs_scaling/subset_flags.csv"))
    pool = flags.loc[flags["in_base_pool_77"] == 1, "Model"]
    return table[table["Model"].isin(pool)].replace(-1, np.nan).reset_index(drop=True)


@pytest.fixture(scope="session")
def learnt(models77: pd.DataFrame) -> Components:
    """The components of their scores."""
    return sj.components(models77, SCORES)


@pytest.fixture(scope="session")
def our_sweep() -> pd.DataFrame:
    """The final runs of the main arm of the sweep that ships with the package."""
    runs = sj.datasets.load("tiny_sweep")
    return runs[(runs["arm"] == "main") & runs["final"]]


@pytest.fixture(scope="session")
def best() -> sj.FitResult:
    """The forty simulated runs, all as the library does it by itself."""
    return simulated.fit()


@pytest.fixture(scope="session")
def line() -> sj.FitResult:
    """A power law over 24 runs with log-normal scatter of 2 %: ordinary regression on logs."""
    x = np.geomspace(1, 1e3, 24)
    loss = 5 * x**-0.3 * np.exp(np.random.default_rng(5).normal(0, 0.02, 24))
    return sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets come from the original files beside the repository."""
    monkeypatch.setenv("SCALING_JAX_DATA", str(SHARED / "upstream"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection leaves this process, and the attempt costs no time."""

    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
