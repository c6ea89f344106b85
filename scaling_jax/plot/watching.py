"""A run that is watched: its losses in their band, the evidence against it, and where it will end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.core.checked import checked
from scaling_jax.plot.axes import grid_for, loss_axis
from scaling_jax.plot.distance import DASH, band
from scaling_jax.plot.labels import axis_words, kind_of, mark, note
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.diagnosis.monitor import Monitor

__all__ = ["monitor"]


@checked
@picture
def monitor(result: Monitor, ax: Sequence[Axes] | None = None) -> np.ndarray:
    """Above, the run in the band that its own past gives it, and its forecast end; below, the evidence of a
    fault, which is an alarm once it passes the line. Numbers in `.table` and `.end`.

    Args:
        result: of `fit.monitor`.
        ax: two axes.

    Returns:
        The two axes.
    """
    axes = grid_for(ax, 2, 1, COLUMN, 3.4, sharex=True)
    page, table, along = palette_of(axes[0]), result.table, result.along
    x, end = table[along].to_numpy(), result.end
    over, under = axes
    band(over, x, table["lower"], table["upper"], page.main)
    over.plot(x, table["expected"], color=page.main, lw=1.1, zorder=3)
    over.plot(x, table["measured"], "o", color=page.ink, ms=2.2, mew=0, zorder=4)
    last = float(end[along])
    if last > x[-1]:
        colour = page.main if result.healthy else page.warm
        over.plot(
            [x[-1], last], [table["measured"].iloc[-1], end["prediction"]], color=colour, ls=DASH, lw=1.0
        )
        over.plot([last] * 2, [end["lower"], end["upper"]], color=colour, lw=1.4)
        over.plot([last], [end["prediction"]], "D", color=colour, ms=4, mec=page.paper, mew=0.5)
        mark(over, last, end["prediction"], f"end {written(float(end['prediction']))}", colour, (-4, -4))
    line = 1 / result.false_alarms
    under.plot(x, np.maximum(table["evidence"], 1e-300), color=page.ink, lw=1.2)
    under.axhline(line, color=page.warm, lw=0.9, ls="--")
    under.set_yscale("log")
    top = max(10 * line, min(float(table["evidence"].max()), 1e12) * 3)
    under.set_ylim(max(float(table["evidence"].min()) / 2, 1e-3), top)
    if not result.healthy:
        for one in axes:
            one.axvline(table.loc[result.onset, along], color=page.warm, lw=0.8, ls=(0, (1, 2)))
            one.axvline(table.loc[result.alarm, along], color=page.warm, lw=0.9)
        mark(under, table.loc[result.alarm, along], line, " alarm", page.warm, (3, 3))
        mark(under, table.loc[result.onset, along], under.get_ylim()[0], "begins ", page.warm, (-3, 3))
    for one in axes:
        log_axis(one, "x", kind_of(along))
    values = np.concatenate([table["measured"], table["lower"], table["upper"]])
    loss_axis(over, values)
    log_axis(under, "y")
    mark(
        under,
        under.get_xlim()[0],
        line,
        f"alarm line, {100 * result.false_alarms:g} % false alarms",
        page.warm,
        (3, 2),
    )
    said = "healthy so far" if result.healthy else f"not healthy: {100 * result.size:.2g} % above its trend"
    note(over, said, "upper right")
    over.set_ylabel("loss")
    under.set(xlabel=axis_words(along), ylabel="evidence of a fault")
    return axes
