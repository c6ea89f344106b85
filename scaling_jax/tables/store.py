"""A folder of tables, one file a chunk, made once and read ever after.

A chunk's table is written under a temporary name and renamed, so a file that is there is whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd

from scaling_jax.core.optional import needs
from scaling_jax.core.progress import progress_bar

__all__ = ["in_chunks"]

T = TypeVar("T")
PLAN = "_plan.json"  # readers of Parquet folders skip names that begin with an underscore


def in_chunks(
    folder: str | os.PathLike[str],
    plan: dict[str, Hashable],
    chunks: Sequence[T],
    make: Callable[[T], pd.DataFrame],
) -> pd.DataFrame:
    """The tables that `make` gives for every chunk, one under the other; those that the folder holds already
    are read, not made.

    Args:
        folder: where they are kept, one Parquet file per chunk.
        plan: what the tables depend on, by name, in values that JSON keeps; a folder of another plan is
            refused.
        chunks: what `make` takes, one after the other.
        make: gives the table of a chunk, and the same one whenever it is called.

    Raises:
        ValueError: if the folder was begun with another plan.
        ImportError: without pyarrow, with the remedy.
    """
    needs("pyarrow", "data", "Keeping a study in Parquet needs")
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
            raise ValueError(
                f"The folder {folder} holds Parquet files that are no study's: give another folder."
            )
        _put(file, partial(_write, json.dumps(plan, indent=1)))
        return
    found = json.loads(file.read_text())
    if other := [name for name in plan if found.get(name) != plan[name]]:
        raise ValueError(
            f"The folder {folder} holds a study that differs in {', '.join(other)}: give another folder, or "
            "empty this one to begin anew."
        )


def _put(file: Path, write: Callable[[Path], object]) -> None:
    """The file appears whole or not at all, also where several processes write the same."""
    draft = file.with_name(f"_{os.getpid()}-{file.name}")
    write(draft)
    draft.replace(file)


def _write(text: str, file: Path) -> None:
    file.write_text(text + "\n")
