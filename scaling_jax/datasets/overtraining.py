"""104 language models trained on 5 to 640 tokens per parameter, with losses and downstream errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files, registry

Json = dict[str, Any]

COMMIT = "a003c4913793ac2ae7ef87b28ecb562955d026d5"
FOLDER = f"mlfoundations/scaling/{COMMIT}/exp_data"
MODEL_FOLDER = f"{FOLDER}/models/"

TRAINING_SETS = {"c4_original": "c4", "rpj": "redpajama", "rw_original": "refinedweb"}
# Validation sets as they occur in the source's paths, and what they are called here.
VALIDATION_SETS = {
    "openlm": "openlm",
    "c4_val": "c4_eval",
    "paloma_c4_en": "paloma_c4_en",
    "paloma_dolma_100_programing_languages": "paloma_100_pls",
    "paloma_falcon-refinedweb": "paloma_refinedweb",
    "paloma_ptb": "paloma_ptb",
    "paloma_redpajama": "paloma_redpajama",
    "de-en": "c4_german",
}
SMALL = ("d=96_l=8_h=4", "d=512_l=8_h=4", "d=576_l=24_h=8", "d=1024_l=24_h=8")
SUBSET_MODEL = "d=576_l=24_h=8"


def read_models(files: Files) -> pd.DataFrame:
    names = sorted(Path(n).stem for n in registry() if n.startswith(MODEL_FOLDER))
    runs = files.get(f"{MODEL_FOLDER}{name}.json" for name in names)
    evaluations = files.get(f"{FOLDER}/evals/evaluation_{name}_heavy.json" for name in names)
    pairs = zip(runs.values(), evaluations.values(), strict=True)
    table = pd.DataFrame([_run(_json(run)) | _errors(_json(scores)) for run, scores in pairs])
    subset = [f"err_{task}" for task in _subset(table, read_metadata(files))]
    tasks = [f"err_{task}" for task in _tasks(table)]
    first = list(table.columns).index(tasks[0])
    table.insert(first, "err_avg_46", table[tasks].mean(axis=1))
    table.insert(first + 1, "err_avg_17", table[subset].mean(axis=1))
    return table.sort_values(["dataset", "n_params", "token_multiplier"], ignore_index=True)


def read_tasks(files: Files) -> pd.DataFrame:
    metadata = read_metadata(files)
    models = read_models(files)
    table = metadata.loc[_tasks(models)].rename_axis("task").reset_index()
    table["in_17_subset"] = table["task"].isin(_subset(models, metadata))
    return table


def read_metadata(files: Files) -> pd.DataFrame:
    """Category, type, shots, examples and chance accuracy per task."""
    raw = pd.read_csv(files.one(f"{FOLDER}/eval_metadata.csv"), index_col="Eval Task")
    table = raw[["Task Category", "Task Type", "#shots", "#datapoints"]].copy()
    table.columns = ["category", "type", "n_shots", "n_examples"]
    table["random_baseline_acc"] = raw["Random baseline"] / 100
    return table


def read_grid(files: Files) -> pd.DataFrame:
    losses = _json(files.one(f"{FOLDER}/grid.json"))
    table = pd.DataFrame([_settings(key) for key in losses])
    table["n_params_from_tokens"] = table["tokens"] / 20
    table["loss_openlm"] = list(losses.values())
    return table


def _settings(key: str) -> dict[str, float]:
    """One run of the sweep from its name, `d=1024_l=12_h=16-64-0.003-0.033-64-5149020160-100-3e-05`."""
    # The last field may hold a minus sign of its own, hence the limit.
    shape, batch, lr, wd, _, tokens, warmup, cooldown = key.split("-", 7)
    width, layers, heads = (int(part) for part in re.findall(r"\d+", shape))
    return {
        "d_model": width,
        "n_layers": layers,
        "n_heads": heads,
        "batch_field": int(batch),
        "lr": float(lr),
        "wd": float(wd),
        "tokens": int(tokens),
        "warmup_steps": int(warmup),
        "lr_cooldown_end": float(cooldown),
    }


def _run(record: Json) -> Json:
    """Settings and losses of one model."""
    settings = record["hyperparameters"]
    model = Path(settings["model"]).stem
    multiplier = 20 * settings["chinchilla_multiplier"]
    # The paper fits losses of four small models at M = 20 and the smallest at 320; errors need one more.
    in_loss_fit = (model in SMALL and multiplier == 20) or (model == SMALL[0] and multiplier == 320)
    row = {
        "name": record["name"],
        "dataset": TRAINING_SETS[record["dataset_name"]],
        "model": model,
        "n_params": settings["params"],
        "n_params_non_embed": settings["params_no_embed"],
        "tokens": settings["tokens"],
        "token_multiplier": int(multiplier),
        "flops_6nd": 6.0 * settings["params"] * settings["tokens"],
        "fit_loss_default": in_loss_fit,
        "fit_error_default": in_loss_fit or (model == "open_lm_1b" and multiplier == 20),
        "warmup_steps": settings["warmup"],
        "lr": settings["lr"],
        "wd": settings["wd"],
        "lr_cooldown_end": settings["cd"],
        "global_bs": settings["global_bs"],
        "seed": settings.get("seed", float("nan")),
    }
    for result in record["results"]:
        label = VALIDATION_SETS[Path(result["val_data"][0]).parent.name]
        row[f"loss_{label}"] = result["loss"]
        row[f"loss_lo95_{label}"] = result["loss_sequences_lower_95"]
        row[f"loss_hi95_{label}"] = result["loss_sequences_upper_95"]
    return row


def _errors(record: Json) -> dict[str, float]:
    return {f"err_{task}": 1 - accuracy for task, accuracy in record["eval_metrics"]["icl"].items()}


def _subset(models: pd.DataFrame, metadata: pd.DataFrame) -> list[str]:
    """The paper's 17 tasks: at least one model of 0.154e9 parameters beats chance by ten points."""
    small = models[models["model"] == SUBSET_MODEL]
    chance = metadata["random_baseline_acc"]
    return [t for t in _tasks(models) if 1 - small[f"err_{t}"].min() > chance[t] + 0.1]


