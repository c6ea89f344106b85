"""A study that was interrupted, however it was, ends in the bytes of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.api import study

STARTS = 12


def table(groups: int = 44) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = rng.integers(3, 9, groups)
    group = np.repeat(np.arange(groups), rows)
    x = np.exp(rng.uniform(np.log(1e6), np.log(1e9), len(group)))
    loss = 20 / x ** (0.1 + 0.002 * group) * np.exp(rng.normal(0, 0.01, len(group)))
    shuffled = rng.permutation(len(group))
    return pd.DataFrame({"group": group, "x": x, "loss": loss}).iloc[shuffled].reset_index(drop=True)


def studied(folder: Path, **options: object) -> pd.DataFrame:
    return sj.study(
        sj.laws.power_law, table(), by="group", folder=folder, **({"chunk": 11, "starts": STARTS} | options)
    )


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("part-*.parquet"))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return studied(folder), folder


def test_the_table_holds_what_fit_groups_finds(whole: tuple[pd.DataFrame, Path]) -> None:
    laws, folder = whole
    fits = sj.fit_groups(sj.laws.power_law, table(), by="group", starts=STARTS)
    assert laws["group"].tolist() == list(fits)
    np.testing.assert_allclose(laws[["A", "alpha"]], fits.params, rtol=1e-8)
    np.testing.assert_allclose(
        laws["objective"], [f.objective_value for f in fits.values()], rtol=1e-9, atol=1e-20
    )
    assert laws["status"].tolist() == [f.status for f in fits.values()]
    assert laws["rows"].sum() == len(table())
    assert len(files(folder)) == 4
    pd.testing.assert_frame_equal(pd.read_parquet(folder), laws)


def test_an_error_in_the_middle_loses_nothing_before_it(
    whole: tuple[pd.DataFrame, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def interrupted(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return solve(*arguments, **options)

    solve = study.solve_members
    monkeypatch.setattr(study, "solve_members", interrupted)
    with pytest.raises(KeyboardInterrupt):
        studied(tmp_path)
    assert len(files(tmp_path)) == 2
    (tmp_path / "part-000000.parquet").unlink()  # chunks do not depend on those before them
    (tmp_path / "_1-part-000002.parquet").write_bytes(b"half a file")
    pd.testing.assert_frame_equal(studied(tmp_path), whole[0])
    assert len(calls) == 3 + 3
    assert files(tmp_path) == files(whole[1])


def test_a_killed_process_is_resumed_by_another(whole: tuple[pd.DataFrame, Path], tmp_path: Path) -> None:
    script = (
        "import sys; import pandas as pd; import scaling_jax as sj\n"
        "runs, folder = pd.read_parquet(sys.argv[1]), sys.argv[2]\n"
        "sj.study(sj.laws.power_law, runs, by='group', folder=folder, chunk=11, starts=12)"
    )
    table().to_parquet(tmp_path / "runs.parquet")
    folder = tmp_path / "laws"
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "runs.parquet", folder])
    while process.poll() is None and not files(folder):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert "part-000000.parquet" in files(folder)
    pd.testing.assert_frame_equal(studied(folder), whole[0])
    assert files(folder) == files(whole[1])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"chunk": 12}, "chunk"),
        ({"starts": 13}, "options"),
        ({"objective": sj.SquaredError()}, "options"),
        ({"where": "x > 2e6"}, "table"),
    ],
)
def test_a_folder_of_another_study_is_refused(
    whole: tuple[pd.DataFrame, Path], change: dict[str, object], named: str
) -> None:
    before = files(whole[1])
    with pytest.raises(ValueError, match=rf"holds a study that differs in .*{named}.*: give another folder"):
        studied(whole[1], **change)
    assert files(whole[1]) == before


def test_a_law_of_the_same_name_that_computes_otherwise_is_another_study(
    whole: tuple[pd.DataFrame, Path],
) -> None:
    @sj.law
    def power_law(x, *, A: sj.Positive, alpha: sj.Real):
        return A / (1 + x) ** alpha

    with pytest.raises(ValueError, match="differs in law"):
        sj.study(power_law, table(), by="group", folder=whole[1], chunk=11, starts=STARTS)


def test_what_a_study_cannot_do_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shared= makes all groups one fit"):
        studied(tmp_path, shared=["alpha"])
    with pytest.raises(ValueError, match="chunk=0"):
        studied(tmp_path, chunk=0)
    with pytest.raises(ValueError, match="names the groups"):
        sj.study(sj.laws.power_law, table().rename(columns={"group": "rows"}), by="rows", folder=tmp_path)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(ValueError, match="no study's"):
        studied(tmp_path)
