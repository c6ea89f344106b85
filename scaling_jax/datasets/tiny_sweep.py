"""Our own sweep of small byte-level transformers, which ships with the package."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files

FILE = "tiny_sweep.csv.gz"


def read(files: Files) -> pd.DataFrame:
    del files  # nothing to fetch
    source = resources.files("scaling_jax") / "_data" / FILE
    if not source.is_file():
        raise FileNotFoundError(
            f"The file scaling_jax/_data/{FILE} is missing from this installation: "
            "reinstall scaling_jax, or run benchmarks/sweep."
        )
    with source.open("rb") as stream:
        return pd.read_csv(stream, compression="gzip")


DATASET = Dataset(
    name="tiny_sweep",
    what="our own sweep of small byte-level transformers, "
    "with checkpoints, seeds, repeated data and transfer",
    source="scaling_jax, benchmarks/sweep",
    commit="ships with the package",
    licence="Apache-2.0",
    citation="scaling_jax",
    size="ships with the package",
    tables={
        "checkpoints": Table(
            read=read,
            rows=1751,
            columns={
                "run": "training run; rows that share it are its checkpoints",
                "arm": "part of the sweep the run belongs to",
                "n_params": "all parameters [parameters]",
                "n_params_nonemb": "parameters without embeddings [parameters]",
                "tokens": "training tokens so far; a token is a byte [tokens]",
                "unique_tokens": "distinct training tokens available to the run [tokens]",
                "flops": "6 n_params tokens [FLOP]",
                "flops_exact": "compute counted layer by layer [FLOP]",
                "loss": "held-out validation loss [nats/byte]",
                "loss_se": "standard error of loss over the validation text, not run noise [nats/byte]",
                "seed": "seed of initialisation and data order",
                "lr": "peak learning rate",
                "batch": "batch [tokens or sequences, see the dataset card]",
                "budget": "planned compute of the run [FLOP]",
                "step": "update",
                "final": "last checkpoint of its run",
                "schedule": "learning-rate schedule",
                "decayed": "the learning rate had been decayed at this checkpoint",
                "pretrain_tokens": "transfer arm: tokens of pre-training [tokens]",
                "finetune_tokens": "transfer arm: distinct tokens of the second distribution [tokens]",
                "width": "model width",
                "depth": "layers",
                "device": "hardware the run was trained on",
            },
        )
    },
    notes=(
        "Rows with decayed == False come from the middle of a schedule: "
        "they are not fully trained D-token runs.",
    ),
)
