"""Test loss of 30 pre-trained models against the number of examples they were fine-tuned on."""

from __future__ import annotations

import pandas as pd

from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files

COMMIT = "5214568013af65e3cefd03860ecd7bc9358b308c"
FOLDER = f"linhaowei1/Fine-tuning-Scaling-Law/{COMMIT}/benchmark"
TASKS = ("flan", "gigaword", "wmt19")


def read(files: Files) -> pd.DataFrame:
    paths = files.get(f"{FOLDER}/{task}.csv" for task in TASKS).values()
    curves = [_long(pd.read_csv(path), task) for task, path in zip(TASKS, paths, strict=True)]
    return pd.concat(curves, ignore_index=True)


def _long(wide: pd.DataFrame, task: str) -> pd.DataFrame:
    names = {"config name": "model", "size": "n_params"}
    keys = ["model", "family", "n_params"]
    wide = wide.rename(columns=names)
    long = wide.melt(id_vars=keys, var_name="train_size", value_name="test_loss", ignore_index=False)
    # melt goes column by column; a curve belongs together. The index still names the row it came from.
    long = long.astype({"train_size": "int64"}).rename_axis("row").sort_values(["row", "train_size"])
    long.insert(0, "dataset", task)
    return long.reset_index(drop=True)


DATASET = Dataset(
    name="finetuning",
    what="fine-tuning curves of 30 models on 3 tasks, 0 to 1.6 million examples",
    source="https://github.com/linhaowei1/Fine-tuning-Scaling-Law",
    commit=COMMIT,
    licence="Apache-2.0",
    citation=(
        "Lin et al. (2024), "
        "Selecting Large Language Model to Fine-tune via Rectified Scaling Law, arXiv:2402.02314"
    ),
    size="20 kB",
    tables={
        "curves": Table(
            read=read,
            rows=1350,
            columns={
                "dataset": "task: flan, gigaword or wmt19",
                "model": "Hugging Face model name",
                "family": "the source's family label",
                "n_params": "model size [parameters]",
                "train_size": "fine-tuning examples: 0 (zero-shot) or 200 * 2**k [examples]",
                "test_loss": "cross-entropy on the test set [nats/token]",
            },
        )
    },
    notes=(
        "wmt19/gpt2-xl repeats the 204800 value at 409600; wmt19/opt-350m has equal values at 400 and 800.",
        "No seeds and no error bars; some stretches of curves are evenly spaced as if interpolated.",
    ),
)
