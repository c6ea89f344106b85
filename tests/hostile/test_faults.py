"""A slice of the faults of studies, on tables that cost nothing: real processes, a real disk, real bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scaling_jax.tables.store import in_chunks
from tests.hostile import faults


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The chunks of a study that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    assert faults.SMALL.done(folder) == (0, "")
    found = faults.parts(folder)
    assert len(found) == 8
    return found


@pytest.mark.parametrize("fault", [faults.killed_in_a_write, faults.read_only, faults.two_writers])
def test_a_study_outlives(fault: Callable[..., str], whole: dict[str, bytes], tmp_path: Path) -> None:
    assert fault(faults.SMALL, tmp_path / "study", whole, np.random.default_rng(0)) == "resumed"


def test_no_flipped_byte_gets_through(tmp_path: Path) -> None:
    def made(chunk: int) -> pd.DataFrame:
        return pd.DataFrame({"n": [chunk] * 50, "square": np.arange(50) + chunk**2.0})

    def run() -> pd.DataFrame:
        return in_chunks(tmp_path, {"kind": "a"}, [0, 1, 2], made)

    seen = faults.flipped(run, tmp_path, np.random.default_rng(1), flips=30)
    assert seen["wrong"] == 0 and seen["noticed"] >= 25
