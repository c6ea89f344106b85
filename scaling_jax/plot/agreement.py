"""Predicted against measured: how near the law comes to the runs it was fitted to, and to those held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked
from scaling_jax.diagnosis.backtest import Backtest
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.labels import note, target_words
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.numbers import floats
from scaling_jax.tables.runs import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult

__all__ = ["predicted", "predicted_data"]

ROOM = 0.03  # of the range in logarithms, beside the dots
SIDE = 2.9  # inches


@checked
def predicted_data(
    fit: FitResult, holdout: TableLike | Backtest | None = None, level: float = 0.9
) -> pd.DataFrame:
    """Measured and predicted values of the fitted rows, and of rows held out.

    Args:
        fit: a fit with its data.
        holdout: rows the fit has not seen, with the target; or a backtest of the fit, whose rows were
            predicted by a fit without them.
        level: of the intervals of new runs.

    Returns:
        A row per run: kind ("fitted", "held out"), measured, predicted, lower, upper (NaN for fitted rows).

    Raises:
        DataError: for held-out rows without the target.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
    >>> predicted_data(fit)["predicted"].round(2).tolist()
    [4.0, 2.0, 1.0]
    """
    runs = fit.data()
    own = pd.DataFrame({
        "kind": "fitted", "measured": runs.target, "predicted": fit.at_rows.prediction
    }, index=runs.rows)  # fmt: skip
    if holdout is None:
        return own.assign(lower=np.nan, upper=np.nan)
    if isinstance(holdout, Backtest):
        out = holdout.table.rename(columns={"prediction": "predicted"})
        own = own.drop(index=out.index, errors="ignore")
    else:
        frame, column = as_frame(as_columns(holdout)), fit.sources.get("target", fit.law.target)
        if column not in frame.columns:
            raise DataError(f"holdout= lacks the column '{column}', what its runs really showed.")
        out = fit.predict(holdout, interval="prediction", level=level)
        out = out.rename(columns={"prediction": "predicted"})
        out["measured"] = floats(frame[column])
    columns = ["kind", "measured", "predicted", "lower", "upper"]
    return pd.concat([own, out.assign(kind="held out")]).reindex(columns=columns)


@checked
@picture
def predicted(
    fit: FitResult, holdout: TableLike | Backtest | None = None, level: float = 0.9, ax: Axes | None = None
) -> Axes:
    """Predicted against measured, held-out runs marked with the interval they were given; on the line the law
    is right, above it promises too much loss. Numbers in `predicted_data`.

    Args:
        fit, holdout, level: as in `predicted_data`.
        ax: axes to draw on.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
    >>> predicted(fit).get_ylabel()
    'predicted loss'
    """
    table = predicted_data(fit, holdout, level)
    ax = axes_for(ax, SIDE, SIDE)
    page = palette_of(ax)
    values = table[["measured", "predicted"]].to_numpy(float)
    low, high = np.nanmin(values), np.nanmax(values)
    own, out = table[table["kind"] == "fitted"], table[table["kind"] == "held out"]
    ax.plot(own["measured"], own["predicted"], "o", color=page.main, ms=2.8, mew=0, alpha=0.75, zorder=3)
    ax.vlines(out["measured"], out["lower"], out["upper"], color=page.warm, lw=0.8, alpha=0.7, zorder=4)
    ax.plot(
        out["measured"], out["predicted"], "D", color=page.warm, ms=3.4, mec=page.paper, mew=0.4, zorder=5
    )
    log = low > 0
    room = (high / low) ** ROOM if log else ROOM * (high - low)
    ends = (low / room, high * room) if log else (low - room, high + room)
    ax.plot(ends, ends, color=page.quiet, lw=0.8, zorder=2)
    ax.set(xlim=ends, ylim=ends, aspect="equal")
    if log:
        log_axis(ax, "x")
        loss_axis(ax)
    words = target_words(fit)
    ax.set(xlabel=f"measured {words}", ylabel=f"predicted {words}")
    note(ax, "predicted too high", "upper left")
    _told(ax, own, out, level)
    return ax


def _told(ax: Axes, own: pd.DataFrame, out: pd.DataFrame, level: float) -> None:
    """How large the errors are, in each kind's colour."""
    page = palette_of(ax)
    lines = [(f"{len(own)} fitted: {_error(own)}", page.main)]
    if len(out):
        held = int(((out["measured"] >= out["lower"]) & (out["measured"] <= out["upper"])).sum())
        lines.append((f"{len(out)} held out: {_error(out)},", page.warm))
        lines.append((f"{held} inside their {100 * level:g} %", page.warm))
    for k, (words, colour) in enumerate(reversed(lines)):
        ax.annotate(
            words,
            (0.98, 0.03),
            xycoords="axes fraction",
            xytext=(0, 9 * k),
            textcoords="offset points",
            ha="right",
            fontsize="small",
            color=colour,
        )


def _error(table: pd.DataFrame) -> str:
    """The typical error in per cent of what was measured."""
    with np.errstate(all="ignore"):
        share = np.nanmedian(np.abs(table["predicted"] / table["measured"] - 1))
    return f"off by {100 * share:.2g} %"
