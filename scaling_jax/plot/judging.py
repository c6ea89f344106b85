"""What speaks for and against a fit: which runs it rests on, how its back-tests went, and rival laws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.diagnosis.backtest import Backtest
from scaling_jax.forecasting.result import Forecast
from scaling_jax.plot.axes import axes_for
from scaling_jax.plot.labels import kind_of, note
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written
from scaling_jax.uncertainty.resample import cluster_of
from scaling_jax.uncertainty.sandwich import influence as moves_of
from scaling_jax.uncertainty.sandwich import standard_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult

__all__ = ["backtest", "backtest_data", "comparison", "influence", "influence_data"]

MOST = 12  # runs
LINE = 0.18  # inches of height for a run or a law
PARTS = 4
FAR = 1e3  # in-sample errors smaller than the largest by more are not drawn


@checked
def influence_data(fit: FitResult) -> pd.DataFrame:
    """By how many standard errors each parameter would move without each run, the weightiest run first.

    Returns:
        One row per run left out (row, where runs are unknown), one column per parameter, and `words`, which
        say where that run lies.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> influence_data(fit).columns.tolist()
    ['A', 'alpha', 'words']
    """
    moves = moves_of(fit)
    errors = standard_errors(fit).replace(0.0, np.nan)
    table = moves / errors
    codes, _ = cluster_of(fit.data())
    last = pd.Series(np.arange(len(codes))).groupby(codes).last()
    words = []
    for name, row in zip(moves.index, last, strict=True):
        at = ", ".join(f"{k} = {written(float(v[row]), kind_of(k), 3)}" for k, v in fit.data().inputs.items())
        words.append(f"{name}: {at}")
    table = table.assign(words=words)
    order = table.drop(columns="words").abs().max(axis=1).sort_values(ascending=False).index
    return table.loc[order]


@checked
@picture
def influence(fit: FitResult, ax: Axes | None = None) -> Axes:
    """The runs that the fit rests on most: by how many standard errors each parameter would move without
    them, to first order. Numbers in `influence_data`.

    Args:
        fit: a fit with its data.
        ax: axes to draw on.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> influence(fit).get_xlabel()
    'move without the run (standard errors)'
    """
    table = influence_data(fit).head(MOST).iloc[::-1]
    names = [name for name in table.columns.drop("words") if table[name].notna().any()]
    ax = axes_for(ax, COLUMN * 1.25, max(1.4, 0.7 + LINE * len(table)))
    page, at = palette_of(ax), np.arange(len(table))
    ax.axvline(0, color=page.quiet, lw=0.8)
    for k, name in enumerate(names):
        colour = page.accents[k % len(page.accents)]
        marker = "oDs^v<"[k // len(page.accents) % 6]
        ax.plot(table[name], at, marker, color=colour, ms=3.6, mew=0, label=name, alpha=0.9)
    farthest = table[names].abs().to_numpy().argmax(axis=1)
    ax.hlines(at, 0, table[names].to_numpy()[at, farthest], color=page.faint, lw=1.0, zorder=0)
    ax.set_yticks(at, list(table["words"]), fontsize="x-small")
    ax.set_ylim(-0.8, len(table) - 0.2)
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=min(len(names), 6), handletextpad=0.1,
              columnspacing=0.8, borderpad=0.1, fontsize="x-small")  # fmt: skip
    ax.set_xlabel("move without the run (standard errors)")
    return ax


@checked
def backtest_data(result: Backtest | Forecast) -> pd.DataFrame:
    """Errors of runs that were kept back, by how far ahead they lay.

    Returns:
        A row per run kept back: horizon (decades beyond the rows that were fitted), error, lower, upper
        (prediction over measured, less one, and the ends of its interval; NaN for forecasts).

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> backtest_data(fit.backtest()).columns.tolist()
    ['horizon', 'error', 'lower', 'upper']
    """
    if isinstance(result, Backtest):
        table = result.table
        share = {name: table[name] / table["measured"] - 1 for name in ("prediction", "lower", "upper")}
        return pd.DataFrame({"horizon": table["extrapolation"], "error": share.pop("prediction"), **share})
    table = result.backtest
    if "horizon" not in table:
        return pd.DataFrame(columns=["horizon", "error", "lower", "upper"])
    found = pd.DataFrame({"horizon": table["horizon"], "error": np.expm1(table["error"].astype(float))})
    return found.assign(lower=np.nan, upper=np.nan)


@checked
@picture
def backtest(result: Backtest | Forecast, ax: Axes | None = None) -> Axes:
    """How far the law missed runs that it was not shown, by the distance ahead: dots are runs, with the
    interval that was claimed; it held where the bar crosses zero. The line is the typical size of the error.
    Numbers in `backtest_data`.

    Args:
        result: of `fit.backtest()`, or a forecast.
        ax: axes to draw on.

    Raises:
        ValueError: where nothing was kept back.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> backtest(fit.backtest()).get_xlabel()
    'decades beyond the fitted rows'
    """
    table = backtest_data(result)
    if not len(table):
        raise ValueError("There is no back-test: the rows hold too few sizes to keep any back.")
    ax = axes_for(ax, height=2.3)
    page = palette_of(ax)
    table = table.sort_values("horizon", kind="stable")
    held = (table["lower"] <= 0) & (table["upper"] >= 0)
    known = table["lower"].notna().any()
    ax.axhline(0, color=page.quiet, lw=0.8)
    for inside, colour in ((True, page.main), (False, page.warm)):
        part = table[held == inside] if known else (table if inside else table.iloc[:0])
        ax.vlines(part["horizon"], 100 * part["lower"], 100 * part["upper"], color=colour, lw=0.8, alpha=0.6)
        ax.plot(part["horizon"], 100 * part["error"], "o", color=colour, ms=2.8, mew=0, alpha=0.8)
    if not known:
        sizes = _typical(table)
        if len(sizes) > 1:
            ax.plot(sizes.index, 100 * sizes, "-o", color=page.warm, lw=1.3, ms=3)
            note(ax, "line: typical size of the error", "upper left")
    else:
        level = 100 * result.level if isinstance(result, Backtest) else 90
        note(ax, f"{int(held.sum())} of {len(table)} inside their {level:g} %", "upper left")
    room = ax.get_ylim()
    ax.set_ylim(room[0], room[1] + 0.16 * (room[1] - room[0]))
    ax.set(xlabel="decades beyond the fitted rows", ylabel="predicted over measured (%)")
    return ax


def _typical(table: pd.DataFrame) -> pd.Series:
    """Median size of the error by horizon, in up to four groups of distinct horizons."""
    horizon = table["horizon"].round(2)
    parts = pd.qcut(horizon, min(PARTS, horizon.nunique()), labels=False, duplicates="drop")
    sizes = table["error"].abs().groupby(parts).median()
    return pd.Series(sizes.to_numpy(), index=table["horizon"].groupby(parts).median().to_numpy())


@checked
@picture
def comparison(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Laws ranked by what they predict of runs they were not shown, beside what they leave of the runs they
    were fitted to: a law whose dots are far apart fits better than it predicts.

    Args:
        table: of `sj.compare_laws`.
        ax: axes to draw on.

    Raises:
        ValueError: for another table, or one without anything held out.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]}
    >>> ranked = sj.compare_laws([sj.laws.power_law], table, holdout="x > 100")
    >>> comparison(ranked).get_xlabel()
    'error (root mean square, %)'
    """
    if not {"extrapolation", "in_sample"} <= set(table.columns):
        known = shown(list(table)[:9])
        raise ValueError(f"comparison takes what sj.compare_laws returns, not columns {known}.")
    if table["extrapolation"].isna().all():
        raise ValueError("Nothing was held out: give compare_laws a holdout=, or read its aicc.")
    ranked = table.sort_values("extrapolation", ascending=False)
    ax = axes_for(ax, COLUMN, max(1.3, 0.7 + LINE * len(ranked)))
    page, at = palette_of(ax), np.arange(len(ranked))
    out = 100 * np.expm1(ranked["extrapolation"].to_numpy())
    inside = 100 * np.expm1(ranked["in_sample"].to_numpy())
    inside = np.where(inside * FAR < np.nanmax(out), np.nan, inside)
    ax.hlines(at, np.fmin(inside, out), np.fmax(inside, out), color=page.faint, lw=1.4)
    ax.plot(inside, at, "o", mfc=page.paper, mec=page.main, ms=4, mew=1.0, label="fitted runs")
    ax.plot(out, at, "D", color=page.warm, ms=4, mec=page.paper, mew=0.4, label="held out")
    ax.set_yticks(at, [str(name) for name in ranked.index], fontsize="small")
    ax.set_ylim(-0.7, len(ranked) - 0.3)
    log_axis(ax, "x")
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, handletextpad=0.2, borderpad=0.1)
    ax.set_xlabel("error (root mean square, %)")
    return ax
