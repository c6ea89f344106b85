"""Twenty runs written by each tracker's own package are read, and fitted in three lines."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.trackers.source import read_tracked
from tests.trackers.stores import RUNS, STEPS, loss, size

PACKAGES = dict.fromkeys(("tensorboard", "mlflow", "trackio", "wandb")) | {"trainer": "json"}
ROOT = Path(__file__).parents[2]
READ = """
import sys, warnings
warnings.simplefilter("ignore")
import scaling_jax as sj
sj.read_runs(sys.argv[1]).to_csv(sys.argv[2], index=False)
"""


def written(tracker: str, folder: Path) -> Path:
    if importlib.util.find_spec(PACKAGES[tracker] or tracker) is None:
        pytest.skip(f"{tracker} writes the store, and is not installed")
    store = folder / "store"
    store.mkdir()
    command = [sys.executable, "-m", "tests.trackers.stores", tracker, str(store)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return store


def read(tracker: str, store: Path) -> pd.DataFrame:
    """Trackio takes its folder from the environment that it begins in, and MLflow's import changes loggers:
    these read in a process of their own."""
    if tracker not in ("trackio", "mlflow"):
        return sj.read_runs(store)
    source, out = store / "sweep.db" if tracker == "trackio" else store, store.parent / "runs.csv"
    command = [sys.executable, "-c", READ, str(source), str(out)]
    environment = {"TRACKIO_DIR": str(store), "MLFLOW_ALLOW_FILE_STORE": "true"}
    subprocess.run(command, cwd=ROOT, check=True, timeout=300, env=os.environ | environment)
    return pd.read_csv(out)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tracker", PACKAGES)
def test_twenty_runs_are_read_and_fitted(tracker: str, tmp_path: Path) -> None:
    table = read(tracker, written(tracker, tmp_path))
    assert len(table) == RUNS * STEPS and set(table["run"]) == {f"run{i}" for i in range(RUNS)}
    if tracker == "trainer":  # its states do not say how large a model is
        table["n_params"] = [size(int(run[3:])) for run in table["run"]]
    i = table["run"].str.removeprefix("run").astype(int)
    expected = [loss(*pair) for pair in zip(i, table["step"], strict=True)]
    np.testing.assert_allclose(table["val/loss"], expected, rtol=1e-6)  # TensorBoard holds single precision
    assert (table["n_params"] == [size(k) for k in i]).all()
    last = table[table["step"] == STEPS - 1]
    fit = sj.fit("power_law_floor", last, inputs={"x": "n_params"}, target="val/loss")
    assert fit.params["alpha"] == pytest.approx(0.3, rel=1e-2)


def client(states: dict[str, str], asked: list[str]) -> type:
    """What of Weights & Biases' client is used."""

    class Run(SimpleNamespace):
        def scan_history(self):
            asked.append(self.id)
            return iter([{"_step": s, "_runtime": 1.0, "loss": 3.0 - s, "note": "x"} for s in range(3)])

    class Api:
        def runs(self, path: str) -> list[Run]:
            assert path == "team/sweep"
            config = {"opt": {"lr": 1e-3}, "_wandb": {}}
            return [Run(id=key, name=f"n{key}", state=state, config=config) for key, state in states.items()]

    return Api


@pytest.mark.filterwarnings("ignore")
def test_a_project_is_read_through_its_client_and_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wandb = pytest.importorskip("wandb", reason="the client")
    asked: list[str] = []
    monkeypatch.setattr(wandb, "Api", client({"a": "finished", "b": "running"}, asked))
    for _ in range(2):
        table = sj.read_runs("wandb:team/sweep", keep=tmp_path / "kept")
        assert table["run"].tolist() == ["na"] * 3 + ["nb"] * 3 and table["loss"].tolist() == [3, 2, 1] * 2
        assert set(table.columns) == {"run", "step", "loss", "opt.lr", "state"}
    assert asked == ["a", "b", "b"]  # what has ended is not asked for again


def test_what_holds_no_runs_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "trainer_state.json").write_text("{")
    for source, words in {
        tmp_path: "is no state of a Trainer",
        "mlflow:": "write mlflow:ADDRESS",
        tmp_path / "none": "none of .csv",
        ROOT / "tests" / "cases": "holds no runs that are known",
    }.items():
        with pytest.raises(sj.DataError, match=words):
            sj.read_runs(source)
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": []}))
    with pytest.raises(ValueError, match="no run has logged a number"):
        read_tracked(tmp_path)


def test_a_run_that_was_killed_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    import zlib

    from scaling_jax.trackers.wandb_file import HEAD, records

    def record(data: bytes) -> bytes:
        return HEAD.pack(zlib.crc32(b"\x01" + data), len(data), 1) + data

    file = tmp_path / "run-x.wandb"
    file.write_bytes(b":W&B\xe1\xbe\x00" + record(b"one") + record(b"two")[:-1])
    assert list(records(file)) == [b"one"]
