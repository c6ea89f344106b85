"""92 learning curves, each split into a part to fit and a part to extrapolate to."""

from __future__ import annotations

import pandas as pd

from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files

# The benchmark's own home is a very large repository; this one keeps copies of its two files.
COMMIT = "16f23bbe054277ddc4afd07a972dd7cfbe3f48c3"
FOLDER = f"IBM/ColPret/{COMMIT}/aggregated_eval"
ORIGIN = "google-research/google-research at 9853680c781781bd8d3de20aa61c7373ce059913"


def read(files: Files) -> pd.DataFrame:
    paths = files.get([f"{FOLDER}/revisiting_vision.csv", f"{FOLDER}/revisiting_lang.csv"])
    table = pd.concat([pd.read_csv(path) for path in paths.values()], ignore_index=True)
    # Every language-modelling row occurs four times upstream.
    table = table.drop_duplicates(ignore_index=True)
    table["split"] = table.pop("Training").map({1: "fit", 0: "extrapolate"})
    table.columns = ["domain", "task", "model", "seen_examples", "loss", "split"]
    # BIG-Bench tasks are written as tuples upstream: ('date', '1-shot').
    table["task"] = table["task"].str.replace(r"\('(\w+)', '(\d)-shot'\)", r"\1_\2shot", regex=True)
    return table


DATASET = Dataset(
    name="learning_curves",
    what="92 learning curves (images, translation, language modelling, BIG-Bench), split for extrapolation",
    source="https://github.com/IBM/ColPret",
    commit=COMMIT,
    licence="CC BY 4.0",
    citation=(
        "Alabdulmohsin, Neyshabur, Zhai (2022), "
        "Revisiting Neural Scaling Laws in Language and Vision, arXiv:2209.06640"
    ),
    size="1.1 MB",
    tables={
        "curves": Table(
            read=read,
            rows=19595,
            columns={
                "domain": "IC (images), NMT (translation), LM (language modelling) or BB (BIG-Bench)",
                "task": "IC: data set and shots; NMT: log_perplexity; LM: val_loss; BB: task and shots",
                "model": "architecture; for LM and BB the parameter count as text",
                "seen_examples": "IC: images seen; NMT: sentence pairs [examples]; "
                "LM and BB: tokens [tokens]",
                "loss": "IC: error rate; NMT: log-perplexity [nats]; "
                "LM: loss rescaled to [0, 1]; BB: error-like score",
                "split": "fit (first half of the curve) or extrapolate",
            },
        )
    },
    notes=(
        f"The two files are copies of {ORIGIN} (folder revisiting_neural_scaling_laws/data).",
        "Exact duplicate rows are dropped (20282 rows upstream).",
        "The three smallest LM models were rescaled differently and do not reproduce the printed results.",
    ),
)
