"""Which tracker a source is of, by what it says or what lies in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from scaling_jax.core.checked import checked, one_line
from scaling_jax.trackers.mlflow import mlflow_runs
from scaling_jax.trackers.tensorboard import EVENTS, tensorboard_runs
from scaling_jax.trackers.tidy import Logged, tidy
from scaling_jax.trackers.trackio import trackio_runs
from scaling_jax.trackers.trainer import STATE, trainer_runs
from scaling_jax.trackers.wandb_file import FILES, wandb_file_runs
from scaling_jax.trackers.wandb_project import wandb_project_runs

__all__ = ["is_tracked", "read_tracked"]

Reader = Callable[[Path], Iterable[Logged]]
INSIDE: tuple[tuple[str, str, Reader], ...] = (
    (FILES, "Weights & Biases' run files", wandb_file_runs),
    ("*/meta.yaml", "an MLflow store", lambda folder: mlflow_runs(folder.resolve().as_uri())),
    (STATE, "the Trainer's state files", trainer_runs),
    (EVENTS, "TensorBoard's event files", tensorboard_runs),
)
"""What lies in a folder, in the order in which it is looked for: the Trainer may write events as well."""
SPELLED = {"wandb": "wandb:ENTITY/PROJECT", "mlflow": "mlflow:ADDRESS", "trackio": "trackio:PROJECT"}
DATABASES = (".db", ".sqlite")


def is_tracked(source: str | Path) -> bool:
    """Whether a source is a tracker's, and no file that holds a table."""
    return str(source).partition(":")[0] in SPELLED or Path(source).is_dir() or _is_database(source)


@checked
def read_tracked(source: str | Path, keep: str | Path | None = None) -> pd.DataFrame:
    """The tidy table of a tracker's runs; see `sj.read_runs`."""
    name, colon, rest = str(source).partition(":")
    if colon and name in SPELLED:
        runs, what = _named(name, rest.removeprefix("//"), keep)
    elif _is_database(source):
        runs, what = trackio_runs(Path(source)), "a Trackio database"
    else:
        runs, what = _inside(Path(source))
    table = tidy(runs)
    if not len(table):
        raise ValueError(f"{one_line(source)} holds {what}, in which no run has logged a number.")
    table.attrs["read_as"] = [f"{what}, {table['run'].nunique()} runs"]
    return table


def _named(name: str, rest: str, keep: str | Path | None) -> tuple[Iterable[Logged], str]:
    if not rest:
        raise ValueError(f"'{name}:' names nothing: write {SPELLED[name]}.")
    if name == "wandb":
        folder = None if keep is None else Path(keep)
        return wandb_project_runs(rest, folder), "a project of Weights & Biases"
    if name == "mlflow":
        return mlflow_runs(rest), "an MLflow store"
    return trackio_runs(rest), "a Trackio project"


def _inside(folder: Path) -> tuple[Iterable[Logged], str]:
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}.")
    for pattern, what, reader in INSIDE:
        if next(folder.rglob(pattern), None) is not None:
            return reader(folder), what
    raise ValueError(
        f"{folder} holds no runs that are known: no files of Weights & Biases, MLflow, the Trainer or "
        "TensorBoard."
    )


def _is_database(source: str | Path) -> bool:
    return Path(source).suffix in DATABASES and Path(source).is_file()
