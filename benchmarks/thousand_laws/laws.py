"""Every law of the study in one batch, and its errors on the target under both of the study's definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.thousand_laws.protocol import START, bounded
from scaling_jax.evaluate import Split, fit_splits

THEIRS: dict[str, Any] = {"objective": sj.SquaredError(on="raw")}
OURS: dict[str, Any] = {"objective": sj.Huber(1e-3), "run": "model", "weights": "runs"}
ONE_RUN = {"A": START["A"], "alpha": START["alpha"]}
INPUTS = {"N": "n_params", "D": "tokens_seen"}


def fit_cells(table: pd.DataFrame, splits: list[Split], how: dict[str, Any] = THEIRS, fixed: Any = None) -> pd.DataFrame:
    """The tidy table of laws: one row per cell that has rows to fit.

    Columns: the cell, its parameters, sum of squares and the size of the target squared, the four errors (last 30 % and last
    checkpoint), and the certificate (status, agreement, what is not identified).
    """
    filled = [s for s in splits if len(s.train)]
    fits = fit_splits(bounded, table, filled, inputs=INPUTS, fixed=fixed, **how)
    rows = []
    for split in filled:
        fit = fits[split.label]
        c = fit.certificate
        short = len(split.train) < int(fit.evidence.free.sum()) if not fit.reason else True
        rows.append(split.info | dict(zip(bounded.labels, fit.numbers, strict=True)) | {
            "status": "underdetermined" if short else fit.status, "few_rows": short, "agree": c.n_agree, "finished": c.n_finished,
            "decrement": c.relative_decrement, "condition": c.condition, "unidentified": "|".join(c.unidentified),
            "at_bound": "|".join(c.at_bound), "extinct": "|".join(c.extinct),
        })  # fmt: skip
    laws = pd.DataFrame(rows)
    return laws.join(errors(table, filled, laws[list(bounded.labels)].to_numpy()))


def errors(table: pd.DataFrame, splits: list[Split], numbers: np.ndarray) -> pd.DataFrame:
    """Errors of the given parameters (splits, 5) on each split's target, and their sum of squares on its training rows."""
    loss = table["loss"].to_numpy(float)
    tests = [s.test for s in splits]
    miss = [loss[t] - p for t, p in zip(tests, predictions(table, tests, numbers), strict=True)]
    fitted = [loss[s.train] - p for s, p in zip(splits, predictions(table, [s.train for s in splits], numbers), strict=True)]
    found: dict[str, list[float]] = {name: [] for name in ("are_last30", "are_last1", "signed_last30", "huber_last30", "huber_last1")}
    tokens = table["tokens_seen"].to_numpy()
    for split, m in zip(splits, miss, strict=True):
        last = int(np.argmax(tokens[split.test]))
        share, huber = m / loss[split.test], np.where(np.abs(m) <= 0.01, m**2 / 2, 0.01 * (np.abs(m) - 0.005))
        found["are_last30"].append(float(np.mean(np.abs(share))))
        found["are_last1"].append(float(np.abs(share[last])))
        found["signed_last30"].append(float(-np.mean(share)))
        found["huber_last30"].append(float(np.mean(huber)))
        found["huber_last1"].append(float(huber[last]))
    squares = {"squares": [float(m @ m) for m in fitted], "size": [float(loss[s.train] @ loss[s.train]) for s in splits]}
    return pd.DataFrame(found | squares)


def predictions(table: pd.DataFrame, rows: list[np.ndarray], numbers: np.ndarray) -> list[np.ndarray]:
    """Each law at its own rows, in logarithms so that steep laws do not overflow."""
    ends = np.cumsum([len(r) for r in rows])
    which = np.concatenate(rows)
    owner = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    with np.errstate(all="ignore"):
        E, a, b, alpha, beta = numbers[owner, 0], np.log(numbers[owner, 1]), np.log(numbers[owner, 2]), *numbers[owner, 3:].T
        N, D = (np.log(table[c].to_numpy(float))[which] for c in INPUTS.values())
        return np.split(E + np.exp(a - alpha * N) + np.exp(b - beta * D), ends[:-1])


def baselines(table: pd.DataFrame, splits: list[Split]) -> pd.DataFrame:
    """What no law would say: the lowest training loss, and the mean of the last five rows."""
    loss, tokens = table["loss"].to_numpy(float), table["tokens_seen"].to_numpy()
    rows = []
    for split in splits:
        if not len(split.train):
            continue
        last = int(np.argmax(tokens[split.test]))
        for name, guess in (("base_best", loss[split.train].min()), ("base_last", _last(table, split, loss))):
            share = np.abs(loss[split.test] - guess) / loss[split.test]
            rows.append(split.info | {"experiment": name, "are_last30": share.mean(), "are_last1": share[last]})
    return pd.DataFrame(rows)


def _last(table: pd.DataFrame, split: Split, loss: np.ndarray) -> float:
    """Mean loss of the five training rows that had seen most tokens."""
    by_tokens = np.argsort(table["tokens_seen"].to_numpy()[split.train], kind="stable")
    return float(loss[split.train[by_tokens[-5:]]].mean())
