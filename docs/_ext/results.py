"""The committed results of benchmarks as tables for a page, so that no number is typed a second time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[2] / "benchmarks/results"


def read(name: str) -> Any:
    """What a benchmark found."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["results"]


def rows(found: Mapping[str, Mapping[str, Any]] | list[dict[str, Any]], index: str = "") -> pd.DataFrame:
    """A mapping from rows to columns, or a list of rows of which one column names each."""
    if isinstance(found, Mapping):
        return pd.DataFrame.from_dict(found, orient="index")
    return pd.DataFrame(found).set_index(index)


def shown(table: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> pd.io.formats.style.Styler:
    """Some columns of a table, each with the heading and the format it is shown by."""
    chosen = table[list(columns)].rename(columns={name: heading for name, (heading, _) in columns.items()})
    return chosen.rename_axis(None).style.format(dict(columns.values()), na_rep="")


def forecasts() -> pd.DataFrame:
    """Error, coverage and width of `sj.forecast` per suite of real families, and of all."""
    tasks = pd.DataFrame(read("forecasting")["tasks"])
    tasks = tasks.assign(covered=tasks["error"].abs() <= tasks["half"], width=2 * tasks["half"])
    tasks["error"] = tasks["error"].abs()
    measures = ["error", "covered", "width"]
    suites = tasks.groupby("suite")[measures].mean().assign(forecasts=tasks.groupby("suite").size())
    families = tasks.groupby("family")[measures].mean().mean()
    suites.loc["all, every family alike"] = {"forecasts": len(tasks), **families}
    return suites


def intervals() -> pd.DataFrame:
    """How often each interval of a single fit held the largest run of a real family, every family alike."""
    tasks = pd.DataFrame(read("coverage_real")["tasks"])
    inside = (tasks["lower"] <= tasks["error"]) & (tasks["error"] <= tasks["upper"])
    held = tasks.assign(held=inside, width=tasks["upper"] - tasks["lower"])
    by_family = held.groupby(["method", "family"])[["held", "width"]].agg({"held": "mean", "width": "median"})
    return by_family.groupby("method").mean().assign(extrapolations=held.groupby("method").size())


def machine(name: str) -> str:
    """Where and when a benchmark ran."""
    told = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["machine"]
    known = {key: value for key, value in told.items() if value not in (None, np.nan)}
    return ", ".join(f"{key} {value}" for key, value in known.items())
