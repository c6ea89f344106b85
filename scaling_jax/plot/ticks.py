"""Ticks of logarithmic axes as people write them: 7B, 1.4T, 1e24, 2.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.reporting.numbers import PLAIN, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["log_axis"]

NARROW, ROOMY, WIDE = 0.75, 2.3, 7.0  # decades
MOST = 7


def log_axis(ax: Axes, which: str, kind: str = PLAIN) -> None:
    """Makes an axis logarithmic, with ticks that suit what it shows now.

    Args:
        ax: the axes, with everything drawn on them.
        which: "x" or "y".
        kind: of the numbers, as in `written`.
    """
    from matplotlib import ticker

    getattr(ax, f"set_{which}scale")("log")
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = sorted(getattr(ax, f"get_{which}lim")())
    decades = np.log10(high) - np.log10(low) if low > 0 else np.inf

    def words(value: float, _: object) -> str:
        return written(value, kind)

    axis.set_major_formatter(ticker.FuncFormatter(words))
    axis.set_minor_formatter(ticker.NullFormatter())
    axis.set_minor_locator(ticker.LogLocator(subs=range(2, 10), numticks=100))
    if decades < NARROW:
        axis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_minor_locator(ticker.NullLocator())
    elif decades < ROOMY:
        subs = (1.0, 2.0, 5.0) if decades < ROOMY / 1.5 else (1.0, 3.0)
        axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=100))
    else:
        every = int(np.ceil(decades / MOST)) if np.isfinite(decades) else 1
        axis.set_major_locator(ticker.LogLocator(base=10.0**every, numticks=100))
        if decades > WIDE:
            axis.set_minor_locator(ticker.LogLocator(numticks=100))
