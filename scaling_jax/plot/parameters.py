"""Parameters together: draws of a bootstrap or a posterior pair by pair, with the ridge of the likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.plot.axes import grid_for, spans_decade
from scaling_jax.plot.labels import above
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import PAGE, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written
from scaling_jax.uncertainty.bootstrap import draws_of
from scaling_jax.uncertainty.draws import Draws, FitEnsemble
from scaling_jax.uncertainty.ensemble import interval
from scaling_jax.uncertainty.profile import profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pair_data", "pairs"]

MOST = 6  # parameters
CELL, LARGEST = 1.15, PAGE  # inches
TAIL = 0.005  # of the draws at each end that may lie outside the picture
BINS = 24
LEVEL = 0.9


@checked
def pair_data(
    source: Fitted | FitEnsemble, names: Sequence[str] | None = None, ridge: bool | None = None
) -> pd.DataFrame:
    """Draws of parameters, the estimate, and profiles: the best other parameters for each value of one.

    Args:
        source: a fit (its bootstrap is drawn), its bootstrap or its posterior.
        names: parameters; the first six that are free by default.
        ridge: whether profiles are made, refits in one batch for each parameter; by default for fits and
            their bootstraps, and not for posteriors, which priors move off the ridge.

    Returns:
        Columns: kind ("draw", "estimate", "ridge"), along (the parameter of a profile), and the parameters.

    Raises:
        ValueError: for parameters that the fit has not.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> pair_data(fit.bootstrap(50))["kind"].value_counts()[["draw", "estimate"]].tolist()
    [50, 1]
    """
    ensemble = draws_of(source) if isinstance(source, Fitted) else source
    fit = ensemble.fit
    own = {str(name): values for name, values in zip(ensemble.names, ensemble.numbers.T, strict=True)}
    free = [name for name in fit.law.labels if name in own and np.ptp(own[name]) > 0]
    chosen = list(names) if names is not None else free[:MOST]
    if unknown := [name for name in chosen if name not in own]:
        raise ValueError(f"names={shown(unknown)}: the draws hold {', '.join(own)}.")
    estimate = dict(zip(map(str, ensemble.names), ensemble.estimate, strict=True))
    parts = [pd.DataFrame({name: own[name] for name in chosen}).assign(kind="draw")]
    parts.append(pd.DataFrame({name: [estimate[name]] for name in chosen}).assign(kind="estimate"))
    wanted = isinstance(ensemble, Draws) if ridge is None else ridge
    for name in chosen if wanted and fit.runs is not None and not fit.shared else []:
        if name not in fit.law.labels or name in fit.fixed:
            continue
        found = profile(fit, name, LEVEL)
        table = found.table[found.table["drop"] <= 2 * found.cutoff].sort_values("value")
        line = {n: table["value"] if n == name else table[n] for n in chosen if n == name or n in table}
        parts.append(pd.DataFrame(line).assign(kind="ridge", along=name))
    return pd.concat(parts, ignore_index=True).reindex(columns=["kind", "along", *chosen])


@checked
@picture
def pairs(
    source: Fitted | FitEnsemble,
    names: Sequence[str] | None = None,
    ridge: bool | None = None,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Parameters pair by pair: draws as dots, the estimate as a diamond, and the ridge along which the
    likelihood is nearly as good; on the diagonal each by itself, with its 90 % interval shaded.

    Args:
        source, names, ridge: as in `pair_data`.
        ax: k * k axes for k parameters, row by row.

    Returns:
        (k, k) axes; those above the diagonal are empty.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> pairs(fit.bootstrap(50)).shape
    (2, 2)
    """
    table = pair_data(source, names, ridge)
    chosen = list(table.columns[2:])
    k = len(chosen)
    side = min(LARGEST, CELL * k + 0.5)
    axes = grid_for(ax, k, k, side, side).reshape(k, k)
    draws = table[table["kind"] == "draw"]
    spans = {name: _span(draws[name].to_numpy()) for name in chosen}
    for i, upward in enumerate(chosen):
        for j, across in enumerate(chosen):
            one = axes[i, j]
            if j > i:
                one.set_visible(False)
                continue
            if i == j:
                _alone(one, table, across, spans[across])
            else:
                _together(one, table, across, upward, spans)
            _ticks(one, "x", spans[across], across if i == k - 1 else "", i == k - 1)
            if i != j:
                _ticks(one, "y", spans[upward], upward if j == 0 else "", j == 0)
    if k > 1:
        _key(axes[0, 0], "ridge" in set(table["kind"]))
    return axes


