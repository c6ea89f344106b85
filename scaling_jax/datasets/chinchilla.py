"""The runs behind Figure 4 of Hoffmann et al. 2022, read back from the published vector figure."""

from __future__ import annotations

import pandas as pd

from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files

COMMIT = "92258837425e1b5f2851d624287f0120583a3d0e"
FILE = f"epoch-research/analyzing-chinchilla/{COMMIT}/data/svg_extracted_data.csv"


def read(files: Files) -> pd.DataFrame:
    raw = pd.read_csv(files.one(FILE))
    table = raw[["Model Size", "Training FLOP", "loss"]].set_axis(["n_params", "flops", "loss"], axis=1)
    # The figure has no axis for tokens; the source's own analysis derives them this way too.
    table.insert(1, "tokens", table["flops"] / (6 * table["n_params"]))
    return table


DATASET = Dataset(
    name="chinchilla_replication",
    what="245 language models behind Figure 4 of Hoffmann et al. 2022, digitised by Epoch AI",
    source="https://github.com/epoch-research/analyzing-chinchilla",
    commit=COMMIT,
    licence="none stated; attribute Besiroglu et al. 2024 and Hoffmann et al. 2022",
    citation=(
        "Besiroglu, Erdil, Barnett, You (2024), Chinchilla Scaling: A replication attempt, arXiv:2404.10102; "
        "Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, arXiv:2203.15556"
    ),
    size="23 kB",
    tables={
        "runs": Table(
            read=read,
            rows=245,
            columns={
                "n_params": "model size N with embeddings, read from the figure [parameters]",
                "tokens": "training tokens D = flops / (6 n_params) [tokens]",
                "flops": "training compute C, read from the figure [FLOP]",
                "loss": "final training loss, decoded from the colour of the point [nats/token]",
            },
        )
    },
    notes=(
        "The published replication drops the five highest losses (rows 0-4) and fits the remaining 240 rows.",
        "Loss is quantised by the colour map: 99 distinct values, steps of about 0.01.",
    ),
)
