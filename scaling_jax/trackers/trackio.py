"""A Trackio project: its runs, out of the database that Trackio keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scaling_jax.core.optional import needs
from scaling_jax.trackers.tidy import Logged, flat

__all__ = ["trackio_runs"]


def trackio_runs(project: str | Path) -> Iterator[Logged]:
    """The runs of a project, by its name or by its database.

    Raises:
        ValueError: for a database outside Trackio's own folder, or a project that is not there.
    """
    trackio = needs("trackio", "trackers", "Reading a Trackio project needs")
    store = needs("trackio.sqlite_storage", "trackers", "Reading a Trackio project needs").SQLiteStorage
    name = project.stem if isinstance(project, Path) else project
    own = Path(store.get_project_db_path(name))
    if isinstance(project, Path) and project.resolve() != own.resolve():
        raise ValueError(
            f"Trackio looks for its databases in {own.parent}: set TRACKIO_DIR={project.resolve().parent} "
            "before Python starts."
        )
    if not own.is_file():
        raise ValueError(f"Trackio has no project '{name}' in {own.parent}.")
    for run in trackio.Api().runs(name):
        config = {key: value for key, value in flat(run.config or {}).items() if not key.startswith("_")}
        yield Logged(run.name, store.get_logs(name, run_id=run.id), config, str(run.id))
