"""Laws of settings as maps: loss over two inputs, such as learning rate and batch, and over a mixture of
three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial import ConvexHull

from scaling_jax.core.arrays import Columns
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.domains import UNIT
from scaling_jax.engine.predict import predict
from scaling_jax.plot.axes import axes_for
from scaling_jax.plot.labels import axis_words, halo, kind_of, mark, target_words
from scaling_jax.plot.palette import palette_of, sequence
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import PLAIN, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.api.result import FitResult

__all__ = ["mixture", "mixture_data", "surface", "surface_data"]

POINTS = 61
NEAR = 0.0025  # of the best loss: within which settings count as best
ABOVE = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # shares above the best at which contours are drawn
LIKE = 1.3  # factor of the other inputs within which a run belongs to the map
MOST_OF_IT = 0.5  # of the span of all rows, in logarithms, from which those alike make the map
STEPS = 60
LEVELS = 7
HIGH = np.sqrt(3) / 2
MOST_DOTS = 400


@checked
def surface_data(fit: FitResult, x: str, y: str, at: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The law over two inputs while the others are held.

    Args:
        fit: a fit with its data.
        x, y: inputs of the law.
        at: values of the others; those of the largest run by default.

    Returns:
        Columns: kind ("law" on a grid; "run" for rows at about these values, "elsewhere" for the other rows,
        where those say too little of the map; "best"), x, y, value, above (share by which the law lies over
        its best). Of two settings the best is one point; of a setting and a size (parameters, tokens,
        compute) it is the best setting for each size; of two sizes there is none.

    Raises:
        ValueError: for inputs that the law has not, or one twice.
    """
    runs, names = fit.data(), fit.law.inputs
    if x == y or not {x, y} <= set(names):
        raise ValueError(f"x={shown(x)}, y={shown(y)}: give two of {', '.join(names)}.")
    values, like = _held(runs.inputs, (x, y), at)
    sizes = [name for name in (x, y) if kind_of(name, fit.sources.get(name, "")) != PLAIN]
    whole = not like.any() or not all(_covers(runs.inputs[n], like) for n in sizes)
    across, upward = (_grid(runs.inputs[n][like | whole]) for n in (x, y))
    X, Y = (grid.ravel() for grid in np.meshgrid(across, upward))
    everything = {x: X, y: Y, **{n: np.full(len(X), v) for n, v in values.items()}}
    law = pd.DataFrame({"kind": "law", x: X, y: Y, "value": predict(fit.law, fit.numbers, everything)[0]})
    best = _best(law, x, y, sizes)
    least = law.groupby(sizes[0])["value"].transform("min") if len(sizes) == 1 else law["value"].min()
    dots = pd.DataFrame({
        "kind": np.where(like, "run", "elsewhere"), x: runs.inputs[x], y: runs.inputs[y], "value": runs.target
    }, index=runs.rows)[like | whole]  # fmt: skip
    table = pd.concat([law.assign(above=law["value"] / least - 1), dots, best])
    table.attrs |= {"held": values, "sizes": sizes}
    return table


