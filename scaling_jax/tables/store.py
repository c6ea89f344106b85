"""A folder of tables, one file a chunk, made once and read ever after.

The folder belongs to one plan, that of whoever began it. Each file carries a seal, which says of which plan
it is, which chunk, and what its bytes add up to; a file whose seal does not fit is never read as a table. All
files are written under a temporary name and renamed, so one that is there is whole. Several processes may
fill a folder, each beginning with its share; whoever is done helps the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import threading
import time
import warnings
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd

from scaling_jax.core.checked import one_line
from scaling_jax.core.elsewhere import Executor, as_they_end
from scaling_jax.core.optional import needs
from scaling_jax.core.progress import progress_bar

__all__ = ["in_chunks"]

T = TypeVar("T")
PLAN = "_plan.json"  # readers of Parquet folders skip names that begin with an underscore
SEAL = re.compile(rb"chunk (\d{1,9}) of plan ([0-9a-f]{64}), sha256 ([0-9a-f]{64})")
UNSUMMED = "0" * 64  # in the checksum's place while the bytes are added up
ENOUGH = 2**20  # bytes, for the metadata of a table of hundreds of columns
HOUR = 3600.0


def in_chunks(
    folder: str | os.PathLike[str],
    plan: dict[str, Hashable],
    chunks: Sequence[T],
    make: Callable[[T], pd.DataFrame],
    executor: Executor | None = None,
    share: tuple[int, int] = (0, 1),
) -> pd.DataFrame:
    """The tables that `make` gives for every chunk, one under the other; those that the folder holds already
    are read, not made.

    A file that is damaged or belongs elsewhere is set aside with a warning, and its chunk is made again.

    Args:
        folder: where they are kept, one Parquet file per chunk.
        plan: what the tables depend on, by name, in values that JSON keeps; a folder of another plan is
            refused.
        chunks: what `make` takes, one after the other.
        make: gives the table of a chunk, and the same one whenever it is called.
        executor: where `make` is called; this process by default. Files are written by this one.
        share: this process's number and how many fill the folder together. Each begins with chunks of its
            own and goes on with those that others have not made.

    Raises:
        ValueError: if the folder was begun with another plan.
        RuntimeError: if chunks failed on the executor, each of them twice; the others are kept.
        OSError: if the folder cannot be read or written, with the remedy.
        ImportError: without pyarrow, with the remedy.
    """
    needs("pyarrow", "data", "Keeping a study in Parquet needs")
    folder, plan = Path(folder), json.loads(json.dumps(plan | {"chunks": len(chunks)}))
    identity = _identity(plan)
    files = [folder / f"part-{i:06d}.parquet" for i in range(len(chunks))]
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _claim(folder, plan)
        _name_strangers(folder, files)
        kept = [_kept(file, i, identity) for i, file in enumerate(files)]
    tables = dict(enumerate(kept))
    missing = _in_turn([i for i, table in tables.items() if table is None], len(chunks), share)
    failed: dict[int, BaseException] = {}

    def work(i: int) -> Callable[[], bytes]:
        return partial(_made, make, chunks[i], i, identity)

    with (
        progress_bar(len(chunks), "studying", "chunk") as progress,
        closing(_ends(missing, work, executor)) as ends,
    ):
        progress(len(chunks) - len(missing), len(chunks))
        for done, (i, found) in enumerate(ends, start=len(chunks) - len(missing) + 1):
            if isinstance(found, BaseException):
                failed[i] = found
                continue
            with _disk(folder):
                tables[i] = _kept(files[i], i, identity)  # another process may have been faster
            if tables[i] is None:
                data = found()
                with _disk(folder):
                    _put(files[i], data)
                tables[i] = _table(data)  # as it is read from disk, whose types may be others than were made
            progress(done, len(chunks))
    if failed:
        raise RuntimeError(_failures(failed, len(chunks), folder)) from next(iter(failed.values()))
    return pd.concat(tables.values(), ignore_index=True)


def _in_turn(missing: list[int], chunks: int, share: tuple[int, int]) -> list[int]:
    """The chunks of this process, then those of the next ones from their ends, which they reach last."""
    me, of = share
    turns = {i: (i * of // chunks - me) % of for i in missing}
    return sorted(missing, key=lambda i: (turns[i], -i if turns[i] else i))


def _ends(
    missing: list[int], work: Callable[[int], Callable[[], bytes]], executor: Executor | None
) -> Generator[tuple[int, Callable[[], bytes] | BaseException]]:
    """What gives each chunk's bytes: made when it is called, or by an executor; or why there are none."""
    if executor is None:
        yield from ((i, work(i)) for i in missing)
        return
    with closing(as_they_end(executor, missing, work)) as ends:
        for i, found in ends:
            yield i, found if isinstance(found, BaseException) else partial(bytes, found)


