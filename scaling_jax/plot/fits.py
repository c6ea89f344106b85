"""Pictures of a fit: the law with its runs, residuals, profiles, and what other choices would have given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.engine.predict import predict
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.palette import sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult
    from scaling_jax.diagnosis.sensitivity import Sensitivity
    from scaling_jax.uncertainty.profile import Profile

__all__ = ["curve_data", "curves", "profile", "residual_data", "residuals", "sensitivity"]

POINTS = 100
MOST_CURVES = 12


@checked
def curve_data(fit: FitResult, x: str | None = None) -> pd.DataFrame:
    """The runs and the fitted law against one input, one curve per value of the other inputs.

    Where the other inputs take more than 12 values, 12 of them get a curve and every run goes with the
    nearest.

    Args:
        fit: a fit with its data attached.
        x: the input on the axis; the law's last input by default.

    Returns:
        Columns: x, value, curve (label of the other inputs' values), kind ("run" or "fit").

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
    column = runs.inputs[x]
    grid = np.geomspace(column[column > 0].min(), column.max(), POINTS)
    parts = []
    for k, row in enumerate(drawn):
        label = ", ".join(f"{name} {sign} {points.loc[row, name]:.3g}" for name in others) or fit.law.name
        along = {x: grid, **{name: np.full(POINTS, points.loc[row, name]) for name in others}}
        curve, own = predict(fit.law, fit.numbers, along)[0], nearest == k
        for at, value, kind in ((column[own], runs.target[own], "run"), (grid, curve, "fit")):
            parts.append(pd.DataFrame({"x": at, "value": value, "curve": label, "kind": kind}))
    return pd.concat(parts, ignore_index=True)


@checked
def curves(fit: FitResult, x: str | None = None, ax: Axes | None = None) -> Axes:
    """Runs as dots and the law as lines, on logarithmic axes; see `curve_data`.

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import scaling_jax as sj
    >>> axes = curves(sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}))
    >>> axes.get_xscale()
    'log'
    """
    ax = axes_for(ax)
    table = curve_data(fit, x)
    labels = list(dict.fromkeys(table["curve"]))
    colours = sequence(len(labels), ax)
    for label, colour in zip(labels, colours, strict=True):
        part = table[table["curve"] == label]
        dots, line = part[part["kind"] == "run"], part[part["kind"] == "fit"]
        ax.plot(line["x"], line["value"], color=colour, lw=1.2)
        ax.plot(dots["x"], dots["value"], "o", color=colour, ms=4, label=label)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel=fit.sources.get(x or fit.law.inputs[-1], ""),
        ylabel=fit.sources.get("target", ""),
    )
    loss_axis(ax, table["value"])
    ax.legend(fontsize="small", frameon=False)
    return ax


@checked
def residual_data(fit: FitResult) -> pd.DataFrame:
    """Prediction, residual and inputs per fitted row."""
    runs = fit.data()
    prediction = predict(fit.law, fit.numbers, runs.inputs)[0]
    return pd.DataFrame({"prediction": prediction, "residual": fit.residuals, **runs.inputs}, index=runs.rows)


@checked
def residuals(fit: FitResult, ax: Axes | None = None) -> Axes:
    """Residuals against predictions, outliers named by their row."""
    ax = axes_for(ax)
    table = residual_data(fit)
    ax.axhline(0, color="0.6", lw=0.8)
    ax.plot(table["prediction"], table["residual"], "o", ms=4)
    for row in fit.certificate.outliers:
        ax.annotate(str(row), (table.loc[row, "prediction"], table.loc[row, "residual"]), fontsize="small")
    kind = "log(prediction) - log(target)" if fit.objective.on == "log" else "prediction - target"
    ax.set(xlabel="prediction", ylabel=kind)
    return ax


@checked
def profile(result: Profile, ax: Axes | None = None) -> Axes:
    """A profile: the fall in log-likelihood by the parameter's value, and the interval; see `.table`."""
    ax = axes_for(ax)
    table = result.table[result.table["drop"] <= 4 * result.cutoff]
    ax.plot(table["value"], table["drop"], "-o", ms=3, lw=1.2)
    ax.axhline(result.cutoff, color="0.5", lw=0.8, ls="--", label=f"{100 * result.level:g} % cut-off")
    ax.axvline(result.estimate, color="0.7", lw=0.8)
    for end, opened in ((result.lower, result.open_below), (result.upper, result.open_above)):
        if not opened:
            ax.axvline(end, color="C1", lw=0.8)
    if table["value"].min() > 0 and table["value"].max() > 10 * table["value"].min():
        ax.set_xscale("log")
    ax.set(xlabel=result.name, ylabel="fall in log-likelihood", title=str(result))
    ax.title.set_fontsize("small")
    ax.legend(fontsize="small", frameon=False)
    return ax


@checked
def sensitivity(result: Sensitivity, ax: Axes | None = None) -> Axes:
    """The answer under every choice, beside the interval of the fit as it stands; numbers in `.table`."""
    ax = axes_for(ax)
    answer = result.answer[np.isfinite(result.answer)].iloc[::-1]
    at = np.arange(len(answer))
    if result.interval is not None:
        label = f"{100 * result.level:g} % interval as fitted"
        ax.axvspan(*result.interval, color="C0", alpha=0.15, lw=0, label=label)
        ax.legend(fontsize="small", frameon=False)
    ax.axvline(answer["as fitted"], color="0.6", lw=0.8)
    ax.plot(answer, at, "o", ms=5)
    ax.set_yticks(at, list(answer.index), fontsize="small")
    if answer.min() > 0 and answer.max() > 10 * answer.min():
        ax.set_xscale("log")
    where = ", ".join(f"{name} = {value:.3g}" for name, value in result.at.items())
    answered = f"prediction at {where}"
    if result.flops is not None:
        answered = f"tokens per parameter at {result.flops:.3g} FLOP"
    ax.set_xlabel(answered)
    return ax


def _place(column: np.ndarray) -> np.ndarray:
    """Where a run lies along an input: compared by ratio, or by difference where the input may be zero."""
    return np.log(column) if column.min() > 0 else column / max(float(np.ptp(column)), 1e-300)
