"""Stores of twenty runs, each written by the tracker's own package in a process of its own.

python -m tests.trackers.stores TRACKER FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

RUNS, STEPS = 20, 4


def size(i: int) -> int:
    return 1000 * (i + 1)


def loss(i: int, step: int) -> float:
    return 1.5 + 30 / size(i) ** 0.3 + 5 / (step + 1) ** 0.5


def tensorboard(folder: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import summary_v2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for i in range(RUNS):
        writer = EventFileWriter(str(folder / f"run{i}"))
        writer.add_event(Event(summary=summary_v2.hparams_pb({"n_params": size(i)})))
        for step in range(STEPS):
            value = Summary.Value(tag="val/loss", simple_value=loss(i, step))
            writer.add_event(Event(step=step, summary=Summary(value=[value])))
        writer.close()


def mlflow(folder: Path) -> None:
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    import mlflow

    client = mlflow.MlflowClient(folder.as_uri())
    sweep = client.create_experiment("sweep")
    for i in range(RUNS):
        run = client.create_run(sweep, run_name=f"run{i}").info.run_id
        client.log_param(run, "n_params", size(i))
        for step in range(STEPS):
            client.log_metric(run, "val/loss", loss(i, step), step=step)


def trackio(folder: Path) -> None:
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio

    for i in range(RUNS):
        run = trackio.init(project="sweep", name=f"run{i}", config={"n_params": size(i)}, auto_log_gpu=False)
        for step in range(STEPS):
            run.log({"val/loss": loss(i, step)}, step=step)
        run.finish()


def wandb(folder: Path) -> None:
    os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    import wandb

    for i in range(RUNS):
        config = {"n_params": size(i), "opt": {"lr": 1e-3}}
        run = wandb.init(project="sweep", name=f"run{i}", dir=str(folder), config=config, reinit=True)
        for step in range(STEPS):
            run.log({"val/loss": loss(i, step)}, step=step)
        run.finish()


def trainer(folder: Path) -> None:
    """As `transformers.TrainerState.save_to_json` writes it."""
    for i in range(RUNS):
        for last in range(1, STEPS + 1):
            place = folder / f"run{i}" / f"checkpoint-{last}"
            place.mkdir(parents=True)
            log = [{"epoch": 0.1 * step, "val/loss": loss(i, step), "step": step} for step in range(last)]
            state = {"global_step": last, "max_steps": STEPS, "n_params": size(i), "log_history": log}
            (place / "trainer_state.json").write_text(json.dumps(state))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    globals()[sys.argv[1]](Path(sys.argv[2]))
