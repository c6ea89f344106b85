"""Studies of very many groups: planned in chunks, fitted one chunk at a time, resumed from the chunks that
are on disk.

What a chunk holds depends on its own groups alone, never on what the process did before, so a study that was
killed and resumed, or shared out among processes, ends in the same bytes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any, overload

import jax
import numpy as np
import pandas as pd

from scaling_jax.api.fit import read_groups
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.elsewhere import Executor, must_be_executor
from scaling_jax.core.law import Law
from scaling_jax.engine.behaviour import behaviour_of, digest, law_as_written
from scaling_jax.engine.devices import span_hosts
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.certified import CERTIFIED, certified
from scaling_jax.fitting.fits import Fits
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.spec import Spec
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.runs import DataError, Runs
from scaling_jax.tables.sources import Keys, names_columns
from scaling_jax.tables.store import in_chunks

__all__ = ["study"]


@checked
def study(
    law: Law,
    runs: TableLike,
    *,
    by: Keys,
    folder: str | os.PathLike[str],
    chunk: int = 4096,
    executor: Executor | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Fits a law to every group of a table as `fit_groups` does, in chunks that are kept on disk; run again,
    it goes on where it was.

    In a job of several processes (`jax.distributed`) every one fits its share of the chunks and returns the
    whole table; the folder must be one that all of them see. With `mesh=` over all of them they fit each
    chunk together.

    Args:
        law: the law.
        runs: the table, as in `fit`.
        by: column or columns that tell groups apart, as in `fit_groups`.
        folder: where each chunk's table is kept, one Parquet file each; `pd.read_parquet(folder)` reads all
            that is there. Each file carries a checksum and the identity of its study; one that is damaged,
            or belongs elsewhere, is set aside with a warning, and its groups are fitted again.
        chunk: groups per file, at most. A process that is killed loses the chunk it was at, nothing before.
        executor: who fits the chunks, each a task of its own: `ProcessPoolExecutor`, Dask's `Client`,
            mpi4py's `MPIPoolExecutor`, any object with their `submit`; this process by default. Workers need
            the same versions of the packages, not the folder, which this process alone writes.
        **options: as in `fit_groups`, but for shared=, which makes all groups one fit.

    Returns:
        One row per group, in order of appearance: the group, the parameters, objective, rows, the certificate
        (status, n_agree, n_finished, n_basins, runner_up, relative_decrement, curvature_ok, condition;
        unidentified, extinct and at_bound by name), warnings, and a reason where there is no fit.

    Raises:
        ValueError: if the folder holds a study of another law, table, version, or other options; a law
            that is only written otherwise may count as another.
        RuntimeError: if chunks failed on the executor, each of them twice: they are named once all others
            are done and kept.
        OSError: if the folder cannot be read or written; what is done stays.
        DataError: bad input that concerns the whole table.
        ImportError: without pyarrow, with the remedy.

    >>> import tempfile
    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100] * 2, "loss": [4, 2, 1, 9, 3, 1], "family": list("aaabbb")}
    >>> laws = sj.study(sj.laws.power_law, table, by="family", folder=tempfile.mkdtemp())
    >>> laws[["family", "A"]].round(6).values.tolist()
    [['a', 4.0], ['b', 9.0]]
    """
    if options.get("shared"):
        raise ValueError(
            "shared= makes all groups one fit, which has no chunks: use fit_groups, or fix those parameters."
        )
    if chunk < 1:
        raise ValueError(f"chunk={chunk}: give a positive number of groups.")
    if executor is not None:
        must_be_executor(executor)
    spec, table, values, unread = read_groups(law, runs, by, options)
    if unread:
        raise DataError(
            f"Group {shown(unread[0].key)} cannot be read: {unread[0].reason} A study takes groups "
            "that can all "
            "be read: "
            "leave it out with where=."
        )
    groups = _group_columns(by, table.group_labels)
    if clash := set(groups) & {*law.labels, *CERTIFIED, "warnings", "reason"}:
        raise ValueError(
            f"Column '{clash.pop()}' names the groups, and the table of laws has another of that name: "
            "rename it."
        )
    behaviour = behaviour_of(law, table.inputs, table.target)
    plan = {
        **behaviour,
        "versions": _versions(),
        "table": _identity(table, groups),
        "options": _options(spec, values),
        "chunk": chunk,
    }
    if executor is not None and spec.device is not None:
        raise ValueError("device= and mesh= are of this process, executor= fits in others: give one of them.")
    pieces = np.array_split(np.arange(len(groups)), -(-len(groups) // chunk))
    chunks = _Chunks(spec, table, table.members(), values, groups, pieces)
    alone = span_hosts(spec.device)  # each chunk is fitted by all processes together
    share = (0, 1) if alone else (jax.process_index(), jax.process_count())
    make = partial(_laws, _versions(), behaviour["law as written"])
    return in_chunks(folder, plan, chunks, make, executor, share)


@dataclass(frozen=True)
class _Chunk:
    """Some groups on a table of their own, and what they are called."""

    task: Task
    groups: pd.DataFrame


@dataclass(frozen=True)
class _Chunks(Sequence[_Chunk]):
    """The chunks of a study, each cut out of the table when it is asked for."""

    spec: Spec
    table: Runs
    members: list[np.ndarray]
    values: np.ndarray
    groups: pd.DataFrame
    pieces: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.pieces)

    @overload
    def __getitem__(self, i: int) -> _Chunk: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[_Chunk]: ...
    def __getitem__(self, i: int | slice) -> _Chunk | Sequence[_Chunk]:
        if isinstance(i, slice):
            return replace(self, pieces=self.pieces[i])
        piece = self.pieces[i]
        parts = [self.members[g] for g in piece]
        sizes = [len(part) for part in parts]
        keys = [self.table.group_labels[g] for g in piece]
        own = self.table.take(np.concatenate(parts))
        own = replace(own, group=np.repeat(np.arange(len(piece)), sizes), group_labels=keys)
        members = np.split(np.arange(len(own)), np.cumsum(sizes)[:-1])
        task = Task(self.spec, own, members, self.values[piece], keys)
        return _Chunk(task, self.groups.iloc[piece].reset_index(drop=True))


def _versions() -> str:
    return f"scaling_jax {sys.modules['scaling_jax'].__version__}, jax {jax.__version__}"


def _laws(versions: str, written: str, chunk: _Chunk) -> pd.DataFrame:
    """The rows of one chunk's groups, on whichever machine."""
    if _versions() != versions:
        raise RuntimeError(f"A worker has {_versions()}, and the study {versions}: install the same there.")
    if law_as_written(chunk.task.spec.law) != written:
        law = chunk.task.spec.law.name
        raise RuntimeError(f"A worker's law '{law}' is not the one of the study: install the same there.")
    return chunk.groups.join(_laws_found(chunk.task.spec.law, solve_members(chunk.task)))


def _laws_found(law: Law, fits: Fits) -> pd.DataFrame:
    """One row per fit: parameters, objective, rows, and the certificate."""
    found = pd.DataFrame(fits.numbers, columns=list(law.labels))
    said = certified(fits)
    said["warnings"] = [" ".join(warnings) for warnings in fits.warnings()]
    said["reason"] = fits.reasons.tolist()
    return found.join(said)


def _group_columns(by: Keys, labels: list[Hashable]) -> pd.DataFrame:
    """One row per group; the columns that told them apart, or one called `group`."""
    if not isinstance(by, str) and names_columns(by):
        columns = pd.DataFrame(labels, columns=list(by))
    else:
        columns = pd.DataFrame({by if isinstance(by, str) else "group": labels})
    for name, column in columns.items():
        if pd.api.types.infer_dtype(column).startswith("mixed"):
            raise DataError(
                f"Column '{name}' tells groups apart by values of several types: convert it, for example "
                "with .astype(str)."
            )
    return columns


def _identity(table: Runs, groups: pd.DataFrame) -> str:
    """The rows that are fitted, the groups and what they are called, and what was said about the table."""
    named = repr((table.group_labels, list(groups.columns), table.warnings))
    return digest(table.fingerprint, table.group.tobytes(), named)


def _options(spec: Spec, values: np.ndarray) -> str:
    """What was asked of the fits, without where they run."""
    starts = spec.starts.tobytes() if isinstance(spec.starts, np.ndarray) else spec.starts
    asked = repr((_settings(spec.objective), spec.tied, _settings(spec.solver), spec.screen, spec.polish))
    return digest(asked, starts, values.tobytes())


def _settings(thing: object) -> str:
    """A solver or an objective by its type and all it holds: its own printed form may say less, or more."""
    kind = type(thing)
    own = [f.name for f in fields(thing)] if is_dataclass(thing) else sorted(getattr(thing, "__dict__", ()))
    held = {name: getattr(thing, name) for name in own}
    return re.sub(r" at 0x\w+", "", f"{kind.__module__}.{kind.__qualname__} {held}")
