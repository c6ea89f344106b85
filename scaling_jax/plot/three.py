"""Approaches 1, 2 and 3 in one picture: what each reads off the same table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.allocation.family import NAMES, Approaches
from scaling_jax.core.checked import checked, shown
from scaling_jax.plot.axes import axes_for
from scaling_jax.plot.distance import band, shade_beyond
from scaling_jax.plot.labels import end_labels
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.plans import COMPUTE, QUANTITIES
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import COUNT, FLOP, PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["approaches"]

POINTS = 25
BELOW, AHEAD = 100.0, 20.0  # of the largest run's compute


@checked
@picture
def approaches(result: Approaches, quantity: str = "N", level: float = 0.9, ax: Axes | None = None) -> Axes:
    """The best run of each budget by every approach, with its band; where bands are apart the approaches
    disagree. Numbers in `.optimal(flops)`.

    Args:
        result: of `sj.approaches`.
        quantity: "N", "D" or "loss".
        level: of the bands.
        ax: axes to draw on.

    Raises:
        ValueError: for another quantity.
    """
    if quantity not in ("N", "D", "loss"):
        raise ValueError(f"quantity={shown(quantity)}: use one of N, D, loss.")
    flops = np.geomspace(result.largest / BELOW, result.largest * AHEAD, POINTS)
    table = result.optimal(flops, level)
    ax = axes_for(ax)
    page, ends = palette_of(ax), []
    for k, n in enumerate(result.members):
        own, colour = table[table["approach"] == NAMES[n]], page.accents[k]
        band(ax, own["flops"], own[f"{quantity}_lower"], own[f"{quantity}_upper"], colour, 0.18)
        ax.plot(own["flops"], own[quantity], color=colour, lw=1.5, zorder=3)
        ends.append((float(own[quantity].iloc[-1]), NAMES[n], colour))
    log_axis(ax, "x", FLOP)
    log_axis(ax, "y", PLAIN if quantity == "loss" else COUNT)
    ax.set_xlim(flops[0], flops[-1])
    shade_beyond(ax, None, result.largest)
    end_labels(ax, ends)
    ax.set(xlabel=COMPUTE, ylabel=QUANTITIES[quantity])
    return ax
