"""Plans over many budgets, worked out beforehand, through which a slider on the page moves."""

from __future__ import annotations

import numpy as np

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.pages.vega import loss_chart
from scaling_jax.planning.plan import planned
from scaling_jax.planning.result import Plan
from scaling_jax.planning.source import source_of
from scaling_jax.reporting.blocks import Block, Grid, Live, grid_of
from scaling_jax.reporting.numbers import kind_of, written
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["ladder_blocks", "plan_of"]

STEPS = 61
BELOW, ABOVE = 1.0, 3.0  # decades about the budgets of the plan, or beyond the runs
HIDDEN = ("worth", "binding", "spent")
SHOWN_EVERY = 10


def plan_of(fit: Fitted) -> Plan | None:
    """Best runs from the smallest run's compute to a thousand times the largest's, or None for a law that
    leaves nothing to choose."""
    if {"N", "D"} - set(fit.law.inputs):
        return None
    runs = fit.data().inputs
    spent = TOKENS_FLOP * runs["N"] * runs["D"]
    spent = spent[spent > 0]
    if not len(spent):
        return None
    goals = np.geomspace(spent.min(), spent.max() * 10**ABOVE, STEPS)
    try:
        return planned(source_of(fit), {"flops": goals}, level=0.9)
    except ValueError:
        return None


def over_many(plan: Plan) -> Plan:
    """The same question at many budgets."""
    goals = np.asarray(plan.goals, dtype=float)
    low, high = goals.min() / 10**BELOW, goals.max() * 10**BELOW
    many = np.unique(np.append(np.geomspace(low, high, STEPS), goals))
    vectors = plan.source.numbers[None]
    if plan.source.draws is not None and plan.drawn is not None:
        vectors = np.concatenate([vectors, plan.source.draws])
    best = plan.problem.best(vectors, many, False)
    drawn = None if plan.drawn is None else best.rows(slice(1, None))
    return Plan(plan.problem, many, False, plan.level, best.rows(slice(0, 1)), drawn)


def ladder_blocks(plan: Plan) -> list[Block]:
    """A slider over the plan's budgets, and the loss along them."""
    whole = grid_of(plan.table, hide=HIDDEN)
    slider = Live(
        "budget",
        "slider",
        {
            "headings": list(whole.headings[1:]),
            "rows": [list(row[1:]) for row in whole.rows],
            "words": [written(goal, kind_of(plan.spent_name)) for goal in plan.goals],
            "goals": [float(goal) for goal in plan.goals],
            "beyond": [round(float(far), 2) for far in plan.table["extrapolation"].fillna(0)],
            "start": _start(plan),
            "unit": {"flops": "FLOP", "gpu_hours": "GPU-hours"}.get(plan.spent_name, plan.spent_name),
        },
        "Move the budget: the best run of it stands beneath.",
        Grid(whole.headings, whole.rows[::SHOWN_EVERY], whole.right),
    )
    chart = Live("loss", "chart", loss_chart(plan), "Loss of the best run over the budget.")
    return [slider, chart]


def _start(plan: Plan) -> int:
    """Ten times beyond the runs, or the middle."""
    far = plan.table["extrapolation"].to_numpy(dtype=float)
    beyond = np.flatnonzero(far >= 1.0)
    return int(beyond[0]) if len(beyond) and beyond[0] > 0 else len(far) // 2
