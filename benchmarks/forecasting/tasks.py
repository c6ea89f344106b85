"""The tasks of the competition: a family cut at some size, and a larger run to predict."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.coverage_real import every_task
from benchmarks.forecasting.tables import sweeps
from scaling_jax.forecasting.lessons import Past
from scaling_jax.forecasting.rows import Known
from scaling_jax.tables.runs import run_weights

__all__ = ["competition", "extrapolations", "macro"]

NAMES = {"chinchilla": ("N", "D"), "size": ("x",)}


def extrapolations(folder: Path) -> list[Past]:
    """The 440 extrapolations of `coverage_real`: the largest run of every family."""
    return [past_of(part) for _, part in every_task(folder).groupby("task", sort=False)]


def competition(folder: Path) -> list[Past]:
    """Those, and six further sweeps cut at fractions of their compute."""
    return extrapolations(folder) + [past_of(part) for _, part in sweeps(folder).groupby("task", sort=False)]


def past_of(part: pd.DataFrame) -> Past:
    """One task: rows to fit, and one row marked `held_out`."""
    held = part["held_out"].astype(bool).to_numpy()
    ahead, names = part[held].iloc[0], NAMES[part["law"].iloc[0]]
    known = known_of(part[~held], names)
    point = np.log([float(ahead[column]) for column in ("N", "D")[: len(names)]])
    curve = str(ahead["task"]).rsplit("|", 1)[0]
    return Past(ahead["suite"], ahead["family"], curve, known, point, float(np.log(float(ahead["loss"]))))


def known_of(rows: pd.DataFrame, names: tuple[str, ...]) -> Known:
    """Rows with columns N, D, loss and run; checkpoints of a run count as one where there is more than N."""
    inputs = np.log(rows[["N", "D"]].to_numpy(dtype=float))[:, : len(names)]
    target = np.log(rows["loss"].to_numpy(dtype=float))
    if len(names) == 1:
        return Known(names, inputs, target, np.ones(len(rows)), None)
    run = pd.factorize(rows["run"].astype(str))[0]
    return Known(names, inputs, target, run_weights(run) / len(run) * (run.max() + 1), run)


def macro(past: Iterable[Past], values: np.ndarray) -> tuple[float, float]:
    """Means over families, and over suites."""
    table = pd.DataFrame(
        {"value": values, "family": [p.family for p in past], "suite": [p.suite for p in past]}
    )
    return tuple(float(table.groupby(by)["value"].mean().mean()) for by in ("family", "suite"))
