"""Axes that all pictures share: those that are given, or those of a new figure in our look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.optional import needs
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import COLUMN, HEIGHT
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_for", "grid_for", "loss_axis", "spans_decade"]


def axes_for(ax: Axes | None, width: float = COLUMN, height: float = HEIGHT) -> Axes:
    """The axes given, or those of a new figure of this size, inches."""
    return grid_for(None if ax is None else [ax], 1, 1, width, height)[0]


def grid_for(
    ax: Sequence[Axes] | np.ndarray | None,
    rows: int,
    columns: int,
    width: float,
    height: float,
    **share: bool,
) -> np.ndarray:
    """(rows * columns,) axes: those given, or those of a new figure.

    Raises:
        ValueError: where another number of axes is given.
    """
    if ax is not None:
        given = np.asarray(ax, dtype=object).ravel()
        if len(given) < rows * columns:
            raise ValueError(f"ax= holds {len(given)} axes, and this picture needs {rows * columns}.")
        return given[: rows * columns]
    plt = needs("matplotlib.pyplot", "plot", "Plots need")
    figure, made = plt.subplots(
        rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **share
    )
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03)
    for one in made.flat:
        dress(one)
    return np.asarray(made.ravel())


def dress(ax: Axes) -> None:
    """Our look, said to the axes themselves: ticks are made when they are drawn, outside of any context."""
    page, said = palette_of(ax), needs("matplotlib", "plot", "Plots need").rcParams
    ax.spines[:].set_color(page.ink)
    for which in ("x", "y"):
        for level in ("major", "minor"):
            ax.tick_params(
                which,
                which=level,
                colors=page.ink,
                labelsize=said[f"{which}tick.labelsize"],
                width=said[f"{which}tick.{level}.width"],
                length=said[f"{which}tick.{level}.size"],
            )
    left = ax._left_title  # type: ignore[attr-defined]  # Matplotlib gives its text, but not the artist
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title, left):
        label.set_color(page.ink)


def loss_axis(ax: Axes, losses: ArrayLike | None = None) -> None:
    """The upward axis in logarithms, ticks as plain numbers; as it is where losses reach zero or below."""
    if losses is None or np.nanmin(np.asarray(losses, dtype=float)) > 0:
        log_axis(ax, "y", PLAIN)


def spans_decade(values: ArrayLike) -> bool:
    """Whether numbers ask for a logarithmic axis."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return bool(len(known) and known.min() > 0 and known.max() > 10 * known.min())
