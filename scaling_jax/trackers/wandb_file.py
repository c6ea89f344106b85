"""Weights & Biases' run files, as offline runs leave them: LevelDB's log of protocol messages.

The log is cut into blocks of 32 KB; a record is a checksum, a length, a kind, and its bytes, and one that
meets the end of a block goes on in the next. The messages are those of the wandb package.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scaling_jax.core.optional import needs
from scaling_jax.trackers.tidy import Logged, flat

__all__ = ["FILES", "wandb_file_runs"]

FILES = "run-*.wandb"
BLOCK, HEAD, START = 32768, struct.Struct("<IHB"), b":W&B"
WHOLE, FIRST, LAST = 1, 2, 4


def wandb_file_runs(folder: Path) -> Iterator[Logged]:
    """The runs whose files stand under a folder."""
    for file in sorted(folder.rglob(FILES)):
        yield _run(file)


def _run(file: Path) -> Logged:
    message = needs("wandb.proto.wandb_internal_pb2", "trackers", "Reading Weights & Biases needs").Record
    key = name = file.stem.removeprefix("run-")
    config: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for data in records(file):
        record = message.FromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            name = record.run.display_name or name
            config |= _items(record.run.config.update)
        elif kind == "config":
            config |= _items(record.config.update)
        elif kind == "history":
            row = _items(record.history.item)
            rows.append({**row, "step": row.get("_step", record.history.step.num)})
    shown = [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]
    settings = {k: v for k, v in flat(config).items() if not k.startswith("_wandb")}
    return Logged(name, shown, settings, key)


def records(file: Path) -> Iterator[bytes]:
    """The records of a log, as far as they are whole: a run that was killed ends in the middle of one."""
    data = file.read_bytes()
    if not data.startswith(START):
        raise ValueError(f"{file} is no run file of Weights & Biases.")
    at, parts = 7, b""
    while at + HEAD.size <= len(data):
        if (left := BLOCK - at % BLOCK) < HEAD.size:
            at += left
            continue
        checksum, length, kind = HEAD.unpack_from(data, at)
        body = data[at + HEAD.size : at + HEAD.size + length]
        if len(body) < length or zlib.crc32(bytes([kind]) + body) != checksum:
            return
        parts = body if kind in (WHOLE, FIRST) else parts + body
        if kind in (WHOLE, LAST):
            yield parts
        at += HEAD.size + length


def _items(items: Any) -> dict[str, Any]:
    """Keys, nested ones with points between, and their values."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
