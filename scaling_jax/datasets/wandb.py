"""A Weights & Biases panel export, one column per run, becomes one row per run and step, ready to be fitted.

A panel export is wide: `Step`, then `RUN - METRIC`, `RUN - METRIC__MIN`, `RUN - METRIC__MAX` for every run.
What the runs were (their configuration) is another file, the export of the runs table.
"""

from __future__ import annotations

import csv
import io
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import IO, Literal

import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.schedules import with_curves

__all__ = ["read_wandb"]

Source = str | os.PathLike[str] | IO[str] | IO[bytes]

STEP_NAMES = ("Step", "_step", "step", "global_step", "trainer/global_step")
NAME_COLUMNS = ("Name", "name", "run", "Run", "run_name", "display_name", "displayName")
OWN_STEP = "_step"
MOST_STEPS = 2.0**63
BOUNDS = {"__MIN": "_min", "__MAX": "_max"}


@checked
def read_wandb(
    history_csv: Source,
    runs_csv: Source | None = None,
    *,
    bounds: bool = False,
    duplicates: Literal["last", "first", "mean", "raise"] = "last",
    curves: str | Sequence[str] = (),
) -> pd.DataFrame:
    """One tidy long table from a Weights & Biases panel export: runs, steps, metrics, configurations.

    The export's first column is its horizontal axis. Where that is not the step (but tokens, say), it stays
    as a column of its own, and step is the runs' own step where the export has it. Empty cells are gaps (runs
    log at different steps, crashed runs stop early) and make no row. Rows are ordered by run, as the runs
    come in the file, then by step. Nothing is filtered: a crashed run keeps its rows, and `State`, where the
    runs table has it, says so (`sj.fit(..., run="run", where="State == 'finished'")`).

    Args:
        history_csv: path or open file of the panel's CSV export.
        runs_csv: path or open file of the runs table's CSV export, joined on the run's name. A column that
            would overwrite one of the history (the summary's final `val/loss`, say) gets the suffix
            `_summary`.
        bounds: keep the smallest and largest value behind each exported point as METRIC_min and METRIC_max.
        duplicates: what to do with several rows of one run and step (a resumed run logs steps again): keep
            the `last` value, the `first`, their `mean`, or `raise`.
        curves: metrics that are a curve of the run, "train/lr" for example: each row gets the whole curve of
            its run, for laws whose input is one (`sj.schedules.from_table`).

    Returns:
        DataFrame with run (text), step (int64 if whole), one float column per metric, and the runs table's
        columns. Units are those that were logged. `df.attrs` counts duplicated_steps (rows merged),
        downsampled_values (values that stand for several logged ones: min and max differ) and lists
        unmatched_runs (not in the runs table).

    Raises:
        ValueError: not a panel export, curves that are none, text among the numbers, steps beyond int64, two
            runs of one name, no name column in runs_csv.

    >>> import io
    >>> from scaling_jax.datasets.wandb import read_wandb
    >>> history = io.StringIO("Step,small - val/loss,big - val/loss\\n100,4.0,3.5\\n200,3.6,\\n")
    >>> runs = io.StringIO("Name,State,n_params\\nsmall,finished,1000000\\nbig,crashed,8000000\\n")
    >>> read_wandb(history, runs)
         run  step  val/loss     State  n_params
    0  small   100       4.0  finished   1000000
    1  small   200       3.6  finished   1000000
    2    big   100       3.5   crashed   8000000
    """
    if duplicates not in ("last", "first", "mean", "raise"):
        raise ValueError(f"Got duplicates={shown(duplicates)}: choose 'last', 'first', 'mean' or 'raise'.")
    wide = _read(history_csv, "history_csv")
    runs = None if runs_csv is None else _read_runs(runs_csv)
    axis = str(wide.columns[0])
    parts = _split(wide.columns[1:], () if runs is None else runs["run"])
    long = _melt(wide, axis, parts)
    table, merged = _merge_duplicates(long, duplicates)
    downsampled = _count_downsampled(table)
    if not bounds:
        table = table.drop(columns=[c for c in table.columns if c.endswith(tuple(BOUNDS))])
    table = table.rename(columns=_renamed_bounds)
    unmatched: list[str] = []
    if runs is not None:
        table, unmatched = _join(table, runs)
    table = with_curves(table, curves)
    table.attrs = {
        "duplicated_steps": merged,
        "downsampled_values": downsampled,
        "unmatched_runs": unmatched,
    }
    return table


