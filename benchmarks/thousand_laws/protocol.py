"""Which rows each law of the study is fitted to and judged on: one split per cell of each experiment's grid.

A family is all models of one recipe, by size. Tmax is the longest run among the models chosen for training; p
counts from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from scaling_jax.evaluate.splits import Split

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
STARTS_AT = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
CUT = 1e10
LARGEST_LOSS = 10.0
START = {
    "E": float(np.exp(0.6254804)),
    "A": float(np.exp(6.255414)),
    "B": float(np.exp(7.3049974)),
    "alpha": 0.3526596,
    "beta": 0.3526596,
}
EXPERIMENTS = (
    "hist",
    "hist_no_cut",
    "closer3",
    "closer4",
    "num_to_size",
    "minimal_cut",
    "one_model",
    "scale_down",
)


RANGES = {"E": (0.1, 10.0), "A": (0.1, 10.0), "B": (0.1, 10.0), "alpha": (0.02, 26.0), "beta": (0.02, 26.0)}


@sj.law(ranges=RANGES, cite="Choshen et al. 2024 (arXiv:2410.11840), section 4")
def bounded(
    N, D, *, E: sj.Positive, A: sj.Positive, B: sj.Positive, alpha: sj.NonNegative, beta: sj.NonNegative
):
    r"""The study's law, $$L = E + A N^{-\alpha} + B D^{-\beta}$$; exponents grow until a term is a step."""
    return E + A / N**alpha + B / D**beta


@dataclass(frozen=True)
class Family:
    """One recipe's models by size: positions of each model's rows in the table, in order of tokens."""

    name: str
    model_type: str
    models: list[str]
    rows: list[np.ndarray]
    tokens: np.ndarray
    sizes: np.ndarray
    usable: bool


def read(source: str | Path | None) -> pd.DataFrame:
    """The checkpoints: downloaded by `sj.datasets`, or read from a folder that holds checkpoints.csv.gz."""
    table = (
        sj.datasets.load("hitchhikers").reset_index(drop=True)
        if source is None
        else pd.read_csv(Path(source) / "checkpoints.csv.gz")
    )
    return table.assign(log_n0=_centre(table, "n_params"), log_d0=_centre(table, "tokens_seen"))


def _centre(table: pd.DataFrame, column: str) -> pd.Series:
    """Each row's family's middle of a column's logarithm: laws are fitted in this unit, where a constant and
    its exponent are not collinear and a term as steep as a step does not overflow."""
    logs = np.log(table[column].where(table[column] > 0)).groupby(table["family"])
    return ((logs.transform("min") + logs.transform("max")) / 2).fillna(0.0)


def families(table: pd.DataFrame) -> list[Family]:
    found = []
    for name, group in table[table["family"].notna()].groupby("family"):
        sizes = group.groupby("model")["n_params"].first().sort_values(kind="stable")
        rows = [group.index[group["model"] == model].to_numpy() for model in sizes.index]
        usable = table["loss"].to_numpy()[rows[-1]].min() <= LARGEST_LOSS
        common = (
            group["model_type"].iloc[0],
            list(sizes.index),
            rows,
            table["tokens_seen"].to_numpy(),
            table["n_params"].to_numpy(),
        )
        found.append(Family(str(name), *common, bool(usable)))
    return found


def counts(others: int) -> list[int]:
    """How many smaller models the study tries, out of so many."""
    return list(range(2, others + 1, 10 if others > 60 else others // 5 if others > 20 else 1))


def cells(table: pd.DataFrame, experiment: str) -> Iterator[Split]:
    """Every cell of one experiment's grid, empty ones included."""
    for family in families(table):
        yield from _of_family(family, experiment)


def _of_family(f: Family, experiment: str) -> Iterator[Split]:
    last = len(f.models) - 1
    if experiment == "one_model":
        for i in range(len(f.models)):
            yield from (_cell(f, experiment, [i], last, p, n_models=i) for p in SHARES)
        return
    if last < 2:
        return
    if experiment in ("hist", "hist_no_cut"):
        for n in counts(last):
            yield from (
                _cell(f, experiment, range(n), last, p, cut=0.0 if experiment == "hist_no_cut" else CUT)
                for p in SHARES
            )
    elif experiment in ("closer3", "closer4"):
        width = int(experiment[-1])
        for first in range(last - width + 1):
            yield from (
                _cell(f, experiment, range(first, first + width), last, p, window=first, cut_target=True)
                for p in SHARES
            )
    elif experiment == "num_to_size":
        for n in counts(last):
            yield from (
                _cell(f, experiment, range(end - n, end), last, 1.0, window=end) for end in range(n, last + 1)
            )
    elif experiment == "minimal_cut":
        for n in range(2, last + 1):
            yield from (_cell(f, experiment, range(n), last, q, beginning=True) for q in STARTS_AT)
    elif experiment == "scale_down":
        top = last - f.name.startswith("pythia")  # the study's Pythia families lose their largest model here
        for n in counts(top):
            yield from (_cell(f, experiment, range(top, top - n, -1), 0, p) for p in SHARES)


def _cell(
    f: Family,
    experiment: str,
    chosen: range | list[int],
    target: int,
    p: float,
    n_models: int | None = None,
    window: int | None = None,
    cut: float = CUT,
    cut_target: bool = False,
    beginning: bool = False,
) -> Split:
    rows = np.concatenate([f.rows[i] for i in chosen])
    tokens = f.tokens[rows]
    longest = tokens.max()
    inside = (tokens >= 0.7 * p * longest) & (tokens < 0.7 * longest) if beginning else tokens < p * longest
    train = rows[inside & (tokens > cut)]
    test = f.rows[target]
    at = f.tokens[test]
    test = test[(at >= 0.7 * at.max()) & ((at > CUT) | (not cut_target))]
    size = f.sizes[train]
    n_models = len(chosen) if n_models is None else n_models
    info = {
        "experiment": experiment,
        "family": f.name,
        "model_type": f.model_type,
        "pct": p,
        "n_models": n_models,
        "window": np.nan if window is None else window,
        "n_sizes": len(np.unique(np.round(size / 1e6))),
        "n_rows": len(train),
        "target": f.models[target],
    }
    return Split((experiment, f.name, p, n_models, window), train, test, info)