@checked
@picture
def surface(
    fit: FitResult, x: str, y: str, at: Mapping[str, float] | None = None, ax: Axes | None = None
) -> Axes:
    """Loss over two inputs, such as learning rate and batch: contours say how many per cent above the best,
    the shaded valley is within a quarter of a per cent of it, dots are runs, hollow ones at other values of
    what is held. Over a setting and a size the line is the best setting for each size, and contours are above
    that; over two sizes they are the loss itself. Numbers in `surface_data`.

    Args:
        fit, x, y, at: as in `surface_data`.
        ax: axes to draw on.
    """
    table = surface_data(fit, x, y, at)
    sizes, law = table.attrs["sizes"], table[table["kind"] == "law"]
    ax = axes_for(ax)
    across, upward = np.unique(law[x]), np.unique(law[y])
    shape = (len(upward), len(across))
    if len(sizes) == 2:
        _labelled(ax, across, upward, law["value"].to_numpy().reshape(shape), LEVELS, "{:.3g}")
    else:
        share = law["above"].to_numpy().reshape(shape)
        ax.contourf(across, upward, share, levels=[-1.0, NEAR], colors=[palette_of(ax).main], alpha=0.25)
        _labelled(ax, across, upward, 100 * share, [100 * level for level in ABOVE], "+{:g} %")
    _runs(ax, table, x, y)
    ax.set(xlim=(across[0], across[-1]), ylim=(upward[0], upward[-1]))
    for which, name, values in (("x", x, across), ("y", y, upward)):
        if values[0] > 0:
            log_axis(ax, which, kind_of(name, fit.sources.get(name, "")))
    _told(ax, table[table["kind"] == "best"], x, y, sizes)
    held = ", ".join(f"{n} = {written(v, kind_of(n), 3)}" for n, v in table.attrs["held"].items())
    said = [f"contours of {target_words(fit)}"] if len(sizes) == 2 else []
    said += [f"above the best of each {sizes[0]}"] if len(sizes) == 1 else []
    said += [f"at {held}"] if held else []
    ax.set_title(", ".join(said), fontsize="small", color=palette_of(ax).ink)
    ax.set(xlabel=axis_words(x, fit.sources.get(x, "")), ylabel=axis_words(y, fit.sources.get(y, "")))
    return ax


def _held(
    inputs: Columns, shown_: tuple[str, str], at: Mapping[str, float] | None
) -> tuple[dict[str, float], np.ndarray]:
    """Values of the inputs that are not on the map, and which rows have about these."""
    held = {n: v for n, v in inputs.items() if n not in shown_}
    like = np.ones(len(inputs[shown_[0]]), dtype=bool)
    size = sum((np.log(np.maximum(v, 1e-300)) for v in held.values()), np.zeros(len(like)))
    values = {n: float((at or {}).get(n, v[np.argmax(size)])) for n, v in held.items()}
    for name, value in values.items():
        like &= np.abs(np.log(np.maximum(held[name], 1e-300) / max(value, 1e-300))) <= np.log(LIKE)
    return values, like


def _covers(column: np.ndarray, like: np.ndarray) -> bool:
    """Whether these rows span most of the sizes that there are."""
    place = np.log(column)
    return bool(np.ptp(place[like]) >= MOST_OF_IT * np.ptp(place))


def _best(law: pd.DataFrame, x: str, y: str, sizes: Sequence[str]) -> pd.DataFrame:
    """The best point of the map, or that of each size unless it lies on an edge."""
    if len(sizes) == 2:
        return law.head(0)
    if not sizes:
        return law.loc[[law["value"].idxmin()]].assign(kind="best", above=0.0)
    size, setting = sizes[0], y if sizes[0] == x else x
    grid = law.pivot_table(index=size, columns=setting, values="value")
    values, steps = grid.to_numpy(), grid.columns.to_numpy()
    low = np.argmin(values, axis=1)
    inside = (low > 0) & (low < len(steps) - 1)
    rows, low = np.flatnonzero(inside), low[inside]
    before, here, after = (values[rows, low + k] for k in (-1, 0, 1))
    away = (before - after) / (2 * (before - 2 * here + after))  # where a parabola through three has its foot
    place = np.log(steps) if steps[0] > 0 else steps  # equal steps, as the grid was made
    found = place[low] + away * (place[1] - place[0])
    found = np.exp(found) if steps[0] > 0 else found
    return pd.DataFrame({"kind": "best", size: grid.index[rows], setting: found, "value": here, "above": 0.0})


def _labelled(
    ax: Axes, across: np.ndarray, upward: np.ndarray, values: np.ndarray, levels: Any, form: str
) -> None:
    """Contours with their numbers."""
    many = levels if isinstance(levels, int) else len(levels)
    shades = sequence(many + 2 if isinstance(levels, int) else many, ax)[::-1]
    lines = ax.contour(across, upward, values, levels=levels, colors=shades, linewidths=0.9)
    for text in ax.clabel(lines, fmt=form.format, fontsize="x-small"):
        text.set_path_effects(halo(ax, 1.5))


