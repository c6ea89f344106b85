"""What the law leaves over, against its prediction and every input, with the trend that adequacy sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.diagnosis.adequacy import look
from scaling_jax.plot.axes import axes_for, grid_for, spans_decade
from scaling_jax.plot.labels import axis_words, kind_of, mark, note, target_words
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import PAGE, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.tables.scale import TOKENS_FLOP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult

__all__ = ["residual_data", "residual_panels", "residuals"]

PARTS = 5  # of the rows along an axis, each with a median: what adequacy's table shows
FEWEST = 10  # rows from which a trend is drawn
ROW = 1.9  # inches
ALONG = {"D / N": "tokens per parameter D / N", "compute": "training compute C (FLOP)"}
MOST_NAMED = 6


@checked
def residual_data(fit: FitResult) -> pd.DataFrame:
    """Prediction, residual (on the objective's scale), miss (prediction over target, less one) and inputs per
    fitted row; for laws of N and D also "D / N" and "compute".

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> residual_data(fit).columns.tolist()
    ['prediction', 'residual', 'miss', 'x']
    """
    runs = fit.data()
    predicted = fit.at_rows.prediction
    with np.errstate(all="ignore"):
        miss = predicted / runs.target - 1
    table = pd.DataFrame(
        {"prediction": predicted, "residual": fit.residuals, "miss": miss, **runs.inputs}, index=runs.rows
    )
    if {"N", "D"} <= set(runs.inputs):
        table["D / N"] = runs.inputs["D"] / runs.inputs["N"]
        table["compute"] = TOKENS_FLOP * runs.inputs["N"] * runs.inputs["D"]
    return table


@checked
@picture
def residuals(fit: FitResult, against: str = "prediction", ax: Axes | None = None) -> Axes:
    """By how many per cent the law is too high or too low, against its prediction or an input.

    The line goes through the medians of five equal parts of the rows; it is drawn in the colour of an alarm
    where `fit.adequacy()` finds the law wanting. Outliers are named by their row. Numbers in `residual_data`.

    Args:
        fit: a fit with its data.
        against: "prediction", an input of the law, or "D / N" or "compute" for laws of N and D.
        ax: axes to draw on.

    Raises:
        ValueError: for something that the rows have no value of.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> residuals(fit).get_ylabel()
    'law above the run (%)'
    """
    table = residual_data(fit)
    if against not in table or against in ("residual", "miss"):
        known = ", ".join(table.columns.drop(["residual", "miss"]))
        raise ValueError(f"against={shown(against)}: use one of {known}.")
    ax = axes_for(ax, height=2.3)
    page, seen = palette_of(ax), look(fit)
    ax.axhline(0, color=page.quiet, lw=0.8)
    ax.plot(table[against], 100 * table["miss"], "o", ms=2.6, mew=0, color=page.main, alpha=0.6)
    trend = _medians(table[against].to_numpy(), 100 * table["miss"].to_numpy())
    if len(table) >= FEWEST:
        colour = page.warm if seen.speaks else page.ink
        ax.plot(*trend, "-o", color=colour, lw=1.4, ms=3, mec=page.paper, mew=0.5, zorder=4)
    for row in list(fit.certificate.outliers)[:MOST_NAMED]:
        mark(ax, table.loc[row, against], 100 * table.loc[row, "miss"], f"row {row}", page.quiet)
    if spans_decade(table[against]):
        log_axis(ax, "x", "flop" if against == "compute" else kind_of(against, fit.sources.get(against, "")))
    column = fit.sources.get(against, "")
    words = f"predicted {target_words(fit)}" if against == "prediction" else axis_words(against, column)
    ax.set(xlabel=ALONG.get(against, words), ylabel="law above the run (%)")
    return ax


@checked
@picture
def residual_panels(fit: FitResult, ax: Sequence[Axes] | None = None) -> np.ndarray:
    """`residuals` against the prediction, every input, and D / N and compute where there are N and D, with
    what adequacy says of them.

    Args:
        fit: a fit with its data.
        ax: as many axes as there are panels.

    Returns:
        The axes, one for each panel.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> len(residual_panels(fit))
    2
    """
    names = list(residual_data(fit).columns.drop(["residual", "miss"]))
    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    axes = grid_for(ax, rows, columns, PAGE, ROW * rows)[: len(names)] if ax is None else np.asarray(ax)
    if ax is None:
        for spare in grid_of(axes[0])[len(names) :]:
            spare.set_visible(False)
    for one, name in zip(axes, names, strict=True):
        residuals(fit, name, ax=one)
    for k, one in enumerate(axes):
        if k % columns:
            one.set_ylabel("")
    seen = look(fit)
    if not np.isnan(seen.p):
        note(axes[0], f"pattern, p = {seen.p:.1g}" if seen.speaks else f"no pattern, p = {seen.p:.2g}")
    return axes


def grid_of(ax: Axes) -> list[Axes]:
    """All axes of the figure that these stand in."""
    return list(ax.figure.figure.axes)


def _medians(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of both in equal parts of the rows, in the order of x."""
    order = np.argsort(x, kind="stable")
    parts = [part for part in np.array_split(order, PARTS) if len(part)]
    return np.array([np.median(x[part]) for part in parts]), np.array([np.median(y[part]) for part in parts])
