"""`sj.read_runs`: runs out of wherever they are, as a tidy table; with a law, as what it is fitted to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, cast, overload

import pandas as pd

from scaling_jax.core.checked import checked, one_line, shown
from scaling_jax.core.law import Law
from scaling_jax.schedules import with_curves
from scaling_jax.tables.files import read_file
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.read import read_runs as read_for
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.trackers.source import is_tracked, read_tracked

__all__ = ["read_runs"]


@overload
def read_runs(source: Law, table: TableLike, **words: Any) -> Runs: ...
@overload
def read_runs(
    source: str | Path, *, keep: str | Path | None = None, curves: str | Sequence[str] = ()
) -> pd.DataFrame: ...
@checked
def read_runs(source: Law | str | Path, table: TableLike | None = None, **words: Any) -> Runs | pd.DataFrame:
    """Runs from where they were logged, as one tidy table: a row per run and step.

    Args:
        source: a file that holds a table; a folder of Weights & Biases' offline runs, of TensorBoard's
            events, of an MLflow store, or of the Hugging Face Trainer's checkpoints; a Trackio database; or
            a name: "wandb:ENTITY/PROJECT", "mlflow:ADDRESS", "trackio:PROJECT".
        table: with a law in the first place, the table that it is fitted to: what `with_data` takes.
        keep: a folder for what was read of a Weights & Biases project, from where a reading that broke off
            goes on.
        curves: columns that hold a curve of the run, "lr" for example: each row gets the whole curve of its
            run, and a law whose input is a curve is fitted to the table as it is.
        **words: with a law, those of `sj.fit` that concern the table.

    Returns:
        DataFrame with run (text), step, one column per metric and one per configured value (nested ones
        with points between: opt.lr); `attrs` say what was read, how many steps were logged again (the last
        value counts) and which runs are empty. With a law, the checked rows.

    Raises:
        DataError: one sentence, where there is nothing to read or it is damaged.
        ImportError: where the tracker's own package is missing, with the remedy.

    >>> import json, pathlib, tempfile, scaling_jax as sj
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "small"
    >>> folder.mkdir()
    >>> state = {"global_step": 20, "log_history": [{"step": 10, "loss": 3.0}, {"step": 20, "loss": 2.5}]}
    >>> _ = (folder / "trainer_state.json").write_text(json.dumps(state))
    >>> sj.read_runs(folder.parent)
         run  step  loss
    0  small    10   3.0
    1  small    20   2.5
    """
    if table is not None or not isinstance(source, str | Path):
        _check_words(words, [*signature(read_for).parameters][2:])
        return read_for(cast(Law, source), cast(TableLike, table), **words)  # what is none is refused there
    _check_words(words, ["keep", "curves"])
    curves = words.get("curves", ())
    try:
        if not is_tracked(source):
            return with_curves(read_file(source), curves)
        return with_curves(read_tracked(source, words.get("keep")), curves)
    except OSError as error:
        raise DataError(f"{one_line(source)} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise error if isinstance(error, DataError) else DataError(str(error)) from error


def _check_words(words: Iterable[str], known: list[str]) -> None:
    if unknown := sorted(set(words) - set(known)):
        raise TypeError(
            f"read_runs has no {', '.join(map(shown, unknown))} here; it takes {', '.join(known)}."
        )
