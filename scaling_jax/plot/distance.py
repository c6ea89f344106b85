"""How far from the data a curve is: solid inside, dashed beyond, and the page shaded by the distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_jax.plot.labels import above
from scaling_jax.plot.palette import palette_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["band", "by_distance", "shade_beyond"]

STEPS, DARKEST = 6, 0.55  # shades per three decades, and the last one's strength
DASH = (0, (3.2, 1.6))
EDGE = 1e-9
CLEAR = 0.27  # of the axis, between the middles of "end of data" and ×10


def by_distance(
    ax: Axes, x: np.ndarray, y: np.ndarray, beyond: np.ndarray, colour: Any, **options: Any
) -> None:
    """A curve, solid where `beyond` (decades from the data) is zero and dashed elsewhere."""
    x, y, out = np.asarray(x), np.asarray(y), np.asarray(beyond) > EDGE
    ends = np.flatnonzero(np.diff(out.astype(int))) + 1
    for piece in np.split(np.arange(len(x)), ends):
        if len(piece):
            dashed = bool(out[piece[0]])
            first = max(piece[0] - 1, 0) if dashed else piece[0]
            last = min(piece[-1] + 2, len(x)) if dashed else piece[-1] + 1
            shape = {"ls": DASH} if dashed else {"ls": "-"}
            ax.plot(x[first:last], y[first:last], color=colour, **shape, **options)


def band(
    ax: Axes, x: np.ndarray, lower: np.ndarray, upper: np.ndarray, colour: Any, strength: float = 0.22
) -> None:
    """The space between two curves."""
    ax.fill_between(x, lower, upper, color=colour, alpha=strength, lw=0, zorder=1.5)


def shade_beyond(ax: Axes, low: float | None, high: float) -> None:
    """Shades a logarithmic axis beyond the data, the darker the farther, and tells the distance above.

    Args:
        ax: the axes, their limits in x as they will stay.
        low: least value of the data, or None where nothing below is to be shaded.
        high: largest.
    """
    left, right = ax.get_xlim()
    page = palette_of(ax)
    for edge, end, step in ((high, right, 10**0.5), (low, left, 10**-0.5)):
        if edge is None or (end - edge) * (step - 1) <= 0:
            continue
        ax.axvline(edge, color=page.quiet, lw=0.7, ls=(0, (1, 2)), zorder=0.6)
        for k in range(STEPS):
            a, b = edge * step**k, edge * step ** (k + 1)
            if (end - a) * (step - 1) <= 0:
                break
            last = k == STEPS - 1
            b = end if last or (b - end) * (step - 1) > 0 else b
            ax.axvspan(
                min(a, b), max(a, b), color=page.faint, alpha=DARKEST * (k + 1) / STEPS, lw=0, zorder=0.5
            )
    ax.set_xlim(left, right)
    far = int(np.floor(np.log10(right / high) + EDGE)) if right > high else 0
    if right > high * 1.5:
        above(ax, high, "end of data")
    width, last = np.log(right / left), np.log(high)
    for power in range(1, min(far, 4) + 1):
        at = np.log(high * 10.0**power)
        if at - last > (CLEAR if power == 1 else CLEAR / 2) * width:
            above(ax, high * 10.0**power, f"×{10**power:,}")
            last = at
