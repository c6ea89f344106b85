"""From log to table: the columns that ship, in a fixed order, as the same bytes for the same rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd

# fmt: off
COLUMNS = [
    "run", "arm", "n_params", "n_params_nonemb", "tokens", "unique_tokens", "flops", "flops_exact", "loss",
    "loss_se", "seed", "lr", "batch", "budget", "step", "final", "schedule", "decayed", "pretrain_tokens",
    "finetune_tokens", "width", "depth", "device",
]
# fmt: on
ARMS = ["main", "cosine", "repeat", "transfer", "lr"]


def tidy(rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows)[COLUMNS]
    by_arm = table["arm"].map(ARMS.index)
    keys = ["_arm", "width", "pretrain_tokens", "seed", "run", "tokens", "final"]
    return table.assign(_arm=by_arm).sort_values(keys)[COLUMNS].reset_index(drop=True)


def write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.10g")
    # no time stamp and no file name in the header, so that equal tables are equal files
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as file:
        file.write(text.encode())
