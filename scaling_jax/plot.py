"""Pictures of a fit: every plot takes `ax=None`, returns the axes, and has a function that gives the numbers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from scaling_jax.engine.predict import predict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.allocation import AllocationDraws
    from scaling_jax.approach1 import Envelope
    from scaling_jax.approach2 import Isoflop
    from scaling_jax.profile import Profile
    from scaling_jax.result import FitResult
    from scaling_jax.sensitivity import Sensitivity

__all__ = ["allocation", "curve_data", "curves", "envelope", "isoflop", "plan", "profile", "residual_data", "residuals", "sensitivity"]

POINTS = 100
MOST_CURVES = 12
NAMES = {"minimum": "lower envelope", "hull": "convex hull"}
QUANTITIES = {"N": "best size N* (parameters)", "D": "best amount of tokens D*", "loss": "loss", "tokens_per_param": "tokens per parameter"}


def curve_data(fit: FitResult, x: str | None = None) -> pd.DataFrame:
    """The runs and the fitted law against one input, one curve per value of the other inputs.

    Where the other inputs take more than 12 values, 12 of them get a curve and every run goes with the nearest.

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
        raise ValueError(f"x={x!r}: law '{fit.law.name}' has the inputs {', '.join(fit.law.inputs)}.")
    others = [name for name in fit.law.inputs if name != x]
    points = pd.DataFrame({name: runs.inputs[name] for name in others}, index=range(len(runs)))
    distinct = points.drop_duplicates().sort_values(others).index.to_numpy() if others else np.array([0])
    shown = distinct[np.linspace(0, len(distinct) - 1, min(len(distinct), MOST_CURVES)).astype(int)]
    sign = "=" if len(shown) == len(distinct) else "near"
    places = np.stack([_place(runs.inputs[name]) for name in others] or [np.zeros(len(runs))], axis=-1)
    nearest = np.argmin(((places[:, None] - places[shown]) ** 2).sum(-1), axis=1)
    column = runs.inputs[x]
    grid = np.geomspace(column[column > 0].min(), column.max(), POINTS)
    parts = []
    for k, row in enumerate(shown):
        label = ", ".join(f"{name} {sign} {points.loc[row, name]:.3g}" for name in others) or fit.law.name
        curve = predict(fit.law, fit.numbers, {x: grid, **{name: np.full(POINTS, points.loc[row, name]) for name in others}})[0]
        parts.append(pd.DataFrame({"x": column[nearest == k], "value": runs.target[nearest == k], "curve": label, "kind": "run"}))
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
    if table["value"].max() < 10 * table["value"].min():
        _plain_ticks(ax)
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


def profile(result: Profile, ax: Axes | None = None) -> Axes:
    """A profile: the fall in log-likelihood against the parameter's value, with the cut-off and the interval; numbers in `.table`."""
    ax = _axes(ax)
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


def sensitivity(result: Sensitivity, ax: Axes | None = None) -> Axes:
    """The answer under every choice, beside the interval of the fit as it stands; numbers in `.table`."""
    ax = _axes(ax)
    answer = result.answer[np.isfinite(result.answer)].iloc[::-1]
    at = np.arange(len(answer))
    if result.interval is not None:
        ax.axvspan(*result.interval, color="C0", alpha=0.15, lw=0, label=f"{100 * result.level:g} % interval as fitted")
        ax.legend(fontsize="small", frameon=False)
    ax.axvline(answer["as fitted"], color="0.6", lw=0.8)
    ax.plot(answer, at, "o", ms=5)
    ax.set_yticks(at, list(answer.index), fontsize="small")
    if answer.min() > 0 and answer.max() > 10 * answer.min():
        ax.set_xscale("log")
    where = ", ".join(f"{name} = {value:.3g}" for name, value in result.at.items())
    ax.set_xlabel(f"prediction at {where}" if result.flops is None else f"tokens per parameter at {result.flops:.3g} FLOP")
    return ax


