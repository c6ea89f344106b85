"""Every source of the Hitchhiker's study, turned into the same columns, one row per checkpoint.

What the study calls the loss of a checkpoint is the mean of that row's loss columns, where a perplexity
enters as its base-2 logarithm: units differ between sources. Rows without a loss, and those before any
training, are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.datasets import _pythia

__all__ = ["SOURCES", "pythia"]

UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
NATS, BITS, PERPLEXITY = "nats", "log2_perplexity", "perplexity"
# Model sizes of Brown et al. 2020, Table 2.1, under the names of the digitised curves.
GPT3 = {
    "small": ("GPT-3 Small", 125e6),
    "medium": ("GPT-3 Medium", 350e6),
    "large": ("GPT-3 Large", 760e6),
    "xl": ("GPT-3 XL", 1.3e9),
    "2.7b": ("GPT-3 2.7B", 2.7e9),
    "6.7b": ("GPT-3 6.7B", 6.7e9),
    "13b": ("GPT-3 13B", 13e9),
    "175b": ("GPT-3 175B or “GPT-3”", 175e9),
}
# Encoder and decoder together, as the checkpoints hold them.
T5_SIZES = {"base": 247_586_304, "large": 783_173_632, "xl": 2_849_804_288, "xxl": 11_135_426_560}


def chinchilla(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    # Digitised sizes scatter; the study takes them to 1e7 so that runs of one size count as one model.
    size = ((raw["Model Size"] // 1 / 1e7).round() * 1e7).astype("int64")
    return _checkpoints(
        raw["loss"],
        unit=NATS,
        loss_columns="loss",
        family="chinchilla",
        model="chin" + size.astype(str),
        model_type="Gopher",
        arch="dec",
        dataset="MassiveText",
        n_params=size,
        tokens_seen=raw["Training FLOP"] / 6 / size,
    )


def datablations(repetition: Path, contour: Path) -> pd.DataFrame:
    # A third file (code mixtures) never has both of its loss columns and drops out by the study's rule.
    runs, grid = pd.read_csv(repetition), pd.read_csv(contour)
    size = runs["num_params"].map(_number)
    setting = runs["data"] + "-" + runs["epochs"].map(_short)
    repeated = _checkpoints(
        runs["loss"],
        unit=NATS,
        loss_columns="loss",
        family="GPT2-" + setting,
        model="GPT2-" + size.map(_short) + "-" + setting,
        **_datablations_columns(runs),
    )
    single = _checkpoints(
        grid["openLM_loss"],
        unit=NATS,
        loss_columns="openLM_loss",
        family=None,
        model="GPT2-" + grid["model_args"].str.extract(r"'name': '(.*)'")[0],
        **_datablations_columns(grid),
    )
    return pd.concat([repeated, single], ignore_index=True)


def _datablations_columns(raw: pd.DataFrame) -> dict[str, Any]:
    return {
        "model_type": "GPT2",
        "arch": "dec",
        "dataset": raw["data"],
        "n_params": raw["num_params"].map(_number),
        "tokens_seen": raw["token_num"],
        "unique_tokens": raw["tokens_per_epoch"],
        "epochs": raw["epochs"],
        "flops": raw["flops"],
    }


def gpt3(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    return _checkpoints(
        raw["val_loss"],
        unit=NATS,
        loss_columns="val_loss",
        family="gpt3",
        model=raw["model"].str.lower().map({key: name for key, (name, _) in GPT3.items()}),
        model_type="gpt3",
        arch="dec",
        dataset="gpt3",
        n_params=raw["model"].str.lower().map({key: size for key, (_, size) in GPT3.items()}),
        tokens_seen=raw["step"] * 1e9,
    )


def k2(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    return _checkpoints(
        raw["k2 training - lm loss"],
        unit=NATS,
        loss_columns="k2 training - lm loss",
        family=None,
        model=raw["model_name"],
        model_type=raw["model_type"],
        arch="dec",
        dataset=raw["data"],
        n_params=65e9,
        tokens_seen=raw["tokens_seen"],
        unique_tokens=1.4e12,
        epochs=raw["tokens_seen"] / 1.4e12,
        flops=raw["flops"],
    )


def mamba(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    return _checkpoints(
        raw["loss"],
        unit=NATS,
        loss_columns="loss",
        family="llm360Mamba",
        model="LLM360Mamba3B",
        model_type="LLM360Mamba",
        arch="ssm",
        dataset="LLM360/AmberDatasets",
        n_params=3e9,
        tokens_seen=raw["step"] * (500e9 / 176_703),
    )


def olmo(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    losses = raw[[c for c in raw.columns if "CrossEntropyLoss" in c]]
    names = raw["model_name"].str.strip()
    return _checkpoints(
        losses.mean(axis=1),
        unit=NATS,
        loss_columns=_present(losses),
        family=names.map({"OLMo-1B": "olmo", "OLMo-7B": "olmo"}),
        model=names,
        model_type="olmo",
        arch="dec",
        dataset="dolma",
        n_params=raw["num_params"].map(_number),
        tokens_seen=raw["Step"] * 4e6,
    )


def opt(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    size = raw["model_size"].map(_number)
    batch = pd.cut(size, [0, 1e9, 6e9, 10e9, 60e9, np.inf], right=False, labels=False)
    tokens = raw["steps"] * np.array([5e5, 1e6, 2e6, 4e6, 2e6])[batch]
    return _checkpoints(
        raw["ppl"],
        unit=PERPLEXITY,
        loss_columns="loss",
        family="OPT",
        model="OPT-" + size.map(_short),
        model_type="OPT",
        arch="dec",
        dataset="OPT(ROBERTA_PILE_REDDIT)",
        n_params=size,
        tokens_seen=tokens,
        unique_tokens=180e9,
        epochs=tokens / 180e9,
        flops=10 ** raw["flops"],  # the source writes log10
    )


def pythia(raw: pd.DataFrame) -> pd.DataFrame:
    """One row per evaluated checkpoint, from the table of Pythia's evaluations that `_pythia` makes."""
    # LAMBADA with examples in the prompt is another task: those rows are left with WikiText at most.
    comparable = np.array([["5shot" not in m, True] for m in raw["model_name"]])
    listed = raw[list(_pythia.LISTED)].to_numpy(bool) & comparable
    losses = raw[list(_pythia.PERPLEXITIES)].where(listed).apply(np.log2)
    complete = losses.notna().to_numpy().sum(axis=1) == np.maximum(listed.sum(axis=1), 1)
    deduped = raw["data"] == "pile-deduped"
    tokens = 2_097_152 * raw["steps"]
    tokens = tokens.mask(raw["model_name"].str.contains("bloom"), 341e9)
    tokens = tokens.mask(raw["model_name"].str.contains("opt"), 300e9)
    unique = pd.Series(np.where(deduped, 207e9, 334e9), index=raw.index)
    return _checkpoints(
        losses.mean(axis=1).where(complete),
        unit=BITS,
        loss_columns=_present(losses),
        family=raw["model_name"].map(_without_size),
        model=raw["model_name"],
        model_type=raw["model_type"],
        arch="dec",
        # The deduplicated Pile is the study's default, so it is the one without a suffix.
        dataset=np.where(deduped, "pile", "pile-nodedup"),
        n_params=raw["num_params"].map(_number),
        tokens_seen=tokens,
        unique_tokens=unique,
        epochs=tokens / unique,
    )


