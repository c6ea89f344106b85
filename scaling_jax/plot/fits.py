"""The law with its runs against one input: dots, or training curves where runs have checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.engine.predict import predict
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.distance import by_distance
from scaling_jax.plot.labels import axis_words, end_labels, kind_of, note, target_words
from scaling_jax.plot.palette import palette_of, sequence
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult
    from scaling_jax.tables.runs import Runs

__all__ = ["curve_data", "curves"]

POINTS = 100
MOST_CURVES = 12
MOST_NAMES = 8
CHECKPOINTS = 4  # rows per run from which runs are drawn as curves
SHADES = 256
MOST_DOTS = 500


@checked
def curve_data(fit: FitResult, x: str | None = None) -> pd.DataFrame:
    """The runs and the fitted law against one input, one curve per value of the other inputs.

    Where the other inputs take more than 12 values, 12 of them get a curve and every run goes with the
    nearest.

    Args:
        fit: a fit with its data attached.
        x: the input on the axis; the law's last input by default.

    Returns:
        Columns: x, value, curve (label of the other inputs' values), kind ("run" or "fit"), place (where a
        run or a curve lies among the others, 0 to 1), run (number of the training run of a row), beyond
        (decades of a curve's points outside the runs that go with it).

    Raises:
        ValueError: x is not an input of the law.

    >>> import scaling_jax as sj
    >>> table = curve_data(sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}))
    >>> table["kind"].value_counts().to_dict()
    {'fit': 100, 'run': 3}
    """
    runs = fit.data()
    x = x or fit.law.inputs[-1]
    if x not in runs.inputs:
        raise ValueError(f"x={shown(x)}: law '{fit.law.name}' has the inputs {', '.join(fit.law.inputs)}.")
    others = [name for name in fit.law.inputs if name != x]
    points = pd.DataFrame({name: runs.inputs[name] for name in others}, index=range(len(runs)))
    distinct = points.drop_duplicates().sort_values(others).index.to_numpy() if others else np.array([0])
    drawn = distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), MOST_CURVES)).astype(int)]
    sign = "=" if len(drawn) == len(distinct) else "near"
    places = np.stack([_place(runs.inputs[name]) for name in others] or [np.zeros(len(runs))], axis=-1)
    nearest = np.argmin(((places[:, None] - places[drawn]) ** 2).sum(-1), axis=1)
    told_by = places[:, np.argmax(np.ptp(places, axis=0) > 0)]  # the first input that varies
    shade = (told_by - told_by.min()) / max(float(np.ptp(told_by)), 1e-300)
    number = np.arange(len(runs)) if runs.run is None else np.unique(runs.run, return_inverse=True)[1]
    column = runs.inputs[x]
    grid = np.geomspace(column[column > 0].min(), column.max(), POINTS)
    parts = []
    for k, row in enumerate(drawn):
        words = [f"{name} {sign} {written(points.loc[row, name], kind_of(name))}" for name in others]
        label = ", ".join(words) or fit.law.name
        along = {x: grid, **{name: np.full(POINTS, points.loc[row, name]) for name in others}}
        curve, own = predict(fit.law, fit.numbers, along)[0], nearest == k
        mine = {"curve": label, "kind": "run", "place": shade[own], "run": number[own], "beyond": 0.0}
        parts.append(pd.DataFrame({"x": column[own], "value": runs.target[own], **mine}))
        beyond = np.abs(np.log10(grid / np.clip(grid, column[own].min(), column[own].max())))
        line = {"curve": label, "kind": "fit", "place": shade[row], "run": -1, "beyond": beyond}
        parts.append(pd.DataFrame({"x": grid, "value": curve, **line}))
    return pd.concat(parts, ignore_index=True)


@checked
@picture
def curves(fit: FitResult, x: str | None = None, ax: Axes | None = None) -> Axes:
    """Runs as dots, or as training curves where they have checkpoints, and the law as lines, dashed where
    none of the curve's own runs is; numbers in `curve_data`.

    A run's colour is its own place among the other inputs, on the scale of the curves.

    >>> import scaling_jax as sj
    >>> axes = curves(sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}))
    >>> axes.get_xscale()
    'log'
    """
    ax = axes_for(ax)
    name = x or fit.law.inputs[-1]
    table = curve_data(fit, name)
    shades = sequence(SHADES, ax)
    dots, lines = table[table["kind"] == "run"], table[table["kind"] == "fit"]
    colour = shades[np.round(dots["place"] * (SHADES - 1)).astype(int)]
    alone = len(set(table["curve"])) == 1
    if alone:
        colour = np.full(len(dots), palette_of(ax).ink)
    trained = _has_checkpoints(fit.data())
    if trained:
        for _, run in dots.groupby("run"):
            run = run.sort_values("x")
            at = shades[round(float(run["place"].iloc[0]) * (SHADES - 1))]
            ax.plot(run["x"], run["value"], color=at, lw=0.6, alpha=0.55, zorder=2)
        note(ax, "thin: runs, thick: law", "lower left")
    if len(dots) <= MOST_DOTS:
        ax.scatter(dots["x"], dots["value"], s=7, c=colour, linewidths=0, zorder=3)
    ends = []
    for label, line in lines.groupby("curve", sort=False):
        at = shades[round(float(line["place"].iloc[0]) * (SHADES - 1))]
        if alone:
            at = palette_of(ax).main
        by_distance(ax, line["x"], line["value"], line["beyond"], at, lw=1.6 if trained else 1.1, zorder=4)
        ends.append((float(line["value"].iloc[-1]), str(label), at))
    log_axis(ax, "x", kind_of(name, fit.sources.get(name, "")))
    loss_axis(ax, table["value"])
    ax.set_xlim(table.loc[table["x"] > 0, "x"].min() / 1.15, table["x"].max() * 1.15)
    if len(ends) > 1:
        few = np.linspace(0, len(ends) - 1, min(len(ends), MOST_NAMES)).astype(int)
        end_labels(ax, [ends[i] for i in few])
    ax.set(xlabel=axis_words(name, fit.sources.get(name, "")), ylabel=target_words(fit))
    return ax


def _has_checkpoints(runs: Runs) -> bool:
    return runs.run is not None and len(runs) >= CHECKPOINTS * len(np.unique(runs.run))


def _place(column: np.ndarray) -> np.ndarray:
    """Where a run lies along an input: compared by ratio, or by difference where the input may be zero."""
    return np.log(column) if column.min() > 0 else column / max(float(np.ptp(column)), 1e-300)
