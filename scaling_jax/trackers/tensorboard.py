"""TensorBoard's event folders: every folder with event files is a run, configured by its hyper-parameters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scaling_jax.core.optional import needs
from scaling_jax.trackers.tidy import Logged

__all__ = ["EVENTS", "tensorboard_runs"]

EVENTS = "events.out.tfevents*"
WHAT = "Reading TensorBoard's events needs"
EVERYTHING = {"scalars": 0, "tensors": 0}
HPARAMS = "hparams"


def tensorboard_runs(folder: Path) -> Iterator[Logged]:
    """The runs of a log folder."""
    reader = needs(
        "tensorboard.backend.event_processing.event_accumulator", "trackers", WHAT
    ).EventAccumulator
    for place in sorted({file.parent for file in folder.rglob(EVENTS)}):
        events = reader(str(place), size_guidance=EVERYTHING)
        events.Reload()
        name = place.relative_to(folder).as_posix()
        yield Logged(folder.name if name == "." else name, _rows(events), _config(events))


def _rows(events: Any) -> Iterator[dict[str, object]]:
    tags = events.Tags()
    for tag in tags["scalars"]:
        yield from ({"step": one.step, tag: one.value} for one in events.Scalars(tag))
    numbers = needs("tensorboard.util.tensor_util", "trackers", WHAT).make_ndarray
    for tag in tags["tensors"]:  # TensorFlow 2 and newer writers keep scalars as tensors
        for one in events.Tensors(tag):
            value = np.asarray(numbers(one.tensor_proto))
            if value.ndim == 0 and value.dtype.kind in "fiu":
                yield {"step": one.step, tag: float(value)}


def _config(events: Any) -> dict[str, object]:
    """What the hyper-parameter plugin wrote at the start of the session."""
    read = needs("tensorboard.plugins.hparams.plugin_data_pb2", "trackers", WHAT).HParamsPluginData
    said: dict[str, object] = {}
    try:
        contents = events.PluginTagToContent(HPARAMS).values()
    except KeyError:  # none were written
        return said
    for content in contents:
        for name, value in read.FromString(content).session_start_info.hparams.items():
            kind = value.WhichOneof("kind")
            if kind in ("number_value", "string_value", "bool_value"):
                said[name] = getattr(value, kind)
    return said