def _made(make: Callable[[T], pd.DataFrame], chunk: T, index: int, identity: str) -> bytes:
    return _sealed(make(chunk), index, identity)


def _failures(failed: dict[int, BaseException], chunks: int, folder: Path) -> str:
    names = [str(i) for i in sorted(failed)]
    some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    i, error = next(iter(failed.items()))
    return (
        f"{len(failed)} of {chunks} chunks failed twice on the executor ({some}); chunk {i} by "
        f"{type(error).__name__}: {one_line(error)} The others are kept in {folder}: say the same again, and "
        "these alone are tried."
    )


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What the disk refuses, as a sentence."""
    try:
        yield
    except OSError as error:
        raise OSError(
            f"The folder {folder} cannot be used ({error.strerror or error}): make room, or give a folder "
            "that can be written, and run it again; chunks that are done stay."
        ) from error


# --- the plan: whose folder it is


def _identity(plan: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def _claim(folder: Path, plan: dict[str, Any]) -> None:
    """Writes the plan into a fresh folder, or finds the same one there; of several that begin at once, one
    writes it, and the others find it."""
    file, identity = folder / PLAN, _identity(plan)
    data = json.dumps({"identity": identity, **plan}, indent=1).encode() + b"\n"
    if not os.path.lexists(file):
        _refuse_others(folder, identity, "holds Parquet files that are no study's")
        _put_first(file, data)
    found = _read_plan(file)
    if found is None:
        _refuse_others(folder, identity, f"has a damaged {PLAN}, and its chunks are of another study")
        _set_aside(file, "is damaged", "a new one is written, since the chunks are of this study")
        _put_first(file, data)
        found = _read_plan(file) or plan
    if other := [name for name in plan | found if found.get(name) != plan.get(name)]:
        raise ValueError(
            f"The folder {folder} holds a study that differs in {', '.join(other)}: give another folder, or "
            "empty this one to begin anew; to go on with it, call it as it was begun."
        )


def _read_plan(file: Path) -> dict[str, Any] | None:
    """The plan, if it is still what was written."""
    if not file.is_file():
        return None
    try:
        plan = json.loads(file.read_bytes())
        return plan if plan.pop("identity") == _identity(plan) else None
    except (ValueError, RecursionError, AttributeError, LookupError, TypeError):
        return None


def _refuse_others(folder: Path, identity: str, reason: str) -> None:
    """A folder without a plan is ours if it has no tables, or one of them carries our seal."""
    tables = _tables(folder)
    seals = (_seal(_end(file)) for file in tables if file.is_file())
    if tables and not any(seal and seal.plan == identity for seal in seals):
        raise ValueError(f"The folder {folder} {reason}: give another folder.")


def _tables(folder: Path) -> list[Path]:
    """What readers of the folder take for its tables."""
    return sorted(file for file in folder.glob("*.parquet") if file.name[0] not in "_.")


def _end(file: Path) -> bytes:
    """Where a Parquet file has its metadata; somebody's own may be too large to be read for that."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - ENOUGH))
        return opened.read(ENOUGH)


# --- chunks: what a file says of itself


class Seal(NamedTuple):
    """Which chunk of which plan a file is, and the checksum it was given."""

    chunk: int
    plan: str
    checksum: str


def _kept(file: Path, index: int, identity: str) -> pd.DataFrame | None:
    """The table of a chunk, if the folder holds it and it is whole."""
    if not os.path.lexists(file):
        return None
    data = file.read_bytes() if file.is_file() else b""
    flaw = _flaw(data, index, identity) if file.is_file() else "is a folder, or no file"
    if not flaw:
        return _table(data)
    _set_aside(file, flaw, "its chunk is computed again")
    return None


