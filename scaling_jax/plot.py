"""Pictures of a fit: every plot takes `ax=None`, returns the axes, and has a function that gives the numbers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_jax.engine.predict import predict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.result import FitResult

__all__ = ["curve_data", "curves", "residual_data", "residuals"]

POINTS = 100
MOST_CURVES = 12


def curve_data(fit: FitResult, x: str | None = None) -> pd.DataFrame:
    """The runs and the fitted curves against one input, one curve per value of the other inputs.

    Args:
        fit: a fit with its data attached.
        x: the input on the axis; the law's last input by default.

    Returns:
        Columns: x, value, curve (label of the other inputs' values), kind ("run" or "fit").
    """
    runs = fit.data()
    x = x or fit.law.inputs[-1]
    if x not in runs.inputs:
        raise ValueError(f"x={x!r}: law '{fit.law.name}' has the inputs {', '.join(fit.law.inputs)}.")
    others = [name for name in fit.law.inputs if name != x]
    points = pd.DataFrame({name: runs.inputs[name] for name in others})
    levels = points.drop_duplicates().sort_values(others) if others else pd.DataFrame(index=[0])
    if len(levels) > MOST_CURVES:
        levels = levels.iloc[np.linspace(0, len(levels) - 1, MOST_CURVES).astype(int)]
    parts = []
    for _, level in levels.iterrows():
        inside = np.all([runs.inputs[name] == level[name] for name in others], axis=0) if others else np.ones(len(runs), bool)
        label = ", ".join(f"{name} = {level[name]:.3g}" for name in others) or fit.law.name
        column = runs.inputs[x]
        low = column[column > 0].min()
        grid = np.geomspace(low, column.max(), POINTS)
        curve = predict(fit.law, fit.numbers, {x: grid, **{name: np.full(POINTS, level[name]) for name in others}})[0]
        parts.append(pd.DataFrame({"x": column[inside], "value": runs.target[inside], "curve": label, "kind": "run"}))
        parts.append(pd.DataFrame({"x": grid, "value": curve, "curve": label, "kind": "fit"}))
    return pd.concat(parts, ignore_index=True)


def curves(fit: FitResult, x: str | None = None, ax: Axes | None = None) -> Axes:
    """Runs as dots and the law as lines, on logarithmic axes; see `curve_data`.

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import scaling_jax as sj
    >>> axes = curves(sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}))
    >>> axes.get_xscale()
    'log'
    """
    ax = _axes(ax)
    table = curve_data(fit, x)
    labels = list(dict.fromkeys(table["curve"]))
    colours = _colours(len(labels))
    for label, colour in zip(labels, colours, strict=True):
        part = table[table["curve"] == label]
        dots, line = part[part["kind"] == "run"], part[part["kind"] == "fit"]
        ax.plot(line["x"], line["value"], color=colour, lw=1.2)
        ax.plot(dots["x"], dots["value"], "o", color=colour, ms=4, label=label)
    ax.set(xscale="log", yscale="log", xlabel=fit.sources.get(x or fit.law.inputs[-1], ""), ylabel=fit.sources.get("target", ""))
    ax.legend(fontsize="small", frameon=False)
    return ax


def residual_data(fit: FitResult) -> pd.DataFrame:
    """Prediction, residual and inputs per fitted row."""
    runs = fit.data()
    prediction = predict(fit.law, fit.numbers, runs.inputs)[0]
    return pd.DataFrame({"prediction": prediction, "residual": fit.residuals, **runs.inputs}, index=runs.rows)


def residuals(fit: FitResult, ax: Axes | None = None) -> Axes:
    """Residuals against predictions, outliers named by their row."""
    ax = _axes(ax)
    table = residual_data(fit)
    ax.axhline(0, color="0.6", lw=0.8)
    ax.plot(table["prediction"], table["residual"], "o", ms=4)
    for row in fit.certificate.outliers:
        ax.annotate(str(row), (table.loc[row, "prediction"], table.loc[row, "residual"]), fontsize="small")
    kind = "log(prediction) - log(target)" if fit.objective.on == "log" else "prediction - target"
    ax.set(xlabel="prediction", ylabel=kind)
    return ax


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'scaling-jax[plot]'.") from error
    return plt.subplots(figsize=(6.4, 4.2), layout="constrained")[1]


def _colours(n: int) -> Any:
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0, 0.9, n))
