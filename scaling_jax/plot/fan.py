"""The extrapolation: runs, the law through them, its bands beyond, and the runs that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.distance import band, by_distance, shade_beyond
from scaling_jax.plot.labels import axis_words, end_labels, kind_of, mark, note, target_words
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.path import Path, path_through
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import written
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.numbers import floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.uncertainty.ensemble import Ensemble

__all__ = ["fan", "fan_data"]

POINTS = 80
UPPER = "upper right"
AHEAD = 10.0  # of the largest run, where nothing is asked for
BANDS = ("confidence", "prediction")


@runtime_checkable
class OfFit(Protocol):
    """Draws of a fit's parameters."""

    @property
    def fit(self) -> Fitted: ...


class _Predicts(Protocol):
    """What fits and their draws have in common."""

    def predict(self, inputs: TableLike, *, interval: str, level: float) -> pd.DataFrame: ...


@checked
def fan_data(
    source: Fitted | Ensemble,
    at: TableLike | None = None,
    along: str | None = None,
    ratio: float | None = None,
    level: float = 0.9,
) -> pd.DataFrame:
    """Runs, law and bands along one way to what is asked for.

    A law of N and D is followed along compute at one number of tokens per parameter. Runs of other ratios are
    moved there along the law: what they missed it by is kept.

    Args:
        source: a fit with its data, its bootstrap or its posterior.
        at: runs that are asked for, a table of the law's inputs; with a column of the target, what they
            really showed.
        along: an input that grows while others stay as in the farthest run; compute by default.
        ratio: tokens per parameter of the way; those of the farthest run asked for by default.
        level: of the bands.

    Returns:
        A row per dot and per point of the curve: kind ("run", "moved", "law", "target"), x, value (measured,
        moved, or predicted), lower, upper (of a new run), mean_lower, mean_upper (of the mean curve),
        measured (of targets, where known), beyond (decades from the data).

    Raises:
        ValueError: for an input that is none, or a share, which cannot grow.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> fan_data(fit.bootstrap(50), {"x": [1e4]})["kind"].value_counts().to_dict()
    {'law': 80, 'run': 4, 'target': 1}
    """
    return _fan(source, at, along, ratio, level)[0]


