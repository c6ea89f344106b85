"""The Hugging Face Trainer's state files: plain JSON that every checkpoint has; the last of a run is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scaling_jax.trackers.tidy import Logged

__all__ = ["STATE", "trainer_runs"]

STATE = "trainer_state.json"
CHECKPOINT = "checkpoint-"
SETTINGS = ("max_steps", "num_train_epochs", "train_batch_size", "num_input_tokens_seen", "total_flos")


def trainer_runs(folder: Path) -> Iterator[Logged]:
    """The runs under a folder: every folder that holds a state or checkpoints with states."""
    states: dict[Path, dict[str, Any]] = {}
    for file in sorted(folder.rglob(STATE)):
        place = file.parent.parent if file.parent.name.startswith(CHECKPOINT) else file.parent
        state = _read(file)
        if place not in states or state.get("global_step", 0) >= states[place].get("global_step", 0):
            states[place] = state
    for place, state in states.items():
        name = place.relative_to(folder).as_posix()
        config = {key: state[key] for key in SETTINGS if key in state}
        yield Logged(folder.name if name == "." else name, state.get("log_history", []), config)


def _read(file: Path) -> dict[str, Any]:
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is no state of a Trainer ({error}): is it whole?") from error
    if not isinstance(state, dict) or not isinstance(state.get("log_history", []), list):
        raise ValueError(f"{file} is no state of a Trainer: it has no log_history.")
    return state
