"""Learning-rate schedules above the losses that they lead to: what runs showed, and what the law says."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.curves import CurveColumn, Rates
from scaling_jax.plot.axes import grid_for, loss_axis
from scaling_jax.plot.distance import DASH
from scaling_jax.plot.labels import axis_words, end_labels, note, target_words
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import COUNT
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.runs import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult
    from scaling_jax.tables.runs import Runs

__all__ = ["schedule_data", "schedules"]

POINTS = 160
MOST, MOST_DOTS = 6, 40  # schedules, and dots of each
APART = 4.0  # factor between the lengths of runs from which updates are told in logarithms
HEIGHTS = (1.0, 1.9)
LONG = 22  # letters of a name


@checked
def schedule_data(
    fit: FitResult,
    holdout: TableLike | None = None,
    runs: Sequence[Hashable] | None = None,
    curves: Mapping[Hashable, object] | None = None,
) -> pd.DataFrame:
    """Schedules, the losses that were measured under them, and the law's.

    Args:
        fit: a fit of a law of a curve, with its data.
        holdout: rows of other runs, with the target.
        runs: names of those to show, in their order; by default the fitted and the held-out ones.
        curves: rates by name, of schedules that are only planned, and of runs whose curves the fit was not
            given by name.

    Returns:
        A row per update shown: run, part ("fitted", "held out", "planned"), kind ("rate", "law",
        "measured"), step, value.

    Raises:
        ValueError: for a law without a curve, a name that is none, or a run whose curve has no name.
        DataError: for held-out rows without the target, or without the run.
    """
    if not fit.law.curves:
        raise ValueError(f"Law '{fit.law.name}' takes no learning-rate curve: draw sj.plot.curves(fit).")
    data = fit.data()
    fitted = [fit.law.name] * len(data) if data.run is None else [data.run_labels[k] for k in data.run]
    rows = _rows(fit, data, fitted, "fitted")
    if holdout is not None:
        rows = pd.concat([rows, _held_out(fit, holdout)], ignore_index=True)
    known = _known(fit, curves)
    names = list(dict.fromkeys([*rows["run"], *(curves or {})])) if runs is None else list(runs)
    if lost := [name for name in names if name not in known]:
        raise ValueError(
            f"There is no learning-rate curve called {shown(lost[0])}: give curves={{name: rates}}"
            + (f", or one of {', '.join(map(str, known))}." if known else ".")
        )
    parts = [_of_run(fit, name, known[name], rows[rows["run"] == name]) for name in names]
    return pd.concat(parts, ignore_index=True)


@checked
@picture
def schedules(
    fit: FitResult,
    holdout: TableLike | None = None,
    runs: Sequence[Hashable] | None = None,
    curves: Mapping[Hashable, object] | None = None,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Learning-rate curves above, and below the losses that runs showed under them (dots) and that the law
    gives (lines): solid where the run was fitted, dashed where it was held out or is only planned. The first
    six; numbers in `schedule_data`.

    Args:
        fit, holdout, runs, curves: as in `schedule_data`.
        ax: two axes.

    Returns:
        The two axes.

    >>> import numpy as np, scaling_jax as sj
    >>> rates = {"held": sj.schedules.constant(900, 1e-3), "falls": sj.schedules.wsd(900, 1e-3)}
    >>> step, truth = np.arange(100, 901, 100), {"L0": 2.5, "A": 0.6, "alpha": 0.4, "C": 300.0, "span": 50.0}
    >>> loss = np.concatenate([sj.laws.tissue(step, one, **truth) for one in rates.values()])
    >>> runs = {"step": np.tile(step, 2), "run": np.repeat(list(rates), 9), "loss": loss}
    >>> fit = sj.fit("tissue", runs, run="run", inputs={"lr": rates}, fixed={"span": 50.0})
    >>> [axes.get_ylabel() for axes in schedules(fit)]
    ['learning rate', 'loss']
    """
    table = schedule_data(fit, holdout, runs, curves)
    names = list(dict.fromkeys(table["run"]))
    drawn = names[:MOST]
    axes = grid_for(ax, 2, 1, COLUMN, 3.5, sharex=True)
    if ax is None:
        axes[0].get_gridspec().set_height_ratios(HEIGHTS)
    over, under = axes
    page, ends = palette_of(over), []
    for k, (name, colour) in enumerate(zip(drawn, page.accents, strict=False)):
        own = table[table["run"] == name]
        line = "-" if (own["part"] == "fitted").all() else DASH
        kinds = {kind: own[own["kind"] == kind] for kind in ("rate", "law", "measured")}
        over.plot(kinds["rate"]["step"], kinds["rate"]["value"], color=colour, lw=1.2, ls=line, zorder=9 - k)
        dots = kinds["measured"].iloc[:: -(-len(kinds["measured"]) // MOST_DOTS) or 1]
        under.plot(dots["step"], dots["value"], "o", color=colour, ms=3.0, mew=0, alpha=0.6, zorder=2)
        under.plot(
            kinds["law"]["step"], kinds["law"]["value"], color=colour, lw=1.2, ls=line, zorder=4 - k / MOST
        )
        ends.append((float(kinds["law"]["value"].iloc[-1]), _short(name), colour))
    _steps(axes, table[table["run"].isin(drawn) & (table["kind"] == "law")])
    over.set_ylim(bottom=0)
    loss_axis(under, table["value"][table["kind"] != "rate"])
    end_labels(under, ends)
    note(under, _words(table, len(names) - len(drawn)), "upper right")
    over.set_ylabel("learning rate")
    under.set(xlabel=axis_words(fit.law.along, fit.sources.get(fit.law.along, "")), ylabel=target_words(fit))
    return axes


def _rows(fit: FitResult, runs: Runs, names: Sequence[Hashable], part: str) -> pd.DataFrame:
    """What was measured, by run and update."""
    one = {name: column for name, column in runs.inputs.items() if name not in fit.law.curves}
    named = pd.Series(list(names), dtype=object)
    return pd.DataFrame({**one, "run": named, "part": part, "value": runs.target})


def _held_out(fit: FitResult, holdout: TableLike) -> pd.DataFrame:
    """The same of rows that were not fitted."""
    frame, column = as_frame(as_columns(holdout)).reset_index(drop=True), fit.sources.get("run")
    if column not in frame.columns:
        raise DataError(f"holdout= lacks the column '{column}', the run of each row.")
    runs = fit.read(frame)
    return _rows(fit, runs, frame.loc[runs.rows, column].tolist(), "held out")


def _known(fit: FitResult, curves: Mapping[Hashable, object] | None) -> dict[Hashable, Rates]:
    """Schedules by name."""
    column = fit.data().inputs[fit.law.curves[0]]
    known: dict[Hashable, Rates] = dict(column.named) if isinstance(column, CurveColumn) else {}
    for name, rates in (curves or {}).items():
        known[name] = rates if isinstance(rates, Rates) else Rates(np.asarray(rates, dtype=float))
    return known


def _of_run(fit: FitResult, name: Hashable, rates: Rates, rows: pd.DataFrame) -> pd.DataFrame:
    """One schedule: its rates, the law along it, and the losses measured under it."""
    along, curve = fit.law.along, fit.law.curves[0]
    own = fit.data().inputs
    last = rows[along].max() if len(rows) else len(rates)
    steps = _places(min(own[along].min(), last), last)
    others = [name for name in fit.law.inputs if name not in (along, curve)]
    held = {name: float((rows[name].to_numpy() if len(rows) else own[name])[-1]) for name in others}
    table = {along: steps, curve: rates, **{name: np.full(len(steps), held[name]) for name in others}}
    shown_ = _places(1, last)
    measured = rows.sort_values(along)
    parts = [
        pd.DataFrame({"kind": "rate", "step": shown_, "value": rates.rates[shown_ - 1]}),
        pd.DataFrame({"kind": "law", "step": steps, "value": fit.point(table)}),
        pd.DataFrame({"kind": "measured", "step": measured[along], "value": measured["value"]}),
    ]
    part = rows["part"].iloc[0] if len(rows) else "planned"
    whole = pd.concat(parts, ignore_index=True)
    return pd.DataFrame({"run": pd.Series([name] * len(whole), dtype=object), "part": part}).join(whole)


def _places(first: float, last: float) -> np.ndarray:
    """Whole updates from the first to the last, half of them evenly spread and half in equal ratios."""
    even = np.linspace(first, last, POINTS // 2)
    return np.unique(np.round(np.append(even, np.geomspace(first, last, POINTS // 2))).astype(np.int64))


def _steps(axes: np.ndarray, law: pd.DataFrame) -> None:
    """The axis of updates that both pictures share."""
    lengths = law.groupby("run")["step"].max()
    for one in axes:
        one.set_xlim(law["step"].min() if lengths.max() > APART * lengths.min() else 0, lengths.max() * 1.02)
        if lengths.max() > APART * lengths.min():
            log_axis(one, "x", COUNT)
    axes[0].tick_params("x", labelbottom=False)


def _words(table: pd.DataFrame, left: int) -> str:
    """What lines and dots are."""
    parts = set(table["part"])
    words = "dots: runs, lines: law"
    if other := [part for part in ("held out", "planned") if part in parts]:
        words += f"\ndashed: {' or '.join(other)}"
    return words + (f"\n{left} more not shown" if left else "")


def _short(name: Hashable) -> str:
    words = str(name)
    return words if len(words) <= LONG else f"{words[: LONG - 1]}…"
