"""Axes, ticks and colours that all pictures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.optional import needs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_for", "colours_of", "loss_axis", "plain_ticks"]


def loss_axis(ax: Axes, losses: ArrayLike) -> None:
    """Logarithmic; ticks as plain numbers within a decade."""
    ax.set_yscale("log")
    if np.max(losses) < 10 * np.min(losses):
        plain_ticks(ax)


def plain_ticks(ax: Axes) -> None:
    """Within a decade, ticks such as 1.5 and 2.5 rather than 2 x 10^0."""
    from matplotlib import ticker

    ax.yaxis.set_major_locator(ticker.MaxNLocator(6))
    ax.yaxis.set_major_formatter(ticker.ScalarFormatter())
    ax.yaxis.set_minor_locator(ticker.NullLocator())


def axes_for(ax: Axes | None) -> Axes:
    """The axes given, or those of a new figure."""
    if ax is not None:
        return ax
    plt = needs("matplotlib.pyplot", "plot", "Plots need")
    return plt.subplots(figsize=(6.4, 4.2), layout="constrained")[1]


def colours_of(n: int) -> np.ndarray:
    """(n, 4) colours from dark to light."""
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0, 0.9, n))
