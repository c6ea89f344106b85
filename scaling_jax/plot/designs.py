"""Runs worth training next, where they lie, and what precision a budget buys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked
from scaling_jax.planning.designed import NextRuns
from scaling_jax.plot.axes import axes_for
from scaling_jax.plot.labels import axis_words, kind_of, mark, note
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import FLOP, written
from scaling_jax.uncertainty.ensemble import tail_of
from scaling_jax.uncertainty.tails import normal_quantile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult

__all__ = ["next_runs", "precision"]

SMALLEST, LARGEST = 12.0, 190.0  # points squared of a place
BOUGHT = ["budget", "runs", "sd", "halfwidth", "floor"]


@checked
@picture
def next_runs(result: NextRuns, fit: FitResult | None = None, ax: Axes | None = None) -> Axes:
    """The runs that are worth their cost, as discs whose area is their share of the budget, beside the runs
    that exist; numbers in `.table`.

    Args:
        result: of `sj.next_runs`.
        fit: the fit it was made from, whose runs are drawn as dots.
        ax: axes to draw on.

    >>> import scaling_jax as sj
    >>> source = sj.published["besiroglu2024"]
    >>> plan = sj.next_runs(source, 1e22, flops=1e24)
    >>> next_runs(plan).get_xlabel()
    'model size N (parameters)'
    """
    ax = axes_for(ax)
    page, table = palette_of(ax), result.table
    inputs = [name for name in table.columns if name not in ("runs", "cost", "share")]
    x = inputs[0]
    y = inputs[1] if len(inputs) > 1 else "runs"
    if fit is not None and y in fit.law.inputs:
        made = fit.data().inputs
        ax.plot(made[x], made[y], "o", color=page.quiet, ms=2, mew=0, alpha=0.8)
    size = SMALLEST + (LARGEST - SMALLEST) * table["share"] / table["share"].max()
    ax.scatter(
        table[x],
        table[y],
        s=size,
        color=page.warm,
        alpha=0.75,
        edgecolors=page.paper,
        linewidths=0.6,
        zorder=4,
    )
    log_axis(ax, "x", FLOP if x in ("C", "flops") else kind_of(x))
    if y != "runs":
        log_axis(ax, "y", kind_of(y))
    for row in table.itertuples(index=False):
        named = row._asdict()
        if named["share"] >= 0.05:
            times = f"{int(named['runs'])}×" if named["runs"] > 1 else ""
            mark(ax, named[x], named[y], f"{times} {100 * named['share']:.0f} %".strip(), page.ink, (7, 2))
    percent = 100 * normal_quantile(1 - tail_of(result.level))
    runs = int(table["runs"].sum())
    change = f"±{percent * result.before:.2g} % → ±{percent * result.after:.2g} %"
    told = f"{runs} run{'s' if runs > 1 else ''}: {change}"
    ax.margins(0.12)
    if not ax.get_title():
        ax.set_title(f"{told}\nof {_short(result.answer)}", fontsize="small", color=page.ink)
    if fit is not None and y in fit.law.inputs:
        note(ax, "grey: runs made\ndiscs: share of the cost", "lower right")
    ax.set(xlabel=axis_words(x), ylabel="runs" if y == "runs" else axis_words(y))
    return ax


@checked
@picture
def precision(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """How sure the answer is after the best runs of each budget, and the floor that these sizes cannot get
    below.

    Args:
        table: of `sj.precision_for`.
        ax: axes to draw on.

    Raises:
        ValueError: for another table.

    >>> import scaling_jax as sj
    >>> source = sj.published["besiroglu2024"]
    >>> bought = sj.precision_for(source, [1e21, 1e22], flops=1e24)
    >>> precision(bought).get_xlabel()
    'spent on runs (FLOP)'
    """
    table = _bought(table)
    ax = axes_for(ax, height=2.2)
    page = palette_of(ax)
    ratio = (table["halfwidth"] / table["sd"]).iloc[0]
    ax.plot(table["budget"], 100 * table["halfwidth"], "-o", color=page.main, ms=3.5)
    ax.plot(table["budget"], 100 * ratio * table["floor"], color=page.quiet, lw=0.9, ls="--")
    log_axis(ax, "x", FLOP)
    log_axis(ax, "y")
    for row in table.itertuples():
        words = f"{row.runs} run" if row.runs == 1 else f"{row.runs} runs"
        mark(ax, row.budget, 100 * row.halfwidth, words, page.quiet, (3, 3))
    mark(
        ax,
        table["budget"].iloc[0],
        100 * ratio * table["floor"].iloc[0],
        "floor of these sizes",
        page.quiet,
        (3, -2),
    )
    ax.margins(x=0.1)
    ax.set(xlabel="spent on runs (FLOP)", ylabel="half-width of the interval (%)")
    return ax


def _bought(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of `sj.precision_for` as numbers."""
    try:
        found = table[BOUGHT].astype(np.float64)
    except Exception:  # of any type, for columns that are not there or hold no numbers
        found = pd.DataFrame()
    if not len(found) or not np.isfinite(found).all(axis=None):
        raise ValueError(
            f"precision: give the table of sj.precision_for, with numbers as {', '.join(BOUGHT)}."
        )
    return found.astype({"runs": int})


def _short(answer: str) -> str:
    """The answer with its numbers as people write them."""
    words = []
    for word in answer.split(" "):
        bare = word.rstrip(",")
        try:
            value = float(bare)
        except ValueError:
            words.append(word)
            continue
        words.append(written(value, FLOP if value >= 1e15 else "count") + word[len(bare) :])
    return " ".join(words)