def isoflop(result: Isoflop, ax: Axes | None = None) -> Axes:
    """Approach 2: loss against size, a curve per budget through its runs, and a star on each optimum; numbers in `.table`.

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import scaling_jax as sj
    >>> runs = sj.datasets.load("tiny_sweep").query("arm == 'main' and final")
    >>> isoflop(sj.isoflop(runs, budget="budget", N="n_params", D="tokens")).get_xlabel()
    'parameters N'
    """
    ax = _axes(ax)
    families = dict(tuple(result.runs.groupby("flops")))
    for (flops, family), colour in zip(families.items(), _colours(len(families)), strict=True):
        ax.plot(family["N"], family["loss"], "o", color=colour, ms=4, label=f"{flops:.2g} FLOP")
        if family["N"].nunique() > 2:
            N = np.geomspace(family["N"].min(), family["N"].max(), POINTS)
            ax.plot(N, result.curve(family, N), color=colour, lw=1.2)
    best = result.inside
    ax.plot(best["N"], best["loss"], "*", color="C3", ms=11, mec="white", label="optimum", zorder=5)
    ax.set(xscale="log", xlabel="parameters N", ylabel="loss", title=f"Loss at equal compute ({result.method})")
    _loss_axis(ax, result.runs["loss"])
    ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def envelope(result: Envelope, ax: Axes | None = None) -> Axes:
    """Approach 1: every run's loss against compute, one colour per size, and the best runs below them; numbers in `.table`."""
    ax = _axes(ax)
    sizes = np.unique(result.curves.N)
    colours = dict(zip(sizes, _colours(len(sizes)), strict=True))
    shown = set(sizes[np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_CURVES)).astype(int)])
    for N, (log_C, _, log_loss) in sorted(zip(result.curves.N, result.curves.rows, strict=True), key=lambda pair: pair[0]):
        label = f"N = {N:.3g}" if N in shown else None
        shown.discard(N)
        ax.plot(np.exp(log_C), np.exp(log_loss), "-", color=colours[N], lw=0.9, marker="o", ms=1.5, label=label)
    inside, mark = result.inside, "-" if result.method == "minimum" else "-o"
    ax.plot(inside["flops"], inside["loss"], mark, color="C3", lw=2, ms=4, label="best for its compute", zorder=5)
    ax.set(xscale="log", yscale="log", xlabel="compute C (FLOP)", ylabel="loss", title=f"Training curves and their {NAMES[result.method]}")
    _loss_axis(ax, np.exp(np.concatenate([rows[2] for rows in result.curves.rows])))
    ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def allocation(result: Isoflop | Envelope, draws: AllocationDraws | None = None, level: float = 0.9, ax: Axes | None = None) -> Axes:
    """The optima of Approach 1 or 2 over compute, the power law through them, and its band where draws are given.

    Args:
        result: of `sj.isoflop` or `sj.envelope`.
        draws: its bootstrap.
        level: of the band.
    """
    ax = _axes(ax)
    inside, edge = result.inside, result.table[result.table["edge"]]
    flops = np.geomspace(inside["flops"].min() / 2, inside["flops"].max() * 10, POINTS)
    table = result.optimal(flops) if draws is None else draws.optimal(flops, level)
    slope = result.exponents().loc["N", "estimate"] if draws is None else draws.exponents(level).loc["N", "estimate"]
    if draws is not None:
        ax.fill_between(flops, table["N_lower"], table["N_upper"], color="C0", alpha=0.2, lw=0, label=f"{100 * level:g} % band")
    ax.plot(flops, table["N"], color="C0", lw=1.5, label=f"N* grows as C^{slope:.3f}")
    ax.plot(
        inside["flops"], inside["N"], "*" if len(inside) < POINTS else ".", color="C3", ms=9 if len(inside) < POINTS else 2, label="optima"
    )
    if edge["N"].notna().any():
        ax.plot(edge["flops"], edge["N"], ".", color="0.7", ms=2, label="on an edge, left out", zorder=1)
    ax.set(xscale="log", yscale="log", xlabel="compute C (FLOP)", ylabel="best size N* (parameters)", title="Best size for a budget")
    ax.legend(fontsize="small", frameon=False)
    return ax


def plan(table: pd.DataFrame, quantity: str = "N", ax: Axes | None = None, label: str | None = None) -> Axes:
    """A column of `sj.compute_optimal` (or `sj.inference_optimal`) over its budgets, with the band where the table has one.

    Args:
        table: what `sj.compute_optimal` returned.
        quantity: "N", "D", "loss" or "tokens_per_param".
        ax: axes to draw on, so that several plans can be laid over each other.
        label: what this plan is called in the legend.

    Raises:
        ValueError: for a quantity that the table lacks.
    """
    if quantity not in QUANTITIES or quantity not in table:
        raise ValueError(f"quantity={quantity!r}: use one of {', '.join(QUANTITIES)}.")
    ax = _axes(ax)
    title = "Best run of a budget"
    (drawn,) = ax.plot(table["flops"], table[quantity], lw=1.5, label=label or quantity)
    if f"{quantity}_lower" in table:
        band = (table[f"{quantity}_lower"], table[f"{quantity}_upper"])
        ax.fill_between(table["flops"], *band, color=drawn.get_color(), alpha=0.2, lw=0)
        title += f", with its {100 * table.attrs.get('level', 0.9):g} % interval"
    known = table["extrapolation"].eq(0) if "extrapolation" in table else np.zeros(len(table), dtype=bool)
    if np.any(known) and not np.all(known):
        ax.axvspan(table["flops"][known].min(), table["flops"][known].max(), color="0.92", lw=0, zorder=0, label="compute of the runs")
    ax.set(xscale="log", yscale="log", xlabel="compute C (FLOP)", ylabel=QUANTITIES[quantity], title=title)
    if quantity in ("loss", "tokens_per_param"):
        _loss_axis(ax, table[quantity])
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    ax.legend(once.values(), once.keys(), fontsize="small", frameon=False)
    return ax


def _loss_axis(ax: Any, losses: Any) -> None:
    """Logarithmic; ticks as plain numbers within a decade."""
    ax.set_yscale("log")
    if np.max(losses) < 10 * np.min(losses):
        _plain_ticks(ax)


def _place(column: np.ndarray) -> np.ndarray:
    """Where a run lies along an input: sizes and amounts are compared by ratio, inputs that may be zero by difference."""
    return np.log(column) if column.min() > 0 else column / max(float(np.ptp(column)), 1e-300)


def _plain_ticks(ax: Any) -> None:
    """Within a decade, ticks such as 1.5 and 2.5 rather than 2 x 10^0."""
    from matplotlib import ticker

    ax.yaxis.set_major_locator(ticker.MaxNLocator(6))
    ax.yaxis.set_major_formatter(ticker.ScalarFormatter())
    ax.yaxis.set_minor_locator(ticker.NullLocator())


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