def _key(ax: Axes, ridge: bool) -> None:
    """What the signs are, in the empty corner."""
    lines = ["blue: draws", f"orange: estimate, shade: {100 * LEVEL:g} %"]
    lines += ["lines: best fit as one is moved"] if ridge else []
    words = ax.annotate(
        "\n".join(lines), (1.0, 1.0), xycoords="axes fraction", xytext=(8, 0), textcoords="offset points",
        va="top", fontsize="small", color=palette_of(ax).quiet, annotation_clip=False,
    )  # fmt: skip
    words.set_in_layout(False)


def _alone(ax: Axes, table: pd.DataFrame, name: str, span: tuple[float, float, bool]) -> None:
    page = palette_of(ax)
    low, high, log = span
    values = table.loc[table["kind"] == "draw", name].to_numpy()
    edges = np.geomspace(low, high, BINS) if log else np.linspace(low, high, BINS)
    ax.hist(values, bins=edges.tolist(), color=page.main, alpha=0.55, lw=0)
    lower, upper = interval(values, LEVEL)
    ax.axvspan(float(lower), float(upper), color=page.main, alpha=0.14, lw=0)
    estimate = float(table.loc[table["kind"] == "estimate", name].iloc[0])
    ax.axvline(estimate, color=page.warm, lw=1.1)
    ax.set(yticks=[], xlim=(low, high))
    ax.spines["left"].set_visible(False)
    said = [written(float(value), digits=3) for value in (estimate, lower, upper)]
    above(ax, float(np.sqrt(low * high)) if log else (low + high) / 2, f"{said[0]} [{said[1]}, {said[2]}]")


def _together(ax: Axes, table: pd.DataFrame, across: str, upward: str, spans: dict[str, Any]) -> None:
    page = palette_of(ax)
    draws, point = table[table["kind"] == "draw"], table[table["kind"] == "estimate"]
    ax.plot(draws[across], draws[upward], ".", color=page.main, ms=1.6, mew=0, alpha=0.35, zorder=2)
    for along in (across, upward):
        line = table[(table["kind"] == "ridge") & (table["along"] == along)]
        ax.plot(line[across], line[upward], color=page.ink, lw=0.8, zorder=3)
    ax.plot(point[across], point[upward], "D", color=page.warm, ms=3, mec=page.paper, mew=0.4, zorder=4)
    ax.set(xlim=spans[across][:2], ylim=spans[upward][:2])


def _ticks(
    ax: Axes, which: Literal["x", "y"], span: tuple[float, float, bool], label: str, outer: bool
) -> None:
    from matplotlib.ticker import MaxNLocator

    if span[2]:
        log_axis(ax, which)
    else:
        (ax.xaxis if which == "x" else ax.yaxis).set_major_locator(MaxNLocator(3))
    getattr(ax, f"set_{which}label")(label)
    if not outer:
        ax.tick_params(which, which="both", labelbottom=False, labelleft=False)


def _span(values: np.ndarray) -> tuple[float, float, bool]:
    """Ends of an axis that hold nearly all draws, and whether it is logarithmic."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    if spans_decade([low, high]):
        room = (high / low) ** 0.05
        return float(low / room), float(high * room), True
    room = 0.05 * (high - low)
    return float(low - room), float(high + room), False
