"""Where the tests find the shared tables, and what every test file may use."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

SHARED = Path(__file__).parents[1] / "../shared/data"


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
