"""A forecast: its runs, its band, the members it is made of with their weights, and how back-tests went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked
from scaling_jax.forecasting.result import Forecast, log_points
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.distance import band, by_distance, shade_beyond
from scaling_jax.plot.labels import axis_words, end_labels, kind_of, mark, note
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.path import Path, path_through
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["forecast", "forecast_data", "weights"]

POINTS = 60
NAMED = 3  # members
LINE = 0.17
FAINTEST = 0.25


@checked
def forecast_data(result: Forecast, ratio: float | None = None, level: float = 0.9) -> pd.DataFrame:
    """Runs, the forecast and its members along one way to the farthest run that was asked for.

    Args:
        result: of `sj.forecast`.
        ratio: tokens per parameter of the way; those of the farthest run by default.
        level: of the band.

    Returns:
        Columns: kind ("run", "moved", "forecast", "member", "target"), member, weight, x, value, lower,
        upper, beyond (decades from the data).
    """
    return _along(result, ratio, level)[0]


@checked
@picture
def forecast(
    result: Forecast, ratio: float | None = None, level: float = 0.9, ax: Axes | None = None
) -> Axes:
    """The fan of a forecast: runs, the median with its band, and every member as a thin line, the stronger
    the more it weighs; diamonds are the runs that were asked for. Numbers in `forecast_data`.

    Args:
        result, ratio, level: as in `forecast_data`.
        ax: axes to draw on.
    """
    table, way = _along(result, ratio, level)
    ax = axes_for(ax)
    page = palette_of(ax)
    parts = dict(tuple(table.groupby("kind")))
    whole, targets = parts["forecast"], parts["target"]
    band(ax, whole["x"], whole["lower"], whole["upper"], page.main, 0.18)
    by_distance(ax, whole["x"], whole["value"], whole["beyond"], page.main, lw=1.8, zorder=4)
    most = table["weight"].max()
    ends = [
        (float(whole["value"].iloc[-1]), "forecast", page.main),
        (float(whole["upper"].iloc[-1]), f"{100 * level:g} %, new run", page.main),
    ]
    named = parts["member"].groupby("member")["weight"].first().nlargest(NAMED).index
    for name, member in parts["member"].groupby("member", sort=False):
        weight = float(member["weight"].iloc[0])
        strength = FAINTEST + (1 - FAINTEST) * weight / most
        ax.plot(member["x"], member["value"], color=page.accents[2], lw=0.8, alpha=strength, zorder=3)
        if name in named:
            ends.append((float(member["value"].iloc[-1]), f"{name} {100 * weight:.0f} %", page.accents[2]))
    for kind, face in (("moved", "none"), ("run", page.ink)):
        if kind in parts:
            dots = parts[kind]
            ax.plot(dots["x"], dots["value"], "o", mfc=face, mec=page.ink, mew=0.5, ms=2.6, zorder=5)
    for row in targets.itertuples():
        ax.plot([row.x] * 2, [row.lower, row.upper], color=page.warm, lw=1.2, zorder=5)
        ax.plot([row.x], [row.value], "D", color=page.warm, ms=4, mec=page.paper, mew=0.5, zorder=6)
        if len(targets) <= NAMED:
            mark(ax, row.x, row.value, written(row.value, digits=3), page.warm, (-4, -3))
    log_axis(ax, "x", "flop" if way.along == "C" else kind_of(way.along))
    ax.set_xlim(whole["x"].min(), whole["x"].max())
    seen = table[["value", "lower", "upper"]].to_numpy(float)
    loss_axis(ax, seen[np.isfinite(seen)])
    shade_beyond(ax, None, float(table.loc[table["kind"].isin(("run", "moved")), "x"].max()))
    end_labels(ax, ends)
    if "moved" in parts:
        note(ax, ("● as measured\n" if "run" in parts else "") + "○ moved from other D/N", "upper right")
    words = str(result.target).replace("_", " ")
    ax.set(
        xlabel=axis_words(way.along, result.columns.get(way.along, "")),
        ylabel=words + (f" at {way.words}" if way.words else ""),
    )
    return ax


@checked
@picture
def weights(result: Forecast, ax: Axes | None = None) -> Axes:
    """What each member of a forecast weighs, and how far it missed in the back-tests; numbers in
    `.members`."""
    table = result.members.sort_values("weight")
    ax = axes_for(ax, COLUMN, max(1.2, 0.5 + LINE * len(table)))
    page, at = palette_of(ax), np.arange(len(table))
    ax.barh(at, 100 * table["weight"], color=page.accents[2], height=0.7)
    ax.set_yticks(at, list(table.index), fontsize="small")
    for y, weight, error in zip(at, table["weight"], table["backtest_error"], strict=True):
        told = "" if np.isnan(error) else f"missed by {100 * error:.2g} %"
        mark(ax, 100 * weight, float(y), told, page.quiet, (3, 0))
    ax.set_xlim(0, 100 * table["weight"].max() * 1.65)
    ax.set_xlabel("weight (%), and the error in back-tests")
    return ax


def _along(result: Forecast, ratio: float | None, level: float) -> tuple[pd.DataFrame, Path]:
    names = result.known.names
    inputs = {name: np.exp(result.known.inputs[:, i]) for i, name in enumerate(names)}
    asked = {name: np.exp(result.points[:, i]) for i, name in enumerate(names)}
    way = path_through(inputs, None, ratio, asked)
    places, there = way.place(inputs), way.place(asked)
    high = float(places.max())
    grid = np.unique(np.append(np.geomspace(places.min(), max(1.5 * there.max(), high), POINTS), high))
    beyond = np.maximum(np.log10(grid / high), 0.0)
    on_way = way.at(grid)
    whole = result.predict(on_way, "prediction", level)
    assert isinstance(whole, pd.DataFrame)
    parts = [_row("forecast", grid, whole["prediction"], whole["lower"], whole["upper"], beyond)]
    said = np.exp(result.batch.ahead(0, log_points(on_way, result.columns)).predicted[0])
    for (name, weight), curve in zip(result.weights.items(), said, strict=True):
        parts.append(_row("member", grid, curve, beyond=beyond).assign(member=str(name), weight=weight))
    own, moved = (np.asarray(result.predict(at)) for at in (inputs, way.at(places)))
    measured = np.exp(result.known.target)
    on = way.near(inputs)
    dots = _row("run", places, np.where(on, measured, measured * moved / own))
    parts.append(dots.assign(kind=np.where(on, "run", "moved")))
    ends = result.interval(level)
    far = np.maximum(np.log10(there / high), 0.0)
    parts.append(_row("target", there, ends["prediction"], ends["lower"], ends["upper"], far))
    columns = ["kind", "member", "weight", "x", "value", "lower", "upper", "beyond"]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns), way


def _row(
    kind: str,
    x: np.ndarray,
    value: np.ndarray | pd.Series,
    lower: np.ndarray | pd.Series | float = np.nan,
    upper: np.ndarray | pd.Series | float = np.nan,
    beyond: np.ndarray | float = 0.0,
) -> pd.DataFrame:
    return pd.DataFrame({
        "kind": kind, "x": x, "value": np.asarray(value), "lower": np.asarray(lower),
        "upper": np.asarray(upper), "beyond": beyond,
    })  # fmt: skip