@checked
@picture
def fan(
    source: Fitted | Ensemble,
    at: TableLike | None = None,
    along: str | None = None,
    ratio: float | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """What the law says beyond its runs, and how sure that is; numbers in `fan_data`.

    Dots are runs, hollow where they had another number of tokens per parameter and were moved along the law.
    The curve is solid inside the data and dashed beyond; the dark band is that of the mean curve, the light
    one that of a new run. Diamonds are the runs asked for, crosses what they really showed.

    Args:
        source, at, along, ratio, level: as in `fan_data`.
        ax: axes to draw on.

    >>> import scaling_jax as sj
    >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2.1, 1, 0.5]})
    >>> fan(fit.bootstrap(50), {"x": [1e4]}).get_xscale()
    'log'
    """
    table, way = _fan(source, at, along, ratio, level)
    fit = source.fit if isinstance(source, OfFit) else source
    assert isinstance(fit, Fitted)
    ax = axes_for(ax)
    page = palette_of(ax)
    parts = {kind: table[table["kind"] == kind] for kind in ("law", "run", "moved", "target")}
    law, targets = parts["law"], parts["target"]
    band(ax, law["x"], law["lower"], law["upper"], page.main, 0.16)
    band(ax, law["x"], law["mean_lower"], law["mean_upper"], page.main, 0.3)
    by_distance(ax, law["x"], law["value"], law["beyond"], page.main, zorder=3)
    many = len(parts["run"]) + len(parts["moved"]) > 100
    for kind, face in (("moved", "none"), ("run", page.ink)):
        dots = parts[kind]
        ax.plot(
            dots["x"], dots["value"], "o", mfc=face, mec=page.ink, mew=0.5, ms=2.2 if many else 3, zorder=4
        )
    dots = table[table["kind"].isin(("run", "moved"))]
    _targets(ax, targets)
    log_axis(ax, "x", "flop" if way.along == "C" else kind_of(way.along, fit.sources.get(way.along, "")))
    ax.set_xlim(law["x"].min(), law["x"].max())
    seen = table[["value", "lower", "upper"]].to_numpy(float)
    loss_axis(ax, seen[np.isfinite(seen)])
    shade_beyond(ax, None, float(dots["x"].max()))
    ax.set(
        xlabel=axis_words(way.along, fit.sources.get(way.along, "")),
        ylabel=target_words(fit) + (f" at {way.words}" if way.words else ""),
    )
    if len(parts["moved"]):
        note(
            ax,
            "● as measured\n○ moved from other D/N" if len(parts["run"]) else "○ moved from other D/N",
            UPPER,
        )
    _names(ax, law.iloc[-1], level)
    return ax


def _targets(ax: Axes, targets: pd.DataFrame) -> None:
    """The runs that are asked for, with their bands, and what they showed."""
    page = palette_of(ax)
    for row in targets.itertuples():
        ax.plot([row.x] * 2, [row.lower, row.upper], color=page.warm, lw=1.2, zorder=5)
        ax.plot([row.x], [row.value], "D", color=page.warm, ms=4, mec=page.paper, mew=0.5, zorder=6)
        if np.isfinite(row.measured):
            ax.plot([row.x], [row.measured], "x", color=page.ink, ms=4.5, mew=1.2, zorder=7)
        if len(targets) <= 3:
            words = written(row.value, digits=3)
            if row.upper > row.lower:
                words += f"\n{written(row.lower, digits=3)} to {written(row.upper, digits=3)}"
            mark(ax, row.x, row.value, words, page.warm, (-4, -3))


def _names(ax: Axes, end: pd.Series, level: float) -> None:
    """What the curve and its bands are, at their right end."""
    page, percent = palette_of(ax), f"{100 * level:g} %"
    labels = [(float(end["value"]), "law", page.main)]
    if end["upper"] > end["lower"]:
        labels += [
            (float(end["upper"]), f"{percent}, new run", page.main),
            (float(end["mean_upper"]), f"{percent}, mean", page.main),
        ]
    end_labels(ax, labels)


def _fan(
    source: Fitted | Ensemble, at: TableLike | None, along: str | None, ratio: float | None, level: float
) -> tuple[pd.DataFrame, Path]:
    fit = source.fit if isinstance(source, OfFit) else source
    if not isinstance(fit, Fitted) or not hasattr(source, "predict"):
        raise TypeError(
            f"fan draws a fit, its bootstrap or its posterior, not {shown(type(source).__name__)}."
        )
    runs = fit.data()
    ahead = None if at is None else fit.inputs_of(at)
    way = path_through(runs.inputs, along, ratio, ahead)
    if way.along in fit.law.inputs and np.isfinite(fit.law.input_domains[way.along].upper):
        raise ValueError(
            f"fan goes beyond the runs along an input that grows, and {way.along} is a share: give along=, "
            "or draw the shares by sj.plot.mixture."
        )
    places = way.place(runs.inputs)
    low, high = float(places[places > 0].min()), float(places.max())
    top = AHEAD * high if ahead is None else max(1.5 * float(way.place(ahead).max()), high)
    grid = np.unique(np.append(np.geomspace(low, top, POINTS - 1), high))
    beyond = np.maximum(np.log10(grid / high), 0.0)
    law = _banded(source, way.at(grid), level).assign(kind="law", x=grid, beyond=beyond)
    on = way.near(runs.inputs)
    moved = _moved(fit, way, places)
    dots = pd.DataFrame({
        "kind": np.where(on, "run", "moved"), "x": places, "value": np.where(on, runs.target, moved),
        "measured": runs.target, "beyond": 0.0,
    }, index=runs.rows)  # fmt: skip
    parts = [dots[places > 0], law]
    if at is not None and ahead is not None:
        x = way.place(ahead)
        target = _banded(source, ahead, level).assign(kind="target", x=x, measured=_measured(fit, at, len(x)))
        parts.append(target.assign(beyond=np.maximum(np.log10(x / high), 0.0)))
    table = pd.concat(parts)
    columns = ["kind", "x", "value", "lower", "upper", "mean_lower", "mean_upper", "measured", "beyond"]
    return table.reindex(columns=columns), way


def _banded(source: Fitted | Ensemble, inputs: dict[str, np.ndarray], level: float) -> pd.DataFrame:
    """Predictions with both bands."""
    mean, new = (cast(_Predicts, source).predict(inputs, interval=band, level=level) for band in BANDS)
    return pd.DataFrame({
        "value": mean["prediction"], "lower": new["lower"], "upper": new["upper"],
        "mean_lower": mean["lower"], "mean_upper": mean["upper"],
    })  # fmt: skip


def _moved(fit: Fitted, way: Path, places: np.ndarray) -> np.ndarray:
    """(rows,) what runs would have shown on the way, had they missed the law by as much."""
    runs = fit.data()
    there = predict(fit.law, fit.numbers, way.at(np.maximum(places, 1e-300)))[0]
    here = fit.at_rows.prediction
    return runs.target * there / here if fit.objective.on_log else runs.target + there - here


def _measured(fit: Fitted, at: TableLike, rows: int) -> np.ndarray:
    """What the runs asked for really showed, where the table says so."""
    frame = as_frame(as_columns(at))
    for name in (fit.sources.get("target", ""), fit.law.target):
        if name in frame.columns:
            return floats(frame[name])
    return np.full(rows, np.nan)
