"""A Weights & Biases project through its client: whole histories, not the samples that its pages show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scaling_jax.core.optional import needs
from scaling_jax.core.progress import progress_bar
from scaling_jax.trackers.tidy import Logged, flat

__all__ = ["wandb_project_runs"]

FINISHED = ("finished", "crashed", "failed", "killed")


def wandb_project_runs(project: str, keep: Path | None = None) -> Iterator[Logged]:
    """The runs of "ENTITY/PROJECT".

    Args:
        project: its path.
        keep: a folder for the histories of runs that have ended: one that stands there is not asked for
            again, so that a reading that broke off goes on.
    """
    runs = needs("wandb", "trackers", "Reading Weights & Biases needs").Api().runs(project)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    total = len(runs)
    with progress_bar(1, "reading", "run") as progress:
        for done, run in enumerate(runs, start=1):
            config = flat({k: v for k, v in run.config.items() if not k.startswith("_")})
            yield Logged(run.name or run.id, _history(run, keep), {**config, "state": run.state}, run.id)
            progress(done, total)


def _history(run: Any, keep: Path | None) -> list[dict[str, Any]]:
    file = None if keep is None else keep / f"{run.id}.json"
    if file is not None and file.is_file():
        return list(json.loads(file.read_text(encoding="utf-8")))
    rows = [
        {**{k: v for k, v in row.items() if not k.startswith("_")}, "step": row.get("_step")}
        for row in run.scan_history()
    ]
    if file is not None and run.state in FINISHED:
        half = file.with_suffix(".half")
        half.write_text(json.dumps(rows, default=str), encoding="utf-8")
        half.replace(file)
    return rows
