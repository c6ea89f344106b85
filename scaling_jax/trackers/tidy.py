"""Logged runs as one tidy table: a row per run and step, a column per metric, the configuration beside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

__all__ = ["Logged", "flat", "tidy"]

RUN, STEP, CONFIG = "run", "step", "_config"


@dataclass(frozen=True)
class Logged:
    """What was logged of one run.

    Args:
        name: what it is called.
        rows: what was logged, each row with its step; rows of one step are one.
        config: what it was configured with, flat.
        key: what tells it from another of the same name.
    """

    name: str
    rows: Iterable[Mapping[str, object]]
    config: Mapping[str, object]
    key: str = ""


def tidy(runs: Iterable[Logged]) -> pd.DataFrame:
    """A row per run and step.

    Numbers alone are metrics; of several values of one step the last counts. A configured value that would
    hide a metric is called NAME_config, numbers written as text are numbers, and runs of one name carry their
    key. `attrs` counts `duplicated_steps` and lists `empty_runs`, of which nothing was logged.

    >>> rows = [{"step": 0, "loss": 3.0}, {"step": 10, "loss": 2.5}, {"step": 10, "tokens": 640}]
    >>> tidy([Logged("small", rows, {"n_params": "1000"})])
         run  step  loss  tokens  n_params
    0  small     0   3.0     NaN      1000
    1  small    10   2.5   640.0      1000
    """
    known = list(runs)
    twice = {run.name for run in known if sum(other.name == run.name for other in known) > 1}
    parts, configs, empty, merged = [], {}, [], 0
    for run in known:
        name = f"{run.name} ({run.key})" if run.name in twice and run.key else run.name
        steps, times = _by_step(run.rows)
        merged += times
        if not steps:
            empty.append(name)
            continue
        metrics = pd.DataFrame.from_dict(steps, orient="index").sort_index()
        parts.append(metrics.rename_axis(STEP).reset_index().assign(**{RUN: name}))
        configs[name] = dict(run.config)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[RUN, STEP])
    table = table[[RUN, STEP, *table.columns.drop([RUN, STEP])]]
    table = table.join(_configured(configs, table), on=RUN)
    table.attrs = {"duplicated_steps": merged, "empty_runs": empty}
    return table


def flat(nested: Mapping[str, object], above: str = "") -> dict[str, object]:
    """A configuration without mappings inside: {"opt": {"lr": 1}} is {"opt.lr": 1}."""
    out: dict[str, object] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            out |= flat(value, f"{above}{name}.")
        else:
            out[f"{above}{name}"] = value
    return out


def _by_step(rows: Iterable[Mapping[str, object]]) -> tuple[dict[int, dict[str, float]], int]:
    """Metrics by step, and how many values were logged again."""
    steps: dict[int, dict[str, float]] = {}
    again = 0
    for row in rows:
        step = row.get(STEP)
        numbers = {
            name: float(value)
            for name, value in row.items()
            if name != STEP and isinstance(value, int | float) and not isinstance(value, bool)
        }
        if not numbers or not isinstance(step, int | float) or not math.isfinite(step):
            continue
        here = steps.setdefault(int(step), {})
        again += bool(here.keys() & numbers.keys())
        here |= numbers
    return steps, again


def _configured(configs: Mapping[str, Mapping[str, object]], table: pd.DataFrame) -> pd.DataFrame:
    """The runs' configurations, by run."""
    frame = pd.DataFrame.from_dict(configs, orient="index")
    for name in frame.columns:
        column = frame[name].map(lambda v: v if v is None or isinstance(v, int | float | str) else str(v))
        numbers = pd.to_numeric(column, errors="coerce")
        frame[name] = numbers if numbers.notna().sum() == column.notna().sum() else column
    return frame.rename(columns={c: f"{c}{CONFIG}" for c in frame.columns if c in table.columns})
