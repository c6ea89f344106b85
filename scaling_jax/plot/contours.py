"""A law of N and D as a map: equal losses, equal compute, the runs, the best of each budget, and a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked
from scaling_jax.engine.predict import predict
from scaling_jax.planning.plan import planned
from scaling_jax.planning.problem import Limits
from scaling_jax.planning.result import Plan
from scaling_jax.planning.source import Source, source_of
from scaling_jax.plot.axes import axes_for
from scaling_jax.plot.distance import by_distance
from scaling_jax.plot.labels import axis_words, halo, mark, note
from scaling_jax.plot.palette import palette_of, sequence
from scaling_jax.plot.style import picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import COUNT, FLOP, written
from scaling_jax.tables.scale import TOKENS_FLOP, budgets_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["contour_data", "contours"]

POINTS = 60
ROOM = 0.25  # decades beside what is shown
LEVELS = 9
NO_RUNS = (1e7, 1e11, 2e8, 1e13)  # N and D where nothing is known of any run
MOST_BUDGETS = 6


@checked
def contour_data(source: Any, flops: ArrayLike | None = None) -> pd.DataFrame:
    """The numbers of `contours`.

    Args:
        source: a fit, a plan, published constants: whatever `sj.plan` takes, for a law of N and D.
        flops: budgets whose best runs are marked.

    Returns:
        Columns: kind ("loss" on a grid, "run", "frontier", "plan"), N, D, loss, flops, beyond (decades of
        compute above the largest run), N_lower, N_upper (of plans).

    Raises:
        ValueError: for a law that has no N or no D.

    >>> import scaling_jax as sj
    >>> table = contour_data(sj.published["besiroglu2024"], flops=[1e24])
    >>> table["kind"].value_counts().to_dict()
    {'loss': 3600, 'frontier': 60, 'plan': 1}
    """
    one, plan = _read(source, flops)
    runs = pd.DataFrame({name: one.rows[name] for name in ("N", "D")}) if one.rows else pd.DataFrame()
    box = _box(one, runs, plan)
    others = _others(one, plan)
    N, D = (np.geomspace(low, high, POINTS) for low, high in (box[:2], box[2:]))
    NN, DD = (grid.ravel() for grid in np.meshgrid(N, D))
    flat = {"N": NN, "D": DD, **{name: np.full(len(NN), value) for name, value in others.items()}}
    parts = [pd.DataFrame({"kind": "loss", "N": NN, "D": DD, "loss": predict(one.law, one.numbers, flat)[0]})]
    top = np.inf
    if len(runs):
        top = float((TOKENS_FLOP * runs["N"] * runs["D"]).max())
        parts.append(runs.assign(kind="run", loss=predict(one.law, one.numbers, one.rows)[0]))
    parts.append(_frontier(one, box, others).assign(kind="frontier"))
    if plan is not None:
        best = plan.table
        spent = best["flops"] if "flops" in best else TOKENS_FLOP * best["N"] * best["D"]
        parts.append(best.assign(kind="plan", flops=spent))
    table = pd.concat(parts, ignore_index=True)
    table["flops"] = table["flops"].fillna(TOKENS_FLOP * table["N"] * table["D"])
    table["beyond"] = np.log10(np.maximum(table["flops"] / top, 1.0))
    return table.reindex(columns=["kind", "N", "D", "loss", "flops", "beyond", "N_lower", "N_upper"])


@checked
@picture
def contours(source: Any, flops: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
    """Loss by size and data: contours, runs as dots, equal compute as thin lines, the best run of each budget
    as a thick one (dashed beyond the runs), planned runs as stars; numbers in `contour_data`.

    Args:
        source, flops: as in `contour_data`; a `Plan` shows its own runs.
        ax: axes to draw on.

    >>> import scaling_jax as sj
    >>> contours(sj.published["besiroglu2024"], flops=[1e24]).get_xlabel()
    'model size N (parameters)'
    """
    table = contour_data(source, flops)
    ax = axes_for(ax)
    page = palette_of(ax)
    parts = {kind: table[table["kind"] == kind] for kind in ("loss", "run", "frontier", "plan")}
    grid = parts["loss"]
    N, D = np.unique(grid["N"]), np.unique(grid["D"])
    ax.set(xlim=(N[0], N[-1]), ylim=(D[0], D[-1]))
    log_axis(ax, "x", COUNT)
    log_axis(ax, "y", COUNT)
    _budgets(ax, N, D)
    loss = grid["loss"].to_numpy().reshape(len(D), len(N))
    lines = ax.contour(N, D, loss, levels=_levels(loss), colors=sequence(LEVELS, ax), linewidths=0.9)
    for words in ax.clabel(
        lines, fmt=lambda v: f"{v:.3g}", fontsize="x-small", inline=True, inline_spacing=2
    ):
        words.set_path_effects(halo(ax, 1.5))
    best = parts["frontier"].dropna(subset="N")
    by_distance(ax, best["N"], best["D"], best["beyond"], page.main, lw=1.8, zorder=4)
    ax.plot(
        parts["run"]["N"], parts["run"]["D"], "o", color=page.ink, ms=3.2, mec=page.paper, mew=0.4, zorder=3
    )
    if len(best):
        inside = best[(best["N"] < N[-1]) & (best["D"] < D[-1])]
        if len(inside):
            here = inside.iloc[len(inside) // 5]
            mark(ax, here["N"], here["D"], "best size for\neach budget", page.main, (5, -2))
    _planned(ax, parts["plan"])
    signs = [sign for kind, sign in (("run", "● runs"), ("plan", "★ planned")) if len(parts[kind])]
    note(ax, "\n".join(["contours: equal loss", "   ".join(signs)]).strip(), "upper left")
    ax.set(xlabel=axis_words("N"), ylabel=axis_words("D"))
    return ax


def _planned(ax: Axes, plan: pd.DataFrame) -> None:
    page = palette_of(ax)
    for row in plan.dropna(subset=["N", "D"]).itertuples():
        if np.isfinite(row.N_lower):
            ax.plot([row.N_lower, row.N_upper], [row.D, row.D], color=page.warm, lw=1.1, zorder=5)
        ax.plot([row.N], [row.D], "*", color=page.warm, ms=9, mec=page.paper, mew=0.5, zorder=6)
        words = f"N {written(row.N, COUNT, 2)}\nD {written(row.D, COUNT, 2)}"
        mark(ax, row.N, row.D, words, page.warm, (-6, 2))


def _budgets(ax: Axes, N: np.ndarray, D: np.ndarray) -> None:
    """Lines of equal compute, named where they leave the picture."""
    page = palette_of(ax)
    low, high = (np.log10(TOKENS_FLOP * N[i] * D[i]) for i in (0, -1))
    step = max(1, int(np.ceil((high - low) / MOST_BUDGETS)))
    for power in range(int(np.ceil(low)), int(high) + 1, step):
        line = 10.0**power / (TOKENS_FLOP * N)
        ax.plot(N, line, color=page.quiet, lw=0.5, ls=(0, (1, 2)), zorder=1)
        shown = (line > D[0] * 1.15) & (line < D[-1] / 1.15)
        if shown.sum() > 4:
            k = np.flatnonzero(shown)[-1]
            right = k == len(N) - 1
            ax.annotate(
                written(10.0**power, FLOP) + (" FLOP" if power + step > high else ""),
                (N[k], line[k]),
                xytext=(2, 0) if right else (0, 2),
                textcoords="offset points",
                fontsize="x-small",
                color=page.quiet,
                ha="left" if right else "right",
                va="center" if right else "bottom",
                annotation_clip=False,
                path_effects=halo(ax),
            )


def _levels(loss: np.ndarray) -> np.ndarray:
    """Losses at which contours are drawn: rounded, closer where the law is flat."""
    known = loss[np.isfinite(loss)]
    low, high = np.quantile(known, [0.02, 0.97])
    floor = known.min() - 0.25 * (low - known.min()) - 1e-12
    raw = floor + np.geomspace(max(low - floor, 1e-9 * abs(low) + 1e-12), high - floor, LEVELS)
    digits = int(np.ceil(-np.log10(np.diff(raw).min()))) if np.diff(raw).min() > 0 else 3
    return np.unique(np.round(raw, max(digits, 0)))


def _read(source: Any, flops: ArrayLike | None) -> tuple[Source, Plan | None]:
    plan = source if isinstance(source, Plan) else None
    one = plan.source if plan is not None else source_of(source, draws=False)
    if not {"N", "D"} <= set(one.law.inputs):
        raise ValueError(
            f"Contours are of N and D, and law '{one.law.name}' takes {', '.join(one.law.inputs)}."
        )
    if flops is not None:
        limits = _held(_others(one, plan))
        plan = planned(one, {"flops": flops}, limits=limits)
    return one, plan


def _others(one: Source, plan: Plan | None) -> dict[str, float]:
    """Values of the law's inputs other than N and D: those of the plan, or of the largest run."""
    found = {}
    for name in one.law.inputs:
        if name in ("N", "D"):
            continue
        if plan is not None and name in plan.point.inputs:
            found[name] = float(plan.point.inputs[name][0, -1])
        elif one.rows:
            found[name] = float(one.rows[name][np.argmax(one.rows["N"] * one.rows["D"])])
        else:
            raise ValueError(f"Law '{one.law.name}' also takes {name}: give a plan, or a fit with its runs.")
    return found


