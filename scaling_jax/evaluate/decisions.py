"""How often the better recipe at the largest scale is known from smaller ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax import laws
from scaling_jax.api.fit import fit_groups
from scaling_jax.core.objective import SquaredError
from scaling_jax.planning.contrast import contrast
from scaling_jax.planning.contrasted import Contrast
from scaling_jax.planning.recipes import COMPUTE, compute_of
from scaling_jax.tables.read import Column, TableLike, as_frame
from scaling_jax.tables.runs import DataError

__all__ = ["decisions"]

METHODS = ("contrast", "largest", "law")
FEWEST_FOR_A_LAW = 4
SURE = 0.9


def decisions(
    runs: TableLike,
    *,
    by: str,
    inputs: Mapping[str, Column] | None = None,
    target: str = "loss",
    methods: Sequence[str] = METHODS,
) -> pd.DataFrame:
    """Predicts which recipe wins at the largest scale from all smaller scales, cut at each of them in turn.

    Args:
        runs: table with a row per finished run; several at one place are seeds.
        by: column of recipes. The largest place at which every recipe was trained is what is predicted (the
            mean over its seeds, on logs); recipes that were never trained at the smaller places are left out.
        inputs: N and D, or C, as `sj.contrast` takes them for a table.
        target: column of the loss, least is best.
        methods: of "contrast" (`sj.contrast` of the table), "largest" (the order at the largest smaller
            place, with the odds that seeds give), "law" (a power law with floor in compute for each recipe,
            with the odds of its bootstrap).

    Returns:
        A row per cut and method: flops of the largest run that is used, cost (compute of all runs used, as a
        share of that of the target's runs), method, pairs, right (share of pairs), stated (mean probability
        of the called winner), brier, sure (pairs called above .9), sure_right, and regret (loss of the pick
        above the best, at the target).

    Raises:
        DataError: where no place was trained by all recipes, or no smaller one exists.

    Source: Magnusson et al. 2025 (arXiv:2504.11393), whose decision accuracy this is.
    """
    frame = _with_places(runs, by, inputs, target)
    complete = frame.groupby("place")["recipe"].nunique() == frame["recipe"].nunique()
    flops = frame.groupby("place")["spent"].first()
    if not complete.any():
        raise DataError(f"No place was trained by all recipes of '{by}': there is nothing to decide.")
    goal = flops[complete].idxmax()
    at_goal = frame[frame["place"] == goal]
    truth = at_goal.groupby("recipe")["log_loss"].mean()
    smaller = frame[frame["spent"] < 0.999 * flops[goal]]
    cuts = np.unique(flops[complete][flops[complete] < 0.999 * flops[goal]].round(-3))
    if not len(cuts):
        raise DataError("No smaller place was trained by all recipes: there is nothing to decide from.")
    rows: list[dict[str, Any]] = []
    for cut in cuts:
        used = smaller[smaller["spent"] <= cut * 1.001]
        for method, found, spent in _answers(used, cut, float(flops[goal]), methods):
            share = float(spent["spent"].sum() / at_goal["spent"].sum())
            rows.append({"flops": cut, "cost": share, "method": method, **_scored(found, truth)})
    return pd.DataFrame(rows)


def _with_places(runs: TableLike, by: str, inputs: Mapping[str, Column] | None, target: str) -> pd.DataFrame:
    """recipe, loss, compute spent and place of every run, and the inputs as given."""
    frame = as_frame(runs)
    names = {"N", "D", *COMPUTE}
    given = dict(inputs or {name: name for name in names if name in frame.columns})
    columns = {
        name: np.asarray(frame[c] if isinstance(c, str) else c(frame) if callable(c) else c, dtype=np.float64)
        for name, c in given.items()
    }
    place = np.round(np.log(np.column_stack(list(columns.values()))), 6)
    _, code = np.unique(place, axis=0, return_inverse=True)
    flops = compute_of(columns)
    return pd.DataFrame(
        {
            "recipe": frame[by].to_numpy(),
            "loss": frame[target].to_numpy(dtype=np.float64),
            "log_loss": np.log(frame[target].to_numpy(dtype=np.float64)),
            "spent": flops,
            "place": code.ravel(),
            **columns,
        }
    )


def _answers(
    used: pd.DataFrame, cut: float, goal: float, methods: Sequence[str]
) -> Iterator[tuple[str, Contrast, pd.DataFrame]]:
    columns = {name: name for name in ("N", "D", *COMPUTE) if name in used.columns}
    top = used[used["spent"] >= cut * 0.999]
    if "contrast" in methods:
        yield "contrast", contrast(used, by="recipe", inputs=columns, flops=goal), used
    if "largest" in methods:
        yield "largest", contrast(top, by="recipe", inputs=columns, flops=goal, transfer=0), top
    if "law" in methods and used["place"].nunique() >= FEWEST_FOR_A_LAW:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fits = fit_groups(
                laws.power_law_floor, used, by="recipe", inputs={"x": "spent"}, objective=SquaredError()
            )
            yield "law", contrast(fits, flops=goal, transfer=0), used


def _scored(found: Contrast, truth: pd.Series) -> dict[str, float]:
    table = found.odds
    table = table[table["a"].isin(truth.index) & table["b"].isin(truth.index)]
    apart = truth[table["b"]].to_numpy() - truth[table["a"]].to_numpy()
    stated = table["probability"].to_numpy()
    won, called = np.where(apart == 0, 0.5, apart > 0), np.sign(table["difference"].to_numpy())
    right = np.where((called == 0) | (apart == 0), 0.5, called == np.sign(apart))
    confidence = np.maximum(stated, 1 - stated)
    sure = confidence > SURE
    pick = found.best.sort_values("loss")["recipe"].iloc[0]
    return {
        "pairs": len(table),
        "right": right.mean(),
        "stated": confidence.mean(),
        "brier": np.mean((stated - won) ** 2),
        "sure": int(sure.sum()),
        "sure_right": right[sure].mean() if sure.any() else np.nan,
        "regret": float(np.exp(truth[pick]) - np.exp(truth.min())),
    }