def _read(source: Source, what: str) -> pd.DataFrame:
    """A CSV as a frame, with the header exactly as written: pandas would rename repeated columns."""
    text = _text(source)
    header = next(csv.reader(io.StringIO(text)), [])
    if repeated := [name for name, count in Counter(header).items() if count > 1]:
        raise ValueError(
            f"{what} has the column {shown(repeated[0])} more than once: two runs share a name. "
            "Rename one in W&B "
            "and export again."
        )
    if len(header) < 2:
        raise ValueError(f"{what} has fewer than two columns: export the panel or table from W&B as CSV.")
    frame = pd.read_csv(io.StringIO(text))
    if len(frame.columns) != len(header) or not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(f"{what} has rows longer than its header: export it again.")
    return frame.set_axis(header, axis=1)


def _text(source: Source) -> str:
    if isinstance(source, str | os.PathLike):
        try:
            with open(source, encoding="utf-8-sig", newline="") as file:
                return file.read()
        except UnicodeDecodeError:
            raise
        except (OSError, ValueError) as error:
            kind = type(error) if isinstance(error, OSError) else ValueError
            raise kind(f"{shown(source)} cannot be read ({error}): give the path of a CSV export.") from error
    if not hasattr(source, "read"):
        raise TypeError(f"{shown(source)} is no export: give a path, or an open file.")
    content: str | bytes = source.read()
    return content.decode("utf-8-sig") if isinstance(content, bytes) else content.removeprefix("\ufeff")


def _read_runs(source: Source) -> pd.DataFrame:
    runs = _read(source, "runs_csv")
    name = next((c for c in NAME_COLUMNS if c in runs.columns), None)
    if name is None:
        raise ValueError(
            f"runs_csv has no column with the runs' names (one of {', '.join(NAME_COLUMNS)}): "
            "export it again, with one."
        )
    runs = runs.rename(columns={name: "run"}).astype({"run": str})
    if (twice := runs["run"].duplicated()).any():
        raise ValueError(
            f"runs_csv has two runs named {runs.loc[twice, 'run'].iloc[0]!r}: rename one in W&B and export "
            "both files again."
        )
    return runs


