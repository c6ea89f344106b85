"""Best runs over compute: plans with their bands and published laws beside, isoFLOP profiles, envelopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.planning.budget import compute_optimal
from scaling_jax.planning.result import Plan
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.distance import band, by_distance, shade_beyond
from scaling_jax.plot.labels import end_labels, mark, note
from scaling_jax.plot.palette import palette_of, sequence
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.published import published as printed
from scaling_jax.reporting.numbers import COUNT, FLOP, PLAIN, written
from scaling_jax.tables.scale import TOKENS_FLOP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.allocation.envelope import Envelope
    from scaling_jax.allocation.isoflop import Isoflop
    from scaling_jax.allocation.lines import AllocationDraws

__all__ = ["allocation", "envelope", "isoflop", "plan", "plan_data"]

POINTS, FEW_POINTS = 100, 41
MOST_CURVES = 8
NAMES = {"minimum": "lowest training curve", "hull": "convex hull"}
QUANTITIES = {
    "N": "best model size N* (parameters)",
    "D": "best amount of data D* (tokens)",
    "loss": "loss of the best run",
    "tokens_per_param": "best tokens per parameter",
    "epochs": "epochs",
}
COMPUTE = "training compute C (FLOP)"
BEADS = 4  # points of a line from one bead to the next
COSTS = {"flops": COMPUTE, "gpu_hours": "GPU-hours", "money": "cost ($)", "cost": "cost"}


def _kind(quantity: str) -> str:
    return COUNT if quantity in ("N", "D", "U") else PLAIN


@checked
@picture
def isoflop(result: Isoflop, ax: Axes | None = None) -> Axes:
    """Approach 2: loss by size, a curve per budget through its runs, and a hollow star on its minimum, which
    is read off the curve and was not trained; numbers in `.table`.

    >>> import scaling_jax as sj
    >>> runs = sj.datasets.load("tiny_sweep").query("arm == 'main' and final")
    >>> isoflop(sj.isoflop(runs, budget="budget", N="n_params", D="tokens")).get_xlabel()
    'model size N (parameters)'
    """
    ax = axes_for(ax)
    page = palette_of(ax)
    families = dict(tuple(result.runs.groupby("flops")))
    ends = []
    for (flops, family), colour in zip(families.items(), sequence(len(families), ax), strict=True):
        ax.plot(family["N"], family["loss"], "o", color=colour, ms=2.6, mew=0)
        if family["N"].nunique() > 2:
            N = np.geomspace(family["N"].min(), family["N"].max(), POINTS)
            ax.plot(N, result.curve(family, N), color=colour, lw=1.1)
        last = family.loc[family["N"].idxmax()]
        ends.append((last["N"], last["loss"], written(flops, FLOP, 2), colour))
    best = result.inside
    ax.plot(
        best["N"], best["loss"], "*", mfc=page.paper, mec=page.warm, ms=8, mew=0.9, label="optimum", zorder=5
    )
    log_axis(ax, "x", COUNT)
    loss_axis(ax, result.runs["loss"])
    ax.set_xlim(ax.get_xlim()[0], ax.get_xlim()[1] * 1.05)
    end_labels(ax, [(loss, words, colour) for _, loss, words, colour in ends])
    ax.set(xlabel="model size N (parameters)", ylabel="loss")
    note(ax, "● runs, right: their FLOP\n☆ interpolated minimum", "upper right")
    return ax


@checked
@picture
def envelope(result: Envelope, ax: Axes | None = None) -> Axes:
    """Approach 1: loss by compute, a curve per run, and the best runs below them; numbers in `.table`."""
    ax = axes_for(ax)
    page = palette_of(ax)
    sizes = np.unique(result.curves.N)
    colours = dict(zip(sizes, sequence(len(sizes), ax), strict=True))
    ends = {}
    curves = zip(result.curves.N, result.curves.rows, strict=True)
    for N, (log_C, _, log_loss) in sorted(curves, key=lambda pair: pair[0]):
        ax.plot(np.exp(log_C), np.exp(log_loss), "-", color=colours[N], lw=0.8, alpha=0.8)
        ends[N] = (float(np.exp(log_loss[-1])), f"N = {written(N, COUNT)}", colours[N])
    best = result.inside
    ax.plot(best["flops"], best["loss"], "-", color=page.warm, lw=2, label="best for its compute", zorder=5)
    if result.method != "minimum":
        ax.plot(best["flops"], best["loss"], "o", color=page.warm, ms=3.5, zorder=5)
    log_axis(ax, "x", FLOP)
    loss_axis(ax, np.exp(np.concatenate([rows[2] for rows in result.curves.rows])))
    few = sizes[np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_CURVES)).astype(int)]
    end_labels(ax, [ends[N] for N in few])
    ax.set(xlabel=COMPUTE, ylabel="loss")
    if len(best):
        middle = best.iloc[int(0.6 * len(best))]
        mark(ax, middle["flops"], middle["loss"], NAMES[result.method], page.warm, (-4, -3))
    return ax


@checked
@picture
def allocation(
    result: Isoflop | Envelope,
    draws: AllocationDraws | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """The optima of Approach 1 or 2 over compute, and the power law through them with its band.

    Args:
        result: of `sj.isoflop` or `sj.envelope`.
        draws: its bootstrap, for the band.
        level: of the band.
        ax: axes to draw on.
    """
    ax = axes_for(ax)
    page = palette_of(ax)
    inside, edge = result.inside, result.table[result.table["edge"]]
    flops = np.geomspace(inside["flops"].min() / 2, inside["flops"].max() * 10, POINTS)
    table = result.optimal(flops) if draws is None else draws.optimal(flops, level)
    exponents = result.exponents() if draws is None else draws.exponents(level)
    slope = exponents.loc["N", "estimate"]
    if draws is not None:
        band(ax, flops, table["N_lower"], table["N_upper"], page.main)
    ax.plot(flops, table["N"], color=page.main, lw=1.5, label=f"N* grows as C^{slope:.3f}")
    mark_, size = ("*", 8) if len(inside) < POINTS else (".", 2)
    ax.plot(
        inside["flops"], inside["N"], mark_, color=page.warm, ms=size, mec=page.paper, mew=0.4, label="optima"
    )
    if edge["N"].notna().any():
        ax.plot(edge["flops"], edge["N"], ".", color=page.quiet, ms=2, label="on an edge, left out", zorder=1)
    log_axis(ax, "x", FLOP)
    log_axis(ax, "y", COUNT)
    ax.set_xlim(flops[0], flops[-1])
    shade_beyond(ax, None, float(inside["flops"].max()))
    said = f"N* grows as C^{slope:.2f}"
    if draws is not None:
        said += f"\n[{exponents.loc['N', 'lower']:.2f}, {exponents.loc['N', 'upper']:.2f}]"
    note(ax, said, "upper left")
    ax.set(xlabel=COMPUTE, ylabel=QUANTITIES["N"])
    return ax


@checked
def plan_data(
    result: Plan | pd.DataFrame, quantity: str | None = None, published: Sequence[str] = ()
) -> pd.DataFrame:
    """A quantity of best runs over budgets, and what published laws say of the same budgets.

    Args:
        result: a `Plan`, which is followed from its runs' compute to its goals, or a table with a column of
            budgets, as `sj.compute_optimal` returns it.
        quantity: "N", "D", "loss", "tokens_per_param", or another column of the plan; N, or the first that is
            chosen.
        published: keys of `sj.published`, laws of N and D.

    Returns:
        Columns: who ("plan" or a key), kind ("path" or "goal"), flops (or the cost's own unit), value, lower,
        upper, beyond (decades from the runs, NaN where those are not known).

    Raises:
        ValueError: for a quantity that the plan lacks.

    >>> import scaling_jax as sj
    >>> plan = sj.plan(sj.published["besiroglu2024"], flops=[1e21, 1e24])
    >>> plan_data(plan, published=["hoffmann2022"]).groupby(["who", "kind"]).size().to_dict()
    {('hoffmann2022', 'path'): 41, ('plan', 'goal'): 2, ('plan', 'path'): 41}
    """
    goals = None
    if isinstance(result, Plan):
        goals, table = result.table, _followed(result).table
        spent = _spent(result, goals)
        goals = goals.assign(**{result.spent_name: spent})
    else:
        table = result
    budget = next((name for name in (*COSTS, *table.columns[:1]) if name in table), "flops")
    quantity = quantity or _usual(table, budget)
    if quantity not in table or quantity == budget:
        usual = [name for name in table if f"{name}_lower" in table or name in QUANTITIES]
        raise ValueError(f"quantity={shown(quantity)}: use one of {', '.join(usual)}.")
    parts = [_columns(table, budget, quantity, "path")]
    if goals is not None:
        parts.append(_columns(goals, budget, quantity, "goal"))
    for key in published:
        other = compute_optimal(printed[key], table[budget].to_numpy())
        parts.append(
            _columns(other, "flops", quantity, "path").assign(who=key).rename(columns={"flops": budget})
        )
    whole = pd.concat(parts, ignore_index=True)
    whole.attrs["quantity"] = quantity
    return whole


@checked
@picture
def plan(
    result: Plan | pd.DataFrame,
    quantity: str | None = None,
    ax: Axes | None = None,
    label: str | None = None,
    published: Sequence[str] = (),
) -> Axes:
    """Best runs over budgets with their band, the goals of a plan as stars, and published laws beside; solid
    inside the compute of the runs, dashed beyond. Numbers in `plan_data`.

    Args:
        result: a `Plan`, or a table as `sj.compute_optimal` and `sj.inference_optimal` return it.
        quantity: "N", "D", "loss", "tokens_per_param", or another column of the plan; N, or the first that is
            chosen.
        ax: axes to draw on, so that several plans can be laid over each other.
        label: what this plan is called.
        published: keys of `sj.published`, to be drawn beside.

    Raises:
        ValueError: for a quantity that the plan lacks.

    >>> import scaling_jax as sj
    >>> source = sj.published["besiroglu2024"]
    >>> plan(sj.plan(source, flops=[1e22, 1e24])).get_ylabel()
    'best model size N* (parameters)'
    """
    table = plan_data(result, quantity, published)
    quantity = table.attrs["quantity"]
    budget = table.columns[2]
    ax = axes_for(ax)
    page = palette_of(ax)
    colour = page.accents[len(ax.get_lines()) % len(page.accents)] if ax.get_lines() else page.main
    path = table[(table["who"] == "plan") & (table["kind"] == "path")]
    goals = table[table["kind"] == "goal"]
    if path["lower"].notna().any():
        band(ax, path[budget], path["lower"], path["upper"], colour)
    beyond = path["beyond"].fillna(0.0)
    by_distance(ax, path[budget], path["value"], beyond, colour, lw=1.6, zorder=3, label=label or quantity)
    ax.plot(goals[budget], goals["value"], "*", color=page.warm, ms=9, mec=page.paper, mew=0.5, zorder=5)
    log_axis(ax, "x", FLOP if budget == "flops" else PLAIN)
    if table["value"].min() > 0:
        log_axis(ax, "y", _kind(quantity))
    for row in goals.itertuples():
        mark(ax, row[3], row.value, written(row.value, _kind(quantity), 3), page.warm, (-4, 3))
    ends = [(float(path["value"].iloc[-1]), label or "this plan", colour)] if published or label else []
    for k, key in enumerate(published):
        other = table[table["who"] == key]
        tint = page.accents[(k + 2) % len(page.accents)]
        ax.plot(other[budget], other["value"], color=tint, lw=1.0, zorder=2)
        beads = other.iloc[BEADS // 2 :: BEADS]  # seen where their line is under ours
        ax.plot(beads[budget], beads["value"], "o", color=tint, ms=3.6, mec=page.paper, mew=0.4, zorder=4)
        ends.append((float(other["value"].iloc[-1]), key, tint))
    known = path.loc[path["beyond"] == 0, budget]
    if len(known) and len(known) < len(path):
        ax.set_xlim(path[budget].min(), path[budget].max())
        shade_beyond(ax, float(known.min()), float(known.max()))
    end_labels(ax, ends)
    percent = f"{100 * _level(result):g} % interval"
    if path["lower"].notna().any() and not ends:
        note(ax, f"band: {percent}", "upper left" if quantity in ("N", "D") else "lower left")
    ax.set(xlabel=COSTS.get(budget, budget), ylabel=QUANTITIES.get(quantity, quantity))
    return ax


def _usual(table: pd.DataFrame, budget: str) -> str:
    """The column that a reader asks about first."""
    return "N" if "N" in table else next(str(name) for name in table if name != budget)


def _level(result: Plan | pd.DataFrame) -> float:
    return result.level if isinstance(result, Plan) else result.attrs.get("level", 0.9)


def _columns(table: pd.DataFrame, budget: str, quantity: str, kind: str) -> pd.DataFrame:
    nothing = np.full(len(table), np.nan)
    return pd.DataFrame({
        "who": "plan", "kind": kind, budget: table[budget].to_numpy(), "value": table[quantity].to_numpy(),
        "lower": table.get(f"{quantity}_lower", nothing), "upper": table.get(f"{quantity}_upper", nothing),
        "beyond": table.get("extrapolation", nothing),
    })  # fmt: skip


def _spent(result: Plan, table: pd.DataFrame) -> np.ndarray:
    return result.point.spent[0] if result.reach else table[result.spent_name].to_numpy()


def _followed(result: Plan) -> Plan:
    """The same plan for many budgets, from the runs' compute (where it is what is spent) to the goals."""
    spent = _spent(result, result.table)
    ends = [*spent[np.isfinite(spent)]]
    rows = result.source.rows
    if {"N", "D"} <= set(rows) and result.spent_name == "flops":
        ends += [*(TOKENS_FLOP * rows["N"] * rows["D"])]
    low, high = min(ends), max(ends)
    if high < 10 * low:
        low, high = low / 10, high * 10
    goals = np.geomspace(low, high * 1.6, FEW_POINTS)
    point = result.problem.best(result.source.numbers[None], goals, False)
    drawn = None
    if result.drawn is not None and result.source.draws is not None:
        drawn = result.problem.best(result.source.draws, goals, False)
    return replace(result, goals=goals, reach=False, point=point, drawn=drawn)
