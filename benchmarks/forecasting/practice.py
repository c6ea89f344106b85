"""Which practice predicts best: every combination of choices on the same extrapolations, and how much of the
differences between them each choice explains."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.forecasting.rivals import certified
from scaling_jax.forecasting.calibration import nothing_learned
from scaling_jax.forecasting.lessons import Past
from scaling_jax.forecasting.mixed import Piece, shrink
from scaling_jax.forecasting.population import Population
from scaling_jax.forecasting.rows import Known
from scaling_jax.tables.runs import run_weights

__all__ = ["practice"]

CHOICES = {
    "rows per run": ("last", "eight"),
    "early checkpoints": ("kept", "first third dropped"),
    "sizes": ("all", "largest three"),
    "weights": ("runs alike", "rows alike"),
    "rows": ("all", "upper half"),
    "exponents": ("borrowed", "free"),
    "law": ("chinchilla", "chinchilla_gamma", "mean of both"),
}
FREE = 20.0  # times the spread that is believed before any family is seen
SMALL = 0.002  # added to errors, so that a lucky hit does not count for everything
OBJECTIVES = {
    "Huber 1e-3 on logs": sj.Huber(),
    "squares of logs": sj.SquaredError(),
    "squares of losses": sj.SquaredError(on="raw"),
    "absolute logs": sj.AbsoluteError(),
}


def practice(past: Sequence[Past]) -> tuple[str, dict]:
    """The table in words, and its numbers."""
    errors = pd.concat([under(past, *chosen) for chosen in itertools.product(*list(CHOICES.values())[:-1])])
    log = np.log(errors["error"] + SMALL)
    within = log - log.groupby(errors["task"]).transform("mean")
    rows = []
    for choice, levels in CHOICES.items():
        explained = within.groupby(errors[choice]).transform("mean")
        for level in levels:
            part = errors[errors[choice] == level]
            rows.append({
                "choice": choice, "level": level, "by family": part.groupby("family")["error"].mean().mean(),
                "by suite": part.groupby("suite")["error"].mean().mean(),
                "explains": float((explained**2).sum() / (within**2).sum()),
            })  # fmt: skip
    objectives = pd.DataFrame({name: scores(past, objective) for name, objective in OBJECTIVES.items()}).T
    table = pd.DataFrame(rows)
    best = errors.groupby(list(CHOICES))["error"].mean().sort_values()
    text = "\n".join([
        f"{len(past)} extrapolations in N and D, {len(errors) // len(past)} combinations of choices;",
        "absolute log errors; explains: share of the variance of log errors within tasks",
        table.round(4).to_string(index=False),
        "best and worst combinations, mean over tasks", best.head(3).round(4).to_string(),
        best.tail(2).round(4).to_string(),
        "objectives: one free Chinchilla fit of all rows, runs alike", objectives.round(4).to_string(),
    ])  # fmt: skip
    return text, {"choices": table.round(6).to_dict("list"), "objectives": objectives.round(6).to_dict()}


def under(
    past: Sequence[Past], per_run: str, early: str, sizes: str, weights: str, rows: str, exponents: str
) -> pd.DataFrame:
    """Errors of every task under one combination, for each law and their mean."""
    pieces = [piece(one.known, per_run, early, sizes, weights, rows) for one in past]
    which, points = np.arange(len(past)), np.stack([one.point for one in past])
    truth, said = np.array([one.truth for one in past]), {}
    for law in (sj.laws.chinchilla, sj.laws.chinchilla_gamma):
        known = nothing_learned().population(law)
        wide = Population(known.mean, known.sd * (FREE if exponents == "free" else 1.0))
        said[law.name] = shrink(law, [wide] * len(past), pieces).predict(which, points)
    said["mean of both"] = (said["chinchilla"] + said["chinchilla_gamma"]) / 2
    chosen = dict(zip(CHOICES, (per_run, early, sizes, weights, rows, exponents), strict=False))
    suites, families = [one.suite for one in past], [one.family for one in past]
    parts = [
        pd.DataFrame(
            {"task": which, "suite": suites, "family": families, "error": np.abs(log - truth), "law": law}
        )
        for law, log in said.items()
    ]
    return pd.concat(parts).assign(**chosen)


def piece(known: Known, per_run: str, early: str, sizes: str, weights: str, rows: str) -> Piece:
    """The rows that a combination keeps, and their weights."""
    run = known.run if known.run is not None else np.arange(len(known))
    longest = pd.Series(known.inputs[:, 1]).groupby(run).transform("max").to_numpy()
    kept = np.ones(len(known), dtype=bool)
    if per_run == "last":
        kept &= known.inputs[:, 1] >= longest - 1e-9
    if early != "kept":
        kept &= known.inputs[:, 1] >= longest - np.log(3.0)
    if sizes != "all":
        kept &= known.inputs[:, 0] >= np.unique(known.inputs[:, 0])[-3:].min()
    own = (
        run_weights(np.unique(run[kept], return_inverse=True)[1])
        if weights == "runs alike"
        else np.ones(kept.sum())
    )
    total = len(np.unique(run[kept])) if weights == "runs alike" else kept.sum()
    table = Known(known.names, known.inputs[kept], known.target[kept], own / own.sum() * total, None)
    return table.piece("half" if rows == "upper half" else "all")


def scores(past: Sequence[Past], objective: object) -> dict[str, float]:
    error = np.abs(certified(sj.laws.chinchilla, past, objective=objective) - [one.truth for one in past])
    table = pd.DataFrame(
        {"error": error, "suite": [p.suite for p in past], "family": [p.family for p in past]}
    )
    return {f"by {by}": table.groupby(by)["error"].mean().mean() for by in ("family", "suite")}
