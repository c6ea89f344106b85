"""Every law of the study in one batch, and its errors on the target under both of the study's definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.thousand_laws.protocol import START, bounded
from scaling_jax.evaluate.score import fit_splits
from scaling_jax.evaluate.splits import Split

THEIRS: dict[str, Any] = {"objective": sj.SquaredError(on="raw")}
# the same in all numbers at once: a solver with settings of its own eliminates none
JOINT: dict[str, Any] = {**THEIRS, "solver": sj.LM(max_steps=501)}
OURS: dict[str, Any] = {"objective": sj.Huber(1e-3), "run": "model", "weights": "runs"}
PARAMETERS = ("e", "a", "b", "alpha", "beta")
CERTIFIED = {
    "status": "status",
    "agree": "n_agree",
    "finished": "n_finished",
    "decrement": "relative_decrement",
    "condition": "condition",
}
INPUTS = {
    "N": lambda t: t["n_params"] / np.exp(t["log_n0"]),
    "D": lambda t: t["tokens_seen"] / np.exp(t["log_d0"]),
}


Held = dict[str, np.ndarray]


def of_one_run(table: pd.DataFrame, splits: list[Split]) -> Held:
    """What a law of one run borrows, (splits,) by parameter: the study's starts of the size's term."""
    log_n0 = table["log_n0"].to_numpy()[[s.train[0] for s in splits]]
    return {
        "A": np.exp(np.log(START["A"]) - START["alpha"] * log_n0),
        "alpha": np.full(len(splits), START["alpha"]),
    }


def of_other_families(whole: pd.DataFrame, splits: list[Split]) -> Held:
    """Exponents (splits,) that each law borrows: medians of other suites' whole families (Pythia is one)."""
    suite = whole["family"].map(_suite)
    mine = [_suite(s.info["family"]) for s in splits]
    others = {own: whole.loc[suite != own, ["alpha", "beta"]].median() for own in set(mine)}
    return {name: np.array([others[own][name] for own in mine]) for name in ("alpha", "beta")}


def _suite(family: str) -> str:
    return family.split("-")[0]


def fit_cells(
    table: pd.DataFrame, splits: list[Split], how: dict[str, Any] = THEIRS, held: Held | None = None
) -> pd.DataFrame:
    """The tidy table of laws: one row per cell; every split has rows to fit.

    Columns: the cell, its parameters (A, B and E as logarithms a, b and e), sum of squares and the size of
    the target squared, the errors (last 30 % and last checkpoint), and the certificate (status, agreement,
    what is not identified). Parameters in `held` are borrowed, not fitted.
    """
    at = np.array([s.train[0] for s in splits])
    log_n0, log_d0 = (table[name].to_numpy()[at] for name in ("log_n0", "log_d0"))
    held = held or {}
    fixed = {
        name: dict(zip([s.label for s in splits], values.tolist(), strict=True))
        for name, values in held.items()
    }
    fits = fit_splits(bounded, table, splits, inputs=INPUTS, fixed=fixed, **how)
    said = fits.certificates
    laws = pd.DataFrame([split.info for split in splits])
    laws["few_rows"] = np.array([len(s.train) for s in splits]) < len(PARAMETERS) - len(held)
    for name, column in CERTIFIED.items():
        laws[name] = said[column].to_numpy()
    for name in ("unidentified", "at_bound", "extinct"):
        laws[name] = said[name].str.replace(", ", "|").to_numpy()
    laws["status"] = np.where(laws["few_rows"], "underdetermined", laws["status"])
    E, A, B, alpha, beta = np.stack([fits[s.label].numbers for s in splits]).T
    with np.errstate(divide="ignore"):
        numbers = np.column_stack(
            [np.log(E), np.log(A) + alpha * log_n0, np.log(B) + beta * log_d0, alpha, beta]
        )
    laws = laws.join(pd.DataFrame(numbers, columns=list(PARAMETERS)))
    return laws.join(errors(table, splits, numbers))


@np.errstate(over="ignore")  # a step that is extrapolated may be anything
def errors(table: pd.DataFrame, splits: list[Split], numbers: np.ndarray) -> pd.DataFrame:
    """Errors of `PARAMETERS` (splits, 5) on each split's target, and squares on its training rows."""
    loss = table["loss"].to_numpy(float)
    tests = [s.test for s in splits]
    miss = [loss[t] - p for t, p in zip(tests, predictions(table, tests, numbers), strict=True)]
    fitted = [
        loss[s.train] - p
        for s, p in zip(splits, predictions(table, [s.train for s in splits], numbers), strict=True)
    ]
    found: dict[str, list[float]] = {
        name: [] for name in ("are_last30", "are_last1", "signed_last30", "huber_last30", "huber_last1")
    }
    tokens = table["tokens_seen"].to_numpy()
    for split, m in zip(splits, miss, strict=True):
        last = _at_the_end(tokens[split.test])
        share, huber = m / loss[split.test], np.where(np.abs(m) <= 0.01, m**2 / 2, 0.01 * (np.abs(m) - 0.005))
        found["are_last30"].append(float(np.mean(np.abs(share))))
        found["are_last1"].append(float(np.mean(np.abs(share[last]))))
        found["signed_last30"].append(float(-np.mean(share)))
        found["huber_last30"].append(float(np.mean(huber)))
        found["huber_last1"].append(float(np.mean(huber[last])))
    squares = {
        "squares": [float(m @ m) for m in fitted],
        "size": [float(loss[s.train] @ loss[s.train]) for s in splits],
    }
    return pd.DataFrame(found | squares)


def predictions(table: pd.DataFrame, rows: list[np.ndarray], numbers: np.ndarray) -> list[np.ndarray]:
    """Each law at its own rows, in logarithms so that steep laws do not overflow."""
    ends = np.cumsum([len(r) for r in rows])
    which = np.concatenate(rows)
    owner = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    e, a, b, alpha, beta = numbers[owner].T
    with np.errstate(all="ignore"):
        N, D = (np.log(table[c].to_numpy(float))[which] for c in ("n_params", "tokens_seen"))
        return np.split(np.exp(e) + np.exp(a - alpha * N) + np.exp(b - beta * D), ends[:-1])


def baselines(table: pd.DataFrame, splits: list[Split]) -> pd.DataFrame:
    """What no law would say: the lowest training loss, and the mean of the last five rows."""
    loss, tokens = table["loss"].to_numpy(float), table["tokens_seen"].to_numpy()
    rows = []
    for split in splits:
        if not len(split.train):
            continue
        last = _at_the_end(tokens[split.test])
        for name, guess in (("base_best", loss[split.train].min()), ("base_last", _last(table, split, loss))):
            share = np.abs(loss[split.test] - guess) / loss[split.test]
            rows.append(
                split.info | {"experiment": name, "are_last30": share.mean(), "are_last1": share[last].mean()}
            )
    return pd.DataFrame(rows)


def _at_the_end(tokens: np.ndarray) -> np.ndarray:
    """The last checkpoint's rows: a few curves read from figures repeat it."""
    return tokens == tokens.max()


def _last(table: pd.DataFrame, split: Split, loss: np.ndarray) -> float:
    """Mean loss of the five training rows that had seen most tokens."""
    by_tokens = np.argsort(table["tokens_seen"].to_numpy()[split.train], kind="stable")
    return float(loss[split.train[by_tokens[-5:]]].mean())
