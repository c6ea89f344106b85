"""An MLflow store, a folder, a database or a server: all runs of all its experiments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scaling_jax.core.optional import needs
from scaling_jax.trackers.tidy import Logged

__all__ = ["mlflow_runs"]

PAGE = 1000


def mlflow_runs(store: str) -> Iterator[Logged]:
    """The runs of a store, by its tracking address."""
    client = needs("mlflow", "trackers", "Reading an MLflow store needs").MlflowClient(store)
    names = {one.experiment_id: one.name for one in client.search_experiments()}
    for run in _all_runs(client, list(names)):
        info = run.info
        config = {**run.data.params, "experiment": names[info.experiment_id], "status": info.status}
        yield Logged(info.run_name or info.run_id, _rows(client, run), config, info.run_id)


def _rows(client: Any, run: Any) -> Iterator[dict[str, object]]:
    for name in run.data.metrics:
        yield from ({"step": m.step, name: m.value} for m in client.get_metric_history(run.info.run_id, name))


def _all_runs(client: Any, experiments: list[str]) -> Iterator[Any]:
    """Runs of all pages, the oldest first."""
    token = None
    while True:
        page = client.search_runs(
            experiments, max_results=PAGE, page_token=token, order_by=["attributes.start_time ASC"]
        )
        yield from page
        token = page.token
        if not token:
            return