def _tasks(models: pd.DataFrame) -> list[str]:
    """Names of the tasks whose errors are columns, averages aside."""
    errors = [c for c in models.columns if c.startswith("err_") and not c.startswith("err_avg_")]
    return [c.removeprefix("err_") for c in errors]


def _json(path: Path) -> Json:
    return json.loads(path.read_text(encoding="utf-8"))


DATASET = Dataset(
    name="overtraining",
    what="104 models (0.011e9 to 6.9e9 parameters, 5 to 640 tokens per parameter) "
    "with losses and 46 task errors",
    source="https://github.com/mlfoundations/scaling",
    commit=COMMIT,
    licence="MIT",
    citation=(
        "Gadre et al. (2024), "
        "Language models scale reliably with over-training and on downstream tasks, arXiv:2403.08540"
    ),
    size="1.1 MB in 210 files",
    tables={
        "models": Table(
            read=read_models,
            rows=104,
            columns={
                "name": "run id",
                "dataset": "training set: c4, redpajama or refinedweb",
                "model": "architecture",
                "n_params": "all parameters, both embedding matrices included: the paper's N [parameters]",
                "n_params_non_embed": "the source's own field: "
                "N less ONE of the two embedding matrices [parameters]",
                "tokens": "training tokens D, no repetition [tokens]",
                "token_multiplier": "M = D/N [tokens/parameter]",
                "flops_6nd": "6ND [FLOP]",
                "fit_loss_default": "used by the paper's loss fit",
                "fit_error_default": "used by the paper's error fit",
                "warmup_steps": "warm-up [steps]",
                "lr": "peak learning rate",
                "wd": "weight decay",
                "lr_cooldown_end": "final learning rate",
                "global_bs": "batch [sequences of 2048 tokens]",
                "seed": "seed; missing means the trainer's default",
                "loss_*": "validation loss; "
                "lo95 and hi95: 95% bootstrap over sequences, not run noise [nats/token]",
                "err_avg_46": "mean top-1 error over all 46 tasks [fraction]",
                "err_avg_17": "mean top-1 error over the paper's 17 tasks [fraction]",
                "err_*": "1 - accuracy of the task, not chance-corrected [fraction]",
            },
        ),
        "grid_search": Table(
            read=read_grid,
            rows=435,
            columns={
                "d_model": "width",
                "n_layers": "layers",
                "n_heads": "heads",
                "batch_field": "batch as encoded in the run name, probably per GPU [sequences]",
                "lr": "peak learning rate",
                "wd": "weight decay",
                "tokens": "training tokens, 20 per parameter [tokens]",
                "warmup_steps": "warm-up [steps]",
                "lr_cooldown_end": "final learning rate",
                "n_params_from_tokens": "tokens / 20, approximate [parameters]",
                "loss_openlm": "validation loss on the trainer's own text [nats/token]",
            },
        ),
        "tasks": Table(
            read=read_tasks,
            rows=46,
            columns={
                "task": "task; the column err_TASK of the models table",
                "category": "task category",
                "type": "task type",
                "n_shots": "examples in the prompt",
                "n_examples": "test examples",
                "random_baseline_acc": "accuracy of guessing [fraction]",
                "in_17_subset": "one of the paper's 17 tasks",
            },
        ),
    },
    notes=(
        "Runs at M = 5 lie above the trend; hyper-parameters were tuned at M = 20 only; batch varies with N.",
        "True non-embedding size is n_params - 2 * 50432 * width.",
    ),
)
