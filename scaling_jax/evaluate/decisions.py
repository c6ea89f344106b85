"""How often the better recipe at the largest scale is known from smaller ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax import laws
from scaling_jax.api.fit import fit_groups
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.objective import SquaredError
from scaling_jax.planning.contrast import contrast
from scaling_jax.planning.contrasted import Contrast
from scaling_jax.planning.recipes import compute_of, read_recipes
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.read import Reading
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import Column

__all__ = ["decisions"]

METHODS = ("contrast", "largest", "law")
FEWEST_FOR_A_LAW = 4
SURE = 0.9
SAME = 1e-3  # relative: compute that is as good as equal
SCORES = ["pairs", "right", "stated", "brier", "sure", "sure_right", "regret", "remark"]


@checked
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
        above the best, at the target), and remark: why a method has no answer at a cut, empty where it has.

    Raises:
        DataError: where no place was trained by all recipes, no smaller one exists, or a row is no run.
        ValueError: for another method.

    Source: Magnusson et al. 2025 (arXiv:2504.11393), whose decision accuracy this is.
    """
    if unknown := [name for name in methods if name not in METHODS]:
        raise ValueError(f"methods={shown(unknown[0])}: use {', '.join(METHODS)}.")
    frame = _with_places(runs, by, inputs, target)
    complete = frame.groupby("place")["recipe"].nunique() == frame["recipe"].nunique()
    flops = frame.groupby("place")["spent"].first()
    if not complete.any():
        raise DataError(f"No place was trained by all recipes of '{by}': there is nothing to decide.")
    goal = flops[complete].idxmax()
    at_goal = frame[frame["place"] == goal]
    truth = at_goal.groupby("recipe")["log_loss"].mean()
    smaller = frame[frame["spent"] < flops[goal] * (1 - SAME)]
    cuts = _apart(flops[complete & (flops < flops[goal] * (1 - SAME))].to_numpy())
    if not len(cuts):
        raise DataError("No smaller place was trained by all recipes: there is nothing to decide from.")
    rows: list[dict[str, Any]] = []
    for cut in cuts:
        used = smaller[smaller["spent"] <= cut * (1 + SAME)]
        for method, spent, answer in _answers(used, cut, at_goal.iloc[0], methods):
            share = float(spent["spent"].sum() / at_goal["spent"].sum())
            rows.append({"flops": cut, "cost": share, "method": method, **_scored(answer, truth)})
    return pd.DataFrame(rows, columns=["flops", "cost", "method", *SCORES])


def _with_places(runs: TableLike, by: str, inputs: Mapping[str, Column] | None, target: str) -> pd.DataFrame:
    """recipe, loss, compute spent and place of every run, and its inputs: N and D, or C."""
    table = read_recipes(runs, by, Reading(inputs, target))
    columns = {"C" if name == "x" else name: column for name, column in table.inputs.items()}
    place = np.round(np.log(np.column_stack(list(columns.values()))), 6)
    _, code = np.unique(place, axis=0, return_inverse=True)
    return pd.DataFrame(
        {
            "recipe": pd.Series(table.group_labels, dtype=object).to_numpy()[table.group],
            "loss": table.target,
            "log_loss": np.log(table.target),
            "spent": compute_of(columns),
            "place": code.ravel(),
            **columns,
        }
    )


def _apart(amounts: np.ndarray) -> np.ndarray:
    """The amounts in order, of those that are as good as equal the largest."""
    ordered = np.unique(amounts)
    return ordered[np.r_[ordered[1:] > ordered[:-1] * (1 + SAME), True][: len(ordered)]]


def _answers(
    used: pd.DataFrame, cut: float, goal: pd.Series, methods: Sequence[str]
) -> Iterator[tuple[str, pd.DataFrame, Callable[[], Contrast]]]:
    """Each method with the runs it takes and how it answers."""
    columns = {name: name for name in ("N", "D", "C") if name in used.columns}
    at = {name: float(goal[name]) for name in columns}
    top = used[used["spent"] >= cut * (1 - SAME)]
    if "contrast" in methods:
        yield "contrast", used, lambda: contrast(used, by="recipe", inputs=columns, at=at)
    if "largest" in methods:
        yield "largest", top, lambda: contrast(top, by="recipe", inputs=columns, at=at, transfer=0)
    if "law" in methods and used["place"].nunique() >= FEWEST_FOR_A_LAW:
        yield "law", used, lambda: _by_laws(used, float(goal["spent"]))


def _by_laws(used: pd.DataFrame, goal: float) -> Contrast:
    """A power law with floor for each recipe."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = fit_groups(
            laws.power_law_floor, used, by="recipe", inputs={"x": "spent"}, objective=SquaredError()
        )
        return contrast(fits, flops=goal, transfer=0)


def _scored(answer: Callable[[], Contrast], truth: pd.Series) -> dict[str, object]:
    """How an answer did; for one that there is not, why."""
    try:
        found = answer()
    except ValueError as error:
        return {"pairs": 0, "sure": 0, "remark": str(error)}
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
        "remark": "",
    }