def _runs(ax: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    page = palette_of(ax)
    for kind, face in (("elsewhere", "none"), ("run", page.ink)):
        dots = table[table["kind"] == kind]
        ax.plot(dots[x], dots[y], "o", mfc=face, mec=page.ink, mew=0.4, ms=2.4, alpha=0.7)


def _told(ax: Axes, best: pd.DataFrame, x: str, y: str, sizes: Sequence[str]) -> None:
    """The best point, or the line of the best of each size."""
    page = palette_of(ax)
    if sizes and len(best):
        ax.plot(best[x], best[y], color=page.warm, lw=1.6, zorder=5)
        here = best.iloc[len(best) // 2]
        mark(ax, here[x], here[y], f"best for each {sizes[0]}", page.warm, (5, 0))
    for row in [] if sizes else [best.iloc[0]]:
        ax.plot([row[x]], [row[y]], "*", color=page.warm, ms=9, mec=page.paper, mew=0.5, zorder=5)
        words = ", ".join(written(float(row[name]), kind_of(name), 2) for name in (x, y))
        mark(ax, row[x], row[y], f"{words}: {written(float(row['value']))}", page.warm, (5, -4))


@checked
def mixture_data(
    fit: FitResult, domains: Sequence[str] | None = None, at: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """The law over the shares of three domains.

    Args:
        fit: a fit of a law of shares, with its data.
        domains: three inputs that are shares; the law's first three by default.
        at: values of the other inputs; the mean mixture's share for other domains, the largest run's for
            sizes.

    Returns:
        Columns: kind ("law" on a triangular grid, "run", "best"), the three shares (of the three together),
        value, and across and upward, their place in the triangle.

    Raises:
        ValueError: for fewer than three shares.
    """
    runs = fit.data()
    shares = [name for name, domain in fit.law.input_domains.items() if domain == UNIT]
    chosen = list(domains) if domains is not None else shares[:3]
    if len(chosen) != 3 or not set(chosen) <= set(runs.inputs):
        raise ValueError(f"domains={shown(chosen)}: give three of the law's shares, {', '.join(shares)}.")
    others = {n: v for n, v in runs.inputs.items() if n not in chosen}
    held = {}
    for name, column in others.items():
        usual = float(column.mean()) if name in shares else float(column.max())
        held[name] = float((at or {}).get(name, usual))
    left = 1.0 - sum(value for name, value in held.items() if name in shares)
    k = np.arange(STEPS + 1)
    A, B = (grid.ravel() for grid in np.meshgrid(k, k))
    inside = A + B <= STEPS
    parts = np.stack([A[inside], B[inside], STEPS - A[inside] - B[inside]]) / STEPS
    inputs = {name: left * part for name, part in zip(chosen, parts, strict=True)}
    inputs |= {name: np.full(parts.shape[1], value) for name, value in held.items()}
    law = pd.DataFrame(dict(zip(chosen, parts, strict=True))).assign(
        kind="law", value=predict(fit.law, fit.numbers, {n: inputs[n] for n in fit.law.inputs})[0]
    )
    own = np.stack([runs.inputs[name] for name in chosen])
    own = own / np.maximum(own.sum(axis=0), 1e-12)
    dots = pd.DataFrame(dict(zip(chosen, own, strict=True)), index=runs.rows)
    best = law.loc[[law["value"].idxmin()]].assign(kind="best")
    table = pd.concat([law, dots.assign(kind="run", value=runs.target), best])
    table["across"] = table[chosen[1]] + table[chosen[2]] / 2
    table["upward"] = HIGH * table[chosen[2]]
    table = table.reindex(columns=["kind", *chosen, "value", "across", "upward"])
    table.attrs["held"] = held
    return table


@checked
@picture
def mixture(
    fit: FitResult,
    domains: Sequence[str] | None = None,
    at: Mapping[str, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Loss over the shares of three domains in a triangle, each corner all of one: contours of the law, runs
    as dots, the best mixture as a star, hollow where no run is near; shaded is what lies outside the runs.
    Numbers in `mixture_data`.

    Args:
        fit, domains, at: as in `mixture_data`.
        ax: axes to draw on.
    """
    from matplotlib.tri import Triangulation

    table = mixture_data(fit, domains, at)
    chosen = list(table.columns[1:4])
    law, best = table[table["kind"] == "law"], table[table["kind"] == "best"].iloc[0]
    ax = axes_for(ax, COLUMN, COLUMN * 0.92)
    page = palette_of(ax)
    mesh = Triangulation(law["across"], law["upward"])
    lines = ax.tricontour(mesh, law["value"], levels=LEVELS, colors=sequence(LEVELS + 2, ax), linewidths=0.9)
    for text in ax.clabel(lines, fmt="%.3g", fontsize="x-small"):
        text.set_path_effects(halo(ax, 1.5))
    dots = table[table["kind"] == "run"].drop_duplicates(chosen).head(MOST_DOTS)
    ax.plot(dots["across"], dots["upward"], "o", color=page.ink, ms=2.6, mew=0, alpha=0.8, zorder=4)
    known = _tried(ax, dots[["across", "upward"]].to_numpy(), (best["across"], best["upward"]))
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (0.5, HIGH), (0.0, 0.0)])
    ax.plot(*corners.T, color=page.ink, lw=0.8)
    face = page.warm if known else page.paper
    ax.plot([best["across"]], [best["upward"]], "*", mfc=face, mec=page.warm, ms=9, mew=0.8, zorder=5)
    shares = " / ".join(f"{100 * best[name]:.0f}" for name in chosen)
    words = f"best: {shares} %" + ("" if known else "\nbeyond the runs")
    mark(ax, best["across"], best["upward"], words, page.warm, (6, 4))
    for (x, y), name, at_ in zip(corners, chosen, ((0, -5), (0, -5), (0, 5)), strict=False):
        mark(ax, x, y, f"all {name}", page.ink, at_)
    ax.set(xlim=(-0.08, 1.08), ylim=(-0.1, HIGH + 0.1), aspect="equal", xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    held = ", ".join(f"{n} = {written(v, kind_of(n), 2)}" for n, v in table.attrs["held"].items())
    ax.set_title(target_words(fit) + (f" at {held}" if held else ""), fontsize="small", color=page.ink)
    return ax


def _tried(ax: Axes, dots: np.ndarray, best: tuple[float, float]) -> bool:
    """Shades what lies outside the runs' mixtures, and says whether the best one lies among them."""
    from matplotlib.path import Path

    if len(dots) < 3 or np.linalg.matrix_rank(dots - dots[0], tol=1e-9) < 2:
        return False
    hull = dots[ConvexHull(dots).vertices]
    page = palette_of(ax)
    ax.fill([0, 1, 0.5], [0, 0, HIGH], color=page.faint, alpha=0.45, lw=0, zorder=0.5)
    ax.fill(*hull.T, color=page.paper, lw=0, zorder=0.6)
    ax.fill(*hull.T, fill=False, ec=page.quiet, lw=0.6, ls=(0, (1, 2)), zorder=0.7)
    return bool(Path(hull).contains_point(best, radius=1e-6) or Path(hull).contains_point(best, radius=-1e-6))


def _grid(column: np.ndarray) -> np.ndarray:
    """A grid somewhat wider than the values."""
    low, high = float(column.min()), float(column.max())
    if low > 0:
        room = (high / low) ** 0.08 if high > low else 2.0
        return np.geomspace(low / room, high * room, POINTS)
    room = 0.08 * (high - low) or 1.0
    return np.linspace(low, high + room, POINTS)