def _split(columns: Iterable[str], names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Column -> (run, metric). Both may hold ` - `: known run names decide, else the last one separates."""
    prefixes = (f"{group}{name} - " for name in names for group in ("", "Group: "))
    known = sorted(prefixes, key=len, reverse=True)
    parts = {}
    for column in columns:
        prefix = next((k for k in known if column.startswith(k)), None)
        if prefix is not None:
            parts[column] = (prefix.removesuffix(" - ").removeprefix("Group: "), column.removeprefix(prefix))
        elif " - " in column:
            run, _, metric = column.rpartition(" - ")
            parts[column] = (run.removeprefix("Group: "), metric)
        else:
            raise ValueError(
                f"In history_csv the column {shown(column)} is not of the form 'RUN - METRIC': "
                "export a line panel from W&B as CSV."
            )
    return parts


def _melt(wide: pd.DataFrame, axis: str, parts: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """One row per run and value of the axis at which the run logged anything."""
    wide = wide.apply(_numbers)
    if wide[axis].isna().any():
        raise ValueError(
            f"In history_csv the column {shown(axis)} is empty in row {int(wide[axis].isna().argmax())}: "
            "export it again."
        )
    for column in wide.columns:
        if (axis in STEP_NAMES and column == axis) or (column in parts and parts[column][1] == OWN_STEP):
            _check_steps(wide[column])
    runs = dict.fromkeys(run for run, _ in parts.values())
    long = pd.concat([_of_run(wide, axis, parts, run) for run in runs], ignore_index=True)
    if axis in STEP_NAMES:
        step = long.pop(axis)
    else:  # over epochs, tokens or time: the run's own step is beside it in most exports
        step = long[OWN_STEP] if OWN_STEP in long.columns else long[axis]
    long = long.drop(columns=[c for c in long.columns if c.startswith(OWN_STEP)])
    metrics = long.drop(columns="run")
    metrics = metrics.rename(columns={c: f"{c}_metric" for c in metrics.columns if c in ("run", "step")})
    return pd.concat([long["run"], _whole(step).rename("step"), metrics], axis=1)


def _of_run(wide: pd.DataFrame, axis: str, parts: dict[str, tuple[str, str]], run: str) -> pd.DataFrame:
    """Rows in which one run logged something, under the names of the metrics."""
    columns = {c: metric for c, (r, metric) in parts.items() if r == run}
    # What every export repeats beside the metrics does not make a row.
    logged = [m for m in columns.values() if not m.endswith(tuple(BOUNDS)) and m != OWN_STEP]
    return wide[[axis, *columns]].rename(columns=columns).dropna(how="all", subset=logged).assign(run=run)


def _numbers(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if (text := numbers.isna() & column.notna()).any():
        raise ValueError(
            f"In history_csv the column {str(column.name)!r} has {shown(column[text].iloc[0])} in row "
            f"{int(text.argmax())}, which is not a number: export a panel of numeric metrics."
        )
    return numbers.astype("float64")


def _check_steps(column: pd.Series) -> None:
    """Whether every step that is there is one that int64 can hold."""
    beyond = column.abs() >= MOST_STEPS
    if beyond.any():
        rows = ", ".join(map(str, column.index[beyond][:5]))
        raise ValueError(
            f"In history_csv the column {str(column.name)!r} has {column[beyond].iloc[0]:g} in row {rows}, "
            "and a step is a number below 2**63: export it again."
        )


def _whole(column: pd.Series) -> pd.Series:
    """Whole numbers as such; an axis of tokens or FLOP may lie beyond what int64 can hold."""
    whole = (column % 1 == 0).all() and (column.abs() < MOST_STEPS).all()
    return column.astype("int64") if whole else column


def _merge_duplicates(long: pd.DataFrame, how: str) -> tuple[pd.DataFrame, int]:
    keys = ["run", "step"]
    repeated = long.duplicated(keys)
    if repeated.any() and how == "raise":
        run, step = long.loc[repeated, keys].iloc[0]
        raise ValueError(
            f"In history_csv the run {shown(run)} has step {step} more than once: choose "
            "duplicates='last' or "
            "'mean'."
        )
    # In order of appearance, then steps in order within the run.
    order = {run: place for place, run in enumerate(dict.fromkeys(long["run"]))}
    groups = long.groupby(keys, sort=False, dropna=False)
    table = groups.agg("last" if how == "raise" else how).reset_index()
    table = table.sort_values(keys, key=lambda c: c.map(order) if c.name == "run" else c, ignore_index=True)
    return table, int(repeated.sum())


def _count_downsampled(table: pd.DataFrame) -> int:
    metrics = [c for c in table.columns if f"{c}__MIN" in table.columns and f"{c}__MAX" in table.columns]
    return int(sum((table[f"{c}__MIN"] < table[f"{c}__MAX"]).sum() for c in metrics))


def _renamed_bounds(column: str) -> str:
    for ending, new in BOUNDS.items():
        if column.endswith(ending):
            return column.removesuffix(ending) + new
    return column


def _join(table: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    runs = runs.rename(columns={c: f"{c}_summary" for c in runs.columns if c != "run" and c in table.columns})
    unmatched = [run for run in dict.fromkeys(table["run"]) if run not in set(runs["run"])]
    if unmatched:
        warnings.warn(
            f"{len(unmatched)} of the runs in history_csv are not in runs_csv ({', '.join(unmatched[:5])}): "
            "their configuration is empty.",
            stacklevel=3,
        )
    return table.merge(runs, on="run", how="left", validate="many_to_one"), unmatched
