"""Loss trajectories of many published pre-training runs in one table, as one study fitted them."""

from __future__ import annotations

import warnings

import pandas as pd

from scaling_jax.datasets import _pythia
from scaling_jax.datasets._catalog import Dataset, Table
from scaling_jax.datasets._fetch import Files
from scaling_jax.datasets._hitchhikers_sources import SOURCES, pythia

COMMIT = "16f23bbe054277ddc4afd07a972dd7cfbe3f48c3"
FOLDER = f"IBM/ColPret/{COMMIT}"
ROWS = 75_183


def read(files: Files) -> pd.DataFrame:
    names = {source: [f"{FOLDER}/{path}" for path in paths] for source, (paths, _) in SOURCES.items()}
    local = files.get(name for group in names.values() for name in group)
    tables = {s: SOURCES[s][1](*(local[n] for n in names[s])).assign(source=s) for s in SOURCES}
    missing, missing_rows = [], 0
    try:
        evaluations = _pythia.read(files)
    except (ConnectionError, ImportError, _pythia.Unverified) as error:
        missing.append(f"pythia ({_pythia.ROWS_WITH_LOSS:,} rows, 65 models): {error}")
        missing_rows = _pythia.ROWS_WITH_LOSS
        warnings.warn(f"Data set 'hitchhikers' comes without Pythia: {error}", stacklevel=4)
    else:
        tables["pythia"] = pythia(evaluations).assign(source="pythia")
        if len(evaluations) != _pythia.ROWS:
            missing.append(
                f"pythia: {len(evaluations):,} of {_pythia.ROWS:,} evaluation files were read; "
                "those with a perplexity are complete and verified"
            )
    table = pd.concat(tables.values(), ignore_index=True)[list(COLUMNS)]
    table = table.sort_values(
        ["source", "family", "n_params", "model", "tokens_seen"], ignore_index=True, kind="stable"
    )
    table.attrs = {"missing": missing, "missing_rows": missing_rows}
    return table


COLUMNS = {
    "source": "study the rows come from; never compare `loss` between sources",
    "family": "models of one recipe that differ in size (the study's scaled set); "
    "missing: not used as a family",
    "model": "model name",
    "model_type": "the study's model type",
    "arch": "dec, enc-dec or ssm; missing where unknown",
    "dataset": "training data",
    "seed": "always 0, not informative",
    "n_params": "parameters, by each source's own convention; 0 where unknown [parameters]",
    "tokens_seen": "tokens trained on so far (revisiting's translation models: sentence pairs) [tokens]",
    "unique_tokens": "tokens in one epoch, mostly missing [tokens]",
    "epochs": "datablations: epochs of the whole run; elsewhere epochs so far",
    "flops": "training compute as the source gives it, else 6ND [FLOP]",
    "flops_is_6nd": "flops equals 6ND",
    "loss": "the number the study fits [see loss_unit]",
    "loss_unit": "nats (per token), log2_perplexity (bits per token) or perplexity (not a logarithm)",
    "n_loss_columns": "how many loss columns of the source were averaged",
    "loss_columns": "their names, separated by |",
}

DATASET = Dataset(
    name="hitchhikers",
    what="75,183 checkpoints of 420 published pre-training runs from 11 sources, "
    "as one study of 1000 laws fitted them",
    source="https://github.com/IBM/ColPret",
    commit=COMMIT,
    licence="MIT (the collection; the runs belong to their authors)",
    citation=(
        "Choshen, Zhang, Andreas (2025), A Hitchhiker's Guide to Scaling Law Estimation, ICML 2025, PMLR "
        "267:10683-10699, arXiv:2410.11840; and the authors of the runs used"
    ),
    size="9 MB, and the archive of EleutherAI/pythia",
    tables={"checkpoints": Table(read=read, rows=ROWS, columns=COLUMNS)},
    missing=(
        "data_mixing (240 rows, 12 models): "
        "upstream keeps it as Python pickles, which can run code when read",
        "over-training and LLaMA/StripedHyena curves (149 models): "
        "absent upstream, exist only inside figures",
        "Amber (1 model): absent upstream",
    ),
    notes=(
        "Pythia is aggregated from EleutherAI/pythia's evaluations, "
        "as the study's own aggregate is absent upstream.",
        "LLM360 Mamba is read once; the study reads it twice.",
        "datablations: the source's flops fall as tokens grow within a run; "
        "use 6 * n_params * tokens_seen instead.",
        "training_trajectories (OPT): flops is log10 upstream and FLOP here; its loss is a perplexity.",
    ),
)