def _held(others: dict[str, float]) -> Limits:
    return {name: float(value) for name, value in others.items()}


def _box(one: Source, runs: pd.DataFrame, plan: Plan | None) -> tuple[float, float, float, float]:
    """Ends of N and of D."""
    ends = []
    for name, (low, high) in (("N", NO_RUNS[:2]), ("D", NO_RUNS[2:])):
        values = [np.asarray(runs[name])] if len(runs) else [np.asarray(one.ends.get(name, (low, high)))]
        if plan is not None:
            values.append(plan.point.inputs[name].ravel())
        every = np.concatenate(values)
        every = every[np.isfinite(every) & (every > 0)]
        ends += [float(every.min()) / 10**ROOM, float(every.max()) * 10**ROOM]
    return (ends[0], ends[1], ends[2], ends[3])


def _frontier(one: Source, box: tuple[float, float, float, float], others: dict[str, float]) -> pd.DataFrame:
    """Best runs of the budgets inside the box."""
    flops = budgets_of(np.geomspace(TOKENS_FLOP * box[0] * box[2], TOKENS_FLOP * box[1] * box[3], POINTS))
    best = planned(one, {"flops": flops}, limits=_held(others)).point
    return pd.DataFrame(
        {"N": best.inputs["N"][0], "D": best.inputs["D"][0], "loss": best.loss[0], "flops": flops}
    )
