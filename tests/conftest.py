"""Where the tests find the shared tables, and what every test file may use."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import pandas as pd
import pytest

SHARED = Path(__file__).parents[1] / "../shared/data"


MEMORY_MAPS = Path("/proc/self/maps")
MOST_MAPS = (
    30_000  # Linux kills a process at 65,530, and one module adds up to 19,000 (the catalogue, JAX 0.12)
)


@pytest.fixture(scope="module", autouse=True)
def compiled_programs_are_let_go() -> Iterator[None]:
    """XLA maps memory for every program and keeps it: the whole suite in one process would reach the system's
    limit."""
    yield
    if MEMORY_MAPS.exists() and MEMORY_MAPS.read_text().count("\n") > MOST_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a shared file by name; the test skips where the shared tables are not."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"the shared table {name} is not here")
        return path

    return find


@pytest.fixture(scope="session")
def replication(shared: Callable[[str], Path]) -> pd.DataFrame:
    """The 245 runs read from Hoffmann et al.'s figure by Besiroglu et al. 2024."""
    return pd.read_csv(shared("chinchilla/epoch_replication.csv"))


@pytest.fixture(scope="session")
def runs240(replication: pd.DataFrame) -> pd.DataFrame:
    """Without the five largest losses, as the replication fits them."""
    return replication.iloc[5:]


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
