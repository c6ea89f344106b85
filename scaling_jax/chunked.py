"""Studies of very many groups: planned in chunks, fitted one chunk at a time, resumed from the chunks that are on disk.

A chunk's table is written under a temporary name and renamed, so a file that is there is whole. What a chunk holds depends on
its own groups alone, never on what the process did before, so a study that was killed and resumed ends in the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.batch import Spec, solve_members
from scaling_jax.data import DataError, Runs, names_columns
from scaling_jax.engine.predict import predict
from scaling_jax.fit import read_groups
from scaling_jax.law import Law
from scaling_jax.progress import progress_bar
from scaling_jax.result import FitResult

__all__ = ["in_chunks", "study"]

PLAN = "_plan.json"  # readers of Parquet folders skip names that begin with an underscore
CERTIFIED = ("status", "n_agree", "n_finished", "n_basins", "runner_up", "relative_decrement", "curvature_ok", "condition")
NAMED = ("unidentified", "extinct", "at_bound")


def study(law: Law, runs: Any, *, by: Any, folder: str | os.PathLike[str], chunk: int = 4096, **options: Any) -> pd.DataFrame:
    """Fits a law to every group of a table as `fit_groups` does, in chunks that are kept on disk; run again, it goes on where it was.

    Args:
        law: the law.
        runs: the table, as in `fit`.
        by: column or columns that tell groups apart, as in `fit_groups`.
        folder: where each chunk's table is kept, one Parquet file each; `pd.read_parquet(folder)` reads all that is there.
        chunk: groups per file, at most. A process that is killed loses the chunk it was at, nothing before.
        **options: as in `fit_groups`, but for shared=, which makes all groups one fit.

    Returns:
        One row per group, in order of appearance: the group, the parameters, objective, rows, the certificate (status, n_agree,
        n_finished, n_basins, runner_up, relative_decrement, curvature_ok, condition; unidentified, extinct and at_bound by
        name), warnings, and a reason where there is no fit.

    Raises:
        ValueError: if the folder holds a study of another law, table, or other options.
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
        raise ValueError("shared= makes all groups one fit, which has no chunks: use fit_groups, or fix those parameters.")
    if chunk < 1:
        raise ValueError(f"chunk={chunk}: give a positive number of groups.")
    spec, table, values = read_groups(law, runs, by, options)
    groups = _group_columns(by, table.group_labels)
    if clash := set(groups) & {*law.labels, "objective", "rows", *CERTIFIED, *NAMED, "warnings", "reason"}:
        raise ValueError(f"Column '{clash.pop()}' names the groups, and the table of laws has another of that name: rename it.")
    plan = {
        "law": _behaviour(law), "table": _digest(table.fingerprint, table.group.tobytes(), repr(table.group_labels)),
        "options": _options(spec, values), "chunk": chunk,
    }  # fmt: skip
    chunks = np.array_split(np.arange(len(groups)), -(-len(groups) // chunk))
    return in_chunks(folder, plan, chunks, partial(_laws, spec, table, table.members(), values, groups))


def in_chunks(
    folder: str | os.PathLike[str], plan: dict[str, Hashable], chunks: Sequence[Any], make: Callable[[Any], pd.DataFrame]
) -> pd.DataFrame:
    """The tables that `make` gives for every chunk, one under the other; those that the folder holds already are read, not made.

    Args:
        folder: where they are kept, one Parquet file per chunk.
        plan: what the tables depend on, by name, in values that JSON keeps; a folder of another plan is refused.
        chunks: what `make` takes, one after the other.
        make: gives the table of a chunk, and the same one whenever it is called.

    Raises:
        ValueError: if the folder was begun with another plan.
        ImportError: without pyarrow, with the remedy.
    """
    if find_spec("pyarrow") is None:
        raise ImportError("Keeping a study in Parquet needs pyarrow: pip install 'scaling-jax[data]'.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, plan | {"chunks": len(chunks)})
    files = [folder / f"part-{i:06d}.parquet" for i in range(len(chunks))]
    missing = [i for i, file in enumerate(files) if not file.exists()]
    with progress_bar(len(chunks), "studying", "chunk") as progress:
        progress(len(chunks) - len(missing), len(chunks))
        for done, i in enumerate(missing, start=len(chunks) - len(missing) + 1):
            _put(files[i], partial(make(chunks[i]).to_parquet, index=False))
            progress(done, len(chunks))
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def _claim(folder: Path, plan: dict[str, Hashable]) -> None:
    """Writes the plan into a fresh folder, or finds the same one there."""
    file = folder / PLAN
    if not file.exists():
        if any(folder.glob("*.parquet")):
            raise ValueError(f"The folder {folder} holds Parquet files that are no study's: give another folder.")
        _put(file, partial(_write, json.dumps(plan, indent=1)))
        return
    found = json.loads(file.read_text())
    if other := [name for name in plan if found.get(name) != plan[name]]:
        raise ValueError(
            f"The folder {folder} holds a study that differs in {', '.join(other)}: give another folder, or empty this one to begin anew."
        )


def _put(file: Path, write: Callable[[Path], Any]) -> None:
    """The file appears whole or not at all, also where several processes write the same."""
    draft = file.with_name(f"_{os.getpid()}-{file.name}")
    write(draft)
    draft.replace(file)


def _write(text: str, file: Path) -> None:
    file.write_text(text + "\n")


def _laws(spec: Spec, table: Runs, members: list[np.ndarray], values: np.ndarray, groups: pd.DataFrame, chunk: np.ndarray) -> pd.DataFrame:
    """The rows of one chunk's groups, fitted on a table of their own."""
    parts = [members[g] for g in chunk]
    ends = np.cumsum([len(part) for part in parts])
    own = table.take(np.concatenate(parts))
    fits = solve_members(spec, own, np.split(np.arange(len(own)), ends[:-1]), values[chunk], [table.group_labels[g] for g in chunk])
    found = pd.DataFrame([_law_row(fit) for fit in fits])
    return pd.concat([groups.iloc[chunk].reset_index(drop=True), found], axis=1)


def _law_row(fit: FitResult) -> dict[str, Any]:
    c = fit.certificate
    return {
        **dict(zip(fit.law.labels, fit.numbers.tolist(), strict=True)),
        "objective": fit.objective_value, "rows": fit.record["rows_used"],
        **{name: getattr(c, name) for name in CERTIFIED},
        **{name: ", ".join(getattr(c, name)) for name in NAMED},
        "warnings": " ".join(c.warnings), "reason": fit.reason,
    }  # fmt: skip


def _group_columns(by: Any, labels: list[Any]) -> pd.DataFrame:
    """One row per group; the columns that told them apart, or one called `group`."""
    several = not isinstance(by, str) and names_columns(by)
    columns = pd.DataFrame(labels, columns=list(by)) if several else pd.DataFrame({by if isinstance(by, str) else "group": labels})
    for name, column in columns.items():
        if pd.api.types.infer_dtype(column).startswith("mixed"):
            raise DataError(f"Column '{name}' tells groups apart by values of several types: convert it, for example with .astype(str).")
    return columns


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part if isinstance(part, bytes) else str(part).encode()) + b"|")
    return digest.hexdigest()[:16]


def _behaviour(law: Law) -> str:
    """A law by its name, parameters, and values at a few points: what it computes, however it is written."""
    rng = np.random.default_rng(0)
    bounds = np.array([(d.lower, d.upper) for d in law.label_domains])
    numbers = np.clip(rng.uniform(0.3, 0.9, (4, len(law.labels))), bounds[:, 0], bounds[:, 1])
    inputs = {name: np.clip(rng.uniform(2.0, 9.0, 8), d.lower, d.upper) for name, d in law.input_domains.items()}
    with np.errstate(all="ignore"):
        values = " ".join(f"{v:.5g}" for v in predict(law, numbers, inputs).ravel())
    return f"{law.name} {_digest(law.labels, law.label_domains, law.ranges, values)}"


def _options(spec: Spec, values: np.ndarray) -> str:
    """What was asked of the fits, without where they run; addresses of objects say nothing."""
    starts = spec.starts.tobytes() if isinstance(spec.starts, np.ndarray) else spec.starts
    asked = re.sub(r" at 0x[0-9a-f]+", "", repr((spec.objective, spec.tied, spec.solver, spec.screen)))
    return _digest(asked, starts, values.tobytes())
