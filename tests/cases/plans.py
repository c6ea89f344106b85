"""Plans with random budgets and limits, beside the best run of a fine grid that knows no solver."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

import scaling_jax as sj
from tests.cases.catalogue import CASES

PAIRS = {
    "chinchilla": ("N", "D"),
    "chinchilla_tied": ("N", "D"),
    "chinchilla_gamma": ("N", "D"),
    "multiplicative": ("N", "D"),
    "kaplan": ("N", "D"),
    "kaplan_steps": ("N", "S_min"),
    "nonembedding": ("N", "D"),
    "bracket": ("N", "D"),
    "dynamical": ("t", "N"),
    "ladder_loss": ("N", "D"),
    "data_constrained": ("N", "D"),
    "data_constrained_geometric": ("N", "D"),
    "precision": ("N", "D"),
    "precision_unified": ("N", "D"),
    "power_sum": ("N", "D"),
    "hernandez_loss": ("D_F", "N"),
    "zhang_additive": ("X", "D_f"),
    "joint_moe": ("N", "D"),
    "granular_moe": ("N", "D"),
    "interaction": ("x1", "x2"),
    "overtraining": ("C", "M"),
    "expert_share": ("N", "E"),
}
"""Law -> the two inputs that are chosen; others stay in the middle of the case's design."""

NODES, DEPTHS = 3001, 41
REACH, DEPTH = 16.0, 8.0  # e-folds of the grid around the middle, and below what the budget allows
RESOLVED = 2e-3  # of the loss: how far the best node of such a grid can lie above the optimum
MET = 1e-9


def against_grid(name: str, rng: np.random.Generator) -> dict[str, object]:
    """One random problem: what the plan says, what the grid says, and whether they agree.

    The cost is a x y + b x, so a budget is spent in closed form; caps on both inputs and a bound on their
    ratio are open or closed at random. A plan agrees when it meets every limit, no node beats it, and the
    best node is as good within the grid's resolution.
    """
    case, (x, y) = CASES[name], PAIRS[name]
    middle = {k: float(np.exp(np.mean(np.log(v[v > 0])))) for k, v in case.design.items()}
    b = middle[y] * np.exp(rng.normal())
    cost = sj.cost.training(N=x, D=y) + sj.cost.serving(float(b), flop=1.0, N=x)
    budget = float(cost(**{x: middle[x], y: middle[y]})) * np.exp(rng.normal(0, 2))
    low_x, high_x = 1e-30 * middle[x], 1e30 * middle[x]
    high_y, ratio = 1e30 * middle[y], middle[y] / middle[x]
    low_ratio, high_ratio = 1e-30 * ratio, 1e30 * ratio
    if (which := rng.random()) < 0.35:
        high_x = middle[x] * np.exp(rng.normal(0, 1.5))
    elif which < 0.55:
        low_x = middle[x] * np.exp(rng.normal(-2, 1))
    if rng.random() < 0.35:
        high_y = middle[y] * np.exp(rng.normal(0, 1.5))
    if (which := rng.random()) < 0.2:
        low_ratio = ratio * np.exp(rng.normal(0, 1.5))
    elif which < 0.4:
        high_ratio = ratio * np.exp(rng.normal(0, 1.5))
    fixed = {k: v for k, v in middle.items() if k not in (x, y)}
    limits = {**fixed, x: (low_x, high_x), y: (None, high_y), f"{y} / {x}": (low_ratio, high_ratio)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = sj.plan((case.law, case.truth), budget=budget, cost=cost, limits=limits, level=None)
    run = plan.table.iloc[0]

    ys = middle[y] * np.exp(np.linspace(-REACH, REACH, NODES))
    most = np.minimum(budget / (6 * ys + b), np.minimum(high_x, ys / low_ratio))
    xs = most[:, None] * np.exp(-np.linspace(0, DEPTH, DEPTHS))
    ys = np.broadcast_to(ys[:, None], xs.shape)
    known = case.law.input_domains[x].contains(xs) & case.law.input_domains[y].contains(ys)
    allowed = known & (ys <= high_y) & (xs >= low_x) & (ys <= high_ratio * xs)
    loss = np.asarray(case.law(**{x: xs, y: ys}, **fixed, **case.truth))
    loss = np.where(allowed & np.isfinite(loss), loss, np.inf)
    best = np.unravel_index(loss.argmin(), loss.shape)
    at_edge = best[0] in (0, NODES - 1) or best[1] == DEPTHS - 1

    spent = float(cost(**{x: run[x], y: run[y]}))
    meets = (
        spent <= budget * (1 + MET)
        and low_x * (1 - MET) <= run[x] <= high_x * (1 + MET)
        and run[y] <= high_y * (1 + MET)
        and low_ratio * (1 - MET) <= run[y] / run[x] <= high_ratio * (1 + MET)
    )
    gap = run["loss"] / loss[best] - 1 if np.isfinite(loss[best]) else np.nan
    none = not np.isfinite(loss[best])
    return {
        "law": name,
        "plan": run["loss"],
        "grid": loss[best],
        "gap": gap,
        "residual": plan.residual[0],
        "binding": run["binding"],
        "agree": bool(np.isnan(run["loss"]) if none or at_edge else meets and -RESOLVED < gap <= MET)
        or bool(at_edge and meets and gap <= MET),
    }


def table(names: list[str], problems: int, seed: int = 0) -> pd.DataFrame:
    """Many such problems, one row each."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame([against_grid(name, rng) for name in names for _ in range(problems)])
