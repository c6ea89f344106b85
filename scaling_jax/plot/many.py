"""Many fits at once: groups as small multiples, their parameters as a forest, and errors as a map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.api.groups import FitGroups
from scaling_jax.core.checked import checked, one_line, shown
from scaling_jax.plot.axes import axes_for, grid_for, spans_decade
from scaling_jax.plot.fits import curves
from scaling_jax.plot.labels import above, kind_of
from scaling_jax.plot.palette import DARK, palette_of
from scaling_jax.plot.style import COLUMN, PAGE, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.posterior.result import PosteriorGroups
from scaling_jax.reporting.numbers import written
from scaling_jax.uncertainty.draws import DrawsGroups

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["forest", "forest_data", "groups", "heat"]

MOST, COLUMNS, ROW = 12, 4, 1.55
LINE = 0.16
MOST_CELLS = 400  # that hold their number
LONG = 26


@checked
@picture
def groups(fits: FitGroups, x: str | None = None, ax: Sequence[Axes] | None = None) -> np.ndarray:
    """Every group's runs and law against one input, side by side on the same axes; the first twelve.

    Args:
        fits: of `sj.fit_groups`.
        x: the input on the axis; the law's last by default.
        ax: as many axes as there are groups to draw.

    Returns:
        The axes, one for each group.

    Raises:
        ValueError: where no group could be fitted.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100] * 2, "loss": [4, 2, 1, 6, 3, 1.4], "family": ["a"] * 3 + ["b"] * 3}
    >>> fits = sj.fit_groups(sj.laws.power_law, table, by="family")
    >>> len(groups(fits))
    2
    """
    drawn = {key: fit for key, fit in fits.items() if not fit.reason}
    if not drawn:
        raise ValueError("None of the groups could be fitted: print(fits) says why.")
    drawn = dict(list(drawn.items())[:MOST])
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    if ax is None:
        width = COLUMN if columns == 1 else PAGE
        axes = grid_for(None, rows, columns, width, ROW * rows + 0.3, sharex=True, sharey=True)
    else:
        axes = np.asarray(ax, dtype=object).ravel()
    for one, (key, fit) in zip(axes, drawn.items(), strict=False):
        curves(fit, x, ax=one)
        for words in list(one.texts):
            words.remove()
        one.set_title(_short(key), fontsize="small", color=palette_of(one).ink)
    for k, one in enumerate(axes):
        if k >= len(drawn):
            one.set_visible(False)
            continue
        if ax is None and k % columns:
            one.set_ylabel("")
        if ax is None and k + columns < len(drawn):
            one.set_xlabel("")
        elif ax is None:
            one.tick_params("x", labelbottom=True)
    low = min(line.get_xdata().min() for one in axes[: len(drawn)] for line in one.get_lines())
    high = max(line.get_xdata().max() for one in axes[: len(drawn)] for line in one.get_lines())
    first = next(iter(drawn.values()))
    name = x or first.law.inputs[-1]
    kind = kind_of(name, first.sources.get(name, ""))
    for one in axes[: len(drawn)]:
        one.set_xlim(low / 1.15, high * 1.15)
        log_axis(one, "x", kind)
        log_axis(one, "y")
    return axes[: len(drawn)]


@checked
def forest_data(
    fits: FitGroups | DrawsGroups | PosteriorGroups, parameter: str, level: float = 0.9
) -> pd.DataFrame:
    """One parameter of every group with its interval, the largest first.

    Args:
        fits: of `sj.fit_groups` (bootstrapped in one batch), its bootstrap, or its posterior.
        parameter: by name.
        level: of the intervals.

    Returns:
        One row per group: estimate, lower, upper, se.

    Raises:
        ValueError: for a parameter that the law has not.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100] * 2, "loss": [4, 2, 1, 6, 3, 1.4], "family": ["a"] * 3 + ["b"] * 3}
    >>> fits = sj.fit_groups(sj.laws.power_law, table, by="family")
    >>> forest_data(fits.bootstrap(50), "alpha").columns.tolist()
    ['estimate', 'lower', 'upper', 'se']
    """
    if isinstance(fits, PosteriorGroups):
        table = pd.concat({key: one.conf_int(level) for key, one in fits.items()}, names=[None, "parameter"])
    else:
        table = (fits if isinstance(fits, DrawsGroups) else fits.bootstrap()).conf_int(level)
    if parameter not in table.index.get_level_values("parameter"):
        known = table.index.get_level_values("parameter").unique()
        raise ValueError(f"parameter={shown(parameter)}: the law has {', '.join(known)}.")
    return table.xs(parameter, level="parameter").sort_values("estimate", ascending=False)


@checked
@picture
def forest(
    fits: FitGroups | DrawsGroups | PosteriorGroups,
    parameter: str,
    level: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """One parameter of every group with its interval, in the order of size; the dashed line is the median of
    the groups. Numbers in `forest_data`.

    Args:
        fits, parameter, level: as in `forest_data`.
        ax: axes to draw on.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 10, 100] * 2, "loss": [4, 2, 1, 6, 3, 1.4], "family": ["a"] * 3 + ["b"] * 3}
    >>> fits = sj.fit_groups(sj.laws.power_law, table, by="family")
    >>> forest(fits.bootstrap(50), "alpha").get_xlabel()
    'alpha, 90 % intervals'
    """
    table = forest_data(fits, parameter, level).iloc[::-1]
    ax = axes_for(ax, COLUMN, max(1.3, 0.6 + LINE * len(table)))
    page, at = palette_of(ax), np.arange(len(table))
    middle = float(table["estimate"].median())
    ax.axvline(middle, color=page.quiet, lw=0.8, ls="--")
    above(ax, middle, "median of the groups")
    ax.hlines(at, table["lower"], table["upper"], color=page.main, lw=1.1)
    ax.plot(table["estimate"], at, "D", color=page.main, ms=3.2, mec=page.paper, mew=0.4)
    ax.set_yticks(at, [_short(key) for key in table.index], fontsize="small")
    ax.set_ylim(-0.8, len(table) - 0.2)
    if spans_decade(table[["lower", "upper"]].to_numpy()):
        log_axis(ax, "x")
    ax.set_xlabel(f"{parameter}, {100 * level:g} % intervals")
    return ax


def _cells(table: pd.DataFrame, x: str, y: str, value: str) -> pd.DataFrame:
    """The mean of each cell."""
    try:
        cells = table.pivot_table(index=y, columns=x, values=value, aggfunc="mean").astype(np.float64)
    except Exception:  # of any type, for labels without an order and what is no number
        cells = pd.DataFrame()
    if not np.isfinite(cells).any(axis=None):
        raise ValueError(
            f"heat: '{one_line(x)}' and '{one_line(y)}' must hold labels of one kind each, and "
            f"'{one_line(value)}' numbers."
        )
    return cells


@checked
@picture
def heat(table: pd.DataFrame, x: str, y: str, value: str, ax: Axes | None = None, unit: str = "") -> Axes:
    """A map of numbers, such as the errors of a thousand laws by two of the choices behind them: each cell is
    the mean of its rows and says it, the stronger the larger.

    Args:
        table: tidy, a row per law.
        x, y: columns of the choices.
        value: column of the number, an error for example.
        ax: axes to draw on.
        unit: of the number, such as "%", where the column's name does not hold it.

    Raises:
        ValueError: for columns that are not there, or hold what makes no map.

    >>> import pandas as pd
    >>> laws = pd.DataFrame({"sizes": [2, 2, 3, 3], "share": [0.1, 0.5, 0.1, 0.5]})
    >>> laws["error"] = [20.0, 10.0, 10.0, 4.0]
    >>> axes = heat(laws, "share", "sizes", "error", unit="%")
    >>> axes.get_title(loc="left"), [text.get_text() for text in axes.texts]
    ('mean error (%)', ['20', '10', '10', '4'])
    """
    if lost := [name for name in (x, y, value) if name not in table.columns]:
        raise ValueError(f"heat: the table has no column {shown(lost[0])}, but {', '.join(map(str, table))}.")
    cells = _cells(table, x, y, value)
    width = min(PAGE, max(COLUMN, 0.9 + 0.36 * cells.shape[1]))
    ax = axes_for(ax, width, 0.8 + 0.22 * cells.shape[0])
    page, numbers = palette_of(ax), cells.to_numpy(dtype=float)
    logs = np.log(numbers) if np.nanmin(numbers) > 0 else numbers
    shades = "cividis" if page is DARK else "cividis_r"
    ax.pcolormesh(np.ma.masked_invalid(logs), cmap=shades, edgecolors=page.paper, lw=0.5)
    if numbers.size <= MOST_CELLS:
        middle = (np.nanmin(logs) + np.nanmax(logs)) / 2
        for (i, j), number in np.ndenumerate(numbers):
            if np.isfinite(number):
                light = (logs[i, j] > middle) != (page is DARK)
                ink = "white" if light else "black"
                said = written(float(number), digits=2)
                ax.text(j + 0.5, i + 0.5, said, ha="center", va="center", fontsize="x-small", color=ink)
    for which, index in (("x", cells.columns), ("y", cells.index)):
        words = [_short(_label(key)) for key in index]
        getattr(ax, f"set_{which}ticks")(np.arange(len(index)) + 0.5, words)
    if max(len(_short(_label(key))) for key in cells.columns) > 5:
        ax.tick_params("x", labelrotation=45)
        for text in ax.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "))
    said = f"mean {value.replace('_', ' ')}" + (f" ({unit})" if unit else "")
    ax.set_title(said, fontsize="small", color=page.ink)
    return ax


def _label(key: object) -> object:
    if isinstance(key, float | int | np.number) and not isinstance(key, bool):
        return written(float(key), "count")
    return key


def _short(key: object) -> str:
    words = ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)
    return words if len(words) <= LONG else f"{words[: LONG - 1]}…"
