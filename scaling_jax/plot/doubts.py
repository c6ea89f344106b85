"""What a fit's answer rests on: profiles of parameters, and what other choices would have given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.core.checked import checked
from scaling_jax.plot.axes import axes_for, spans_decade
from scaling_jax.plot.labels import above, kind_of, mark
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.diagnosis.sensitivity import Sensitivity
    from scaling_jax.uncertainty.profile import Profile

__all__ = ["profile", "sensitivity"]

LINE = 0.17  # inches of height for a choice


@checked
@picture
def profile(result: Profile, ax: Axes | None = None) -> Axes:
    """A profile: the fall in log-likelihood by the parameter's value, and the interval where it stays below
    the cut-off; see `.table`.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> profile(fit.profile("alpha")).get_xlabel()
    'alpha'
    """
    ax = axes_for(ax, height=2.3)
    page = palette_of(ax)
    table = result.table[result.table["drop"] <= 4 * result.cutoff].sort_values("value")
    low = table["value"].min() if result.open_below else result.lower
    high = table["value"].max() if result.open_above else result.upper
    ax.axvspan(low, high, color=page.main, alpha=0.14, lw=0)
    ax.plot(table["value"], table["drop"], "-o", color=page.main, ms=2.5)
    ax.axhline(result.cutoff, color=page.quiet, lw=0.8, ls="--")
    ax.axvline(result.estimate, color=page.quiet, lw=0.8)
    if spans_decade(table["value"]):
        log_axis(ax, "x")
    ax.set_ylim(0, None)
    ax.set(xlabel=result.name, ylabel="fall in log-likelihood")
    mark(ax, ax.get_xlim()[0], result.cutoff, f"{100 * result.level:g} % cut-off", page.quiet, (3, 2))
    for end, opened, at in (
        (result.lower, result.open_below, (-3, -2)),
        (result.upper, result.open_above, (3, -2)),
    ):
        words = "open" if opened else written(end, digits=3)
        mark(ax, low if at[0] < 0 else high, ax.get_ylim()[1], words, page.main, at)
    return ax


@checked
@picture
def sensitivity(result: Sensitivity, ax: Axes | None = None) -> Axes:
    """The answer under every choice, the farthest first, beside the interval of the fit as it stands; numbers
    in `.table`.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> sensitivity(fit.sensitivity({"x": 1e4})).get_xlabel()
    'prediction at x = 10000'
    """
    answer = result.answer[np.isfinite(result.answer)]
    fitted = float(answer["as fitted"])
    others = answer.drop("as fitted")
    ordered = others.reindex((others / fitted - 1).abs().sort_values().index)
    ax = axes_for(ax, COLUMN * 1.25, max(1.2, 0.55 + LINE * len(ordered)))
    page = palette_of(ax)
    at = np.arange(len(ordered))
    if result.interval is not None:
        ax.axvspan(*result.interval, color=page.main, alpha=0.14, lw=0)
    ax.axvline(fitted, color=page.main, lw=1.2)
    outside = np.zeros(len(ordered), dtype=bool)
    if result.interval is not None:
        outside = ((ordered < result.interval[0]) | (ordered > result.interval[1])).to_numpy()
    colours = np.where(outside, page.warm, page.main)
    ax.hlines(at, fitted, ordered, color=colours, lw=1.6)
    ax.scatter(ordered, at, c=colours, s=14, zorder=3)
    ax.set_yticks(at, list(ordered.index), fontsize="small")
    ax.set_ylim(-0.8, len(ordered) - 0.2)
    if spans_decade(answer):
        log_axis(ax, "x")
    if result.interval is not None:
        above(ax, float(np.mean(result.interval)), f"{100 * result.level:g} % interval as fitted")
    where = ", ".join(f"{name} = {written(value, kind_of(name))}" for name, value in result.at.items())
    answered = f"prediction at {where}"
    if result.flops is not None:
        answered = f"tokens per parameter at {written(result.flops, 'flop')} FLOP"
    ax.set_xlabel(answered)
    return ax