def redpajama(small: Path, large: Path) -> pd.DataFrame:
    tables = []
    for path, size in ((small, "2.4"), (large, "6.7")):
        raw = pd.read_csv(path, names=["tokens", "loss"])
        tables.append(
            _checkpoints(
                raw["loss"],
                unit=NATS,
                loss_columns="train_loss",
                family="redPajama",
                model=f"redPajama{size}",
                model_type="pythia",
                arch="dec",
                dataset="redPajama",
                n_params=float(size) * 1e9,
                tokens_seen=np.floor(raw["tokens"] * 1e9),
            )
        )
    return pd.concat(tables, ignore_index=True)


def revisiting(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    raw = raw[raw["Task"].isin(["val_loss", "log_perplexity"])]
    size = pd.to_numeric(raw["Model"], errors="coerce")
    known = size.notna()
    kind = raw["Model"].mask(known, "lambda")
    return _checkpoints(
        raw["Loss"],
        unit=NATS,
        loss_columns="loss",
        family=None,
        model=kind + "-" + size.fillna(0).map(_short),
        model_type=kind,
        arch=known.map({True: "enc-dec"}),
        dataset="LAMDA",
        n_params=size.fillna(0),
        tokens_seen=raw["Seen Examples"],
        unique_tokens=500e11,
    )


def t5_pile(path: Path) -> pd.DataFrame:
    raw = pd.read_csv(path)
    return _checkpoints(
        raw["val_perplexity"].map(np.log2),
        unit=BITS,
        loss_columns="val_perplexity",
        family="t5-pile",
        model="pile-t5-" + raw["model_name"],
        model_type="t5-pile",
        arch="enc-dec",
        dataset="pile",
        n_params=raw["model_name"].map(T5_SIZES),
        tokens_seen=raw["steps"] * 1e6,
    )


def _checkpoints(
    loss: pd.Series,
    *,
    unit: str,
    loss_columns: str | Sequence[str],
    flops: pd.Series | None = None,
    unique_tokens: float | pd.Series = math.nan,
    epochs: float | pd.Series = 1.0,
    **columns: str | float | pd.Series | np.ndarray | None,
) -> pd.DataFrame:
    """The common columns of one source, without rows that have no loss or no training behind them."""
    table = pd.DataFrame({"loss": loss}).assign(
        **columns,
        unique_tokens=unique_tokens,
        epochs=epochs,
        loss_unit=unit,
        loss_columns=loss_columns,
        seed=0,
    )
    computed = 6.0 * table["n_params"] * table["tokens_seen"]
    table["flops"] = computed if flops is None else flops.fillna(computed)
    table["flops_is_6nd"] = np.isclose(table["flops"], computed, rtol=1e-6)
    table["n_loss_columns"] = table["loss_columns"].str.count(r"\|") + 1
    table["n_params"] = table["n_params"].astype("int64")
    return table[table["loss"].notna() & (table["tokens_seen"] > 0)]


def _present(losses: pd.DataFrame) -> list[str]:
    """Per row, the names of the columns that hold a number."""
    return ["|".join(losses.columns[row]) for row in losses.notna().to_numpy()]


def _number(text: str | float) -> float:
    """`2.8B`, `1b7`, `350m` as a number."""
    match = re.fullmatch(r"\s*([\d.]+)([kmbtKMBT])(\d*)\s*", str(text))
    if match is None:
        return float(int(float(text)))
    whole, letter, decimals = match.groups()
    return float(f"{whole}.{decimals}" if decimals else whole) * UNITS[letter.lower()]


def _short(value: float) -> str:
    """A number as the study writes it in model names: 2.80B, 125.00M, 44.0."""
    for above, unit, letter in ((1e11, 1e12, "T"), (1e8, 1e9, "B"), (1e5, 1e6, "M"), (1e2, 1e3, "K")):
        if value > above:
            return f"{value / unit:.2f}{letter}"
    return str(float(value))


def _without_size(model: str) -> str:
    """`pythia-1.4b-deduped` -> `pythia-deduped`."""
    return "-".join(part for part in model.split("-") if not re.match(r"[\d.]+[kmbt]", part.lower()))


SOURCES: dict[str, tuple[Sequence[str], Callable[..., pd.DataFrame]]] = {
    "chinchilla": (["raw_data/chinchila_extracted.csv"], chinchilla),
    "datablations": (
        ["aggregated_eval/datablations_losses.csv", "aggregated_eval/datablations_contour_losses.csv"],
        datablations,
    ),
    "gpt3": (["raw_data/gpt3/extracted.csv"], gpt3),
    "llm360_k2": (["aggregated_eval/K2.csv"], k2),
    "llm360_mamba": (["aggregated_eval/llm360Mamba3B.csv"], mamba),
    "olmo": (["aggregated_eval/olmo.csv"], olmo),
    "redpajama": (["raw_data/redPajama/2.4B.csv", "raw_data/redPajama/6.7B.csv"], redpajama),
    "revisiting": (["aggregated_eval/revisiting_lang.csv"], revisiting),
    "t5_pile": (["aggregated_eval/t5_pile.csv"], t5_pile),
    "training_trajectories": (["aggregated_eval/opt_trajectories.csv"], opt),
}