def _flaw(data: bytes, index: int, identity: str) -> str:
    """Why a file is not this chunk, in words; empty where it is."""
    seal = _seal(data)
    if seal is None:
        return "is damaged, or no chunk of a study"
    if seal.checksum != _sum(data, seal.checksum):
        return "is damaged"
    if seal.plan != identity:
        return "belongs to another study"
    return "" if seal.chunk == index else f"holds chunk {seal.chunk}"


def _seal(data: bytes) -> Seal | None:
    """The last seal in a file: Parquet has its metadata at the end."""
    if not (found := SEAL.findall(data)):
        return None
    chunk, plan, checksum = (part.decode() for part in found[-1])
    return Seal(int(chunk), plan, checksum)


def _sum(data: bytes, written: str) -> str:
    """The checksum of a file as it was before its checksum was written into it."""
    head, _, tail = data.rpartition(written.encode())
    return hashlib.sha256(head + UNSUMMED.encode() + tail).hexdigest()


def _sealed(table: pd.DataFrame, index: int, identity: str) -> bytes:
    """A table as a Parquet file that has its seal among the metadata."""
    arrow, parquet = (needs(name, "data", "Parquet needs") for name in ("pyarrow", "pyarrow.parquet"))
    rows = arrow.Table.from_pandas(table, preserve_index=False)
    seal = f"chunk {index} of plan {identity}, sha256 {UNSUMMED}"
    rows = rows.replace_schema_metadata({**rows.schema.metadata, "seal": seal})
    parquet.write_table(rows, file := BytesIO())
    head, _, tail = file.getvalue().rpartition(seal.encode())
    summed = hashlib.sha256(file.getvalue()).hexdigest()
    return head + seal.replace(UNSUMMED, summed).encode() + tail


def _table(data: bytes) -> pd.DataFrame:
    """Read by this thread alone: one of Arrow's that asks for Python's lock as the process ends aborts it."""
    arrow, parquet = (needs(name, "data", "Parquet needs") for name in ("pyarrow", "pyarrow.parquet"))
    read = parquet.ParquetFile(arrow.BufferReader(data)).read(use_threads=False)
    table: pd.DataFrame = read.to_pandas(use_threads=False)
    return table


# --- files that are in the way


def _set_aside(file: Path, flaw: str, then: str) -> None:
    """Out of the way of readers, and not deleted: it may be somebody's."""
    aside = file.with_name(f"_aside-{secrets.token_hex(4)}-{file.name}")
    with suppress(FileNotFoundError):  # another writer was here first
        file.replace(aside)
    _warn(f"{file} {flaw}: it is kept as {aside.name}, and {then}.")


def _name_strangers(folder: Path, files: list[Path]) -> None:
    """Tables beside the chunks, which are not read here."""
    if names := [file.name for file in sorted({*_tables(folder)} - {*files})]:
        some = ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")
        _warn(
            f"{folder} also holds {some}, which this study has not made: it leaves them out, but "
            "pd.read_parquet of the folder reads them too; move them away."
        )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=5)


# --- writing


def _put(file: Path, data: bytes) -> None:
    """The file appears whole or not at all, also where several writers have the same one."""
    with _draft(file, data) as draft:
        draft.replace(file)


def _put_first(file: Path, data: bytes) -> None:
    """The file appears whole, unless somebody was first: a name can be linked once."""
    with _draft(file, data) as draft, suppress(FileExistsError):
        try:
            os.link(draft, file)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with file.open("xb") as only:
                only.write(data)


@contextmanager
def _draft(file: Path, data: bytes) -> Iterator[Path]:
    """The data under a name that nobody else uses; gone afterwards."""
    who = f"{_host()}-{os.getpid()}-{threading.get_ident()}-{secrets.token_hex(4)}"
    draft = file.with_name(f"_draft-{who}-{file.name}")
    try:
        draft.write_bytes(data)
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink()


def _host() -> str:
    """This machine in names of files; process numbers mean something on it alone."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _sweep(folder: Path) -> None:
    """Removes drafts that a killed writer left; a complete folder may be one that cannot be written."""
    for draft in folder.glob("_draft-*"):
        with suppress(OSError, ValueError):
            _, host, pid, *_ = draft.name.split("-")
            dead = host == _host() and not _alive(int(pid))
            if dead or time.time() - draft.stat().st_mtime > HOUR:
                draft.unlink()


def _alive(pid: int) -> bool:
    """Whether a process runs here; where asking would end it (Windows), it counts as running."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
