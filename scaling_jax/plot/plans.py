"""Pictures of plans: isoFLOP profiles, envelopes, allocations, and the best runs of budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.plot.axes import axes_for, loss_axis
from scaling_jax.plot.fits import MOST_CURVES, POINTS
from scaling_jax.plot.palette import sequence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.allocation.envelope import Envelope
    from scaling_jax.allocation.isoflop import Isoflop
    from scaling_jax.allocation.lines import AllocationDraws

__all__ = ["allocation", "envelope", "isoflop", "plan"]

NAMES = {"minimum": "lower envelope", "hull": "convex hull"}
QUANTITIES = {
    "N": "best size N* (parameters)",
    "D": "best amount of tokens D*",
    "loss": "loss",
    "tokens_per_param": "tokens per parameter",
}


@checked
def isoflop(result: Isoflop, ax: Axes | None = None) -> Axes:
    """Approach 2: loss by size, a curve per budget, and a star on each optimum; numbers in `.table`.

    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import scaling_jax as sj
    >>> runs = sj.datasets.load("tiny_sweep").query("arm == 'main' and final")
    >>> isoflop(sj.isoflop(runs, budget="budget", N="n_params", D="tokens")).get_xlabel()
    'parameters N'
    """
    ax = axes_for(ax)
    families = dict(tuple(result.runs.groupby("flops")))
    for (flops, family), colour in zip(families.items(), sequence(len(families), ax), strict=True):
        ax.plot(family["N"], family["loss"], "o", color=colour, ms=4, label=f"{flops:.2g} FLOP")
        if family["N"].nunique() > 2:
            N = np.geomspace(family["N"].min(), family["N"].max(), POINTS)
            ax.plot(N, result.curve(family, N), color=colour, lw=1.2)
    best = result.inside
    ax.plot(best["N"], best["loss"], "*", color="C3", ms=11, mec="white", label="optimum", zorder=5)
    ax.set(
        xscale="log", xlabel="parameters N", ylabel="loss", title=f"Loss at equal compute ({result.method})"
    )
    loss_axis(ax, result.runs["loss"])
    ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


@checked
def envelope(result: Envelope, ax: Axes | None = None) -> Axes:
    """Approach 1: loss by compute, a curve per run, and the best runs below them; numbers in `.table`."""
    ax = axes_for(ax)
    sizes = np.unique(result.curves.N)
    colours = dict(zip(sizes, sequence(len(sizes), ax), strict=True))
    shown = set(sizes[np.linspace(0, len(sizes) - 1, min(len(sizes), MOST_CURVES)).astype(int)])
    curves = zip(result.curves.N, result.curves.rows, strict=True)
    for N, (log_C, _, log_loss) in sorted(curves, key=lambda pair: pair[0]):
        label = f"N = {N:.3g}" if N in shown else None
        shown.discard(N)
        ax.plot(np.exp(log_C), np.exp(log_loss), "-o", color=colours[N], lw=0.9, ms=1.5, label=label)
    best, mark = result.inside, "-" if result.method == "minimum" else "-o"
    ax.plot(best["flops"], best["loss"], mark, color="C3", lw=2, ms=4, label="best for its compute", zorder=5)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="compute C (FLOP)",
        ylabel="loss",
        title=f"Training curves and their {NAMES[result.method]}",
    )
    loss_axis(ax, np.exp(np.concatenate([rows[2] for rows in result.curves.rows])))
    ax.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


@checked
def allocation(
    result: Isoflop | Envelope,
    draws: AllocationDraws | None = None,
    level: float = 0.9,
    ax: Axes | None = None,
) -> Axes:
    """The optima of Approach 1 or 2 over compute, and the power law through them with its band.

    Args:
        result: of `sj.isoflop` or `sj.envelope`.
        draws: its bootstrap, for the band.
        level: of the band.
    """
    ax = axes_for(ax)
    inside, edge = result.inside, result.table[result.table["edge"]]
    flops = np.geomspace(inside["flops"].min() / 2, inside["flops"].max() * 10, POINTS)
    table = result.optimal(flops) if draws is None else draws.optimal(flops, level)
    exponents = result.exponents() if draws is None else draws.exponents(level)
    slope = exponents.loc["N", "estimate"]
    if draws is not None:
        band, label = (table["N_lower"], table["N_upper"]), f"{100 * level:g} % band"
        ax.fill_between(flops, *band, color="C0", alpha=0.2, lw=0, label=label)
    ax.plot(flops, table["N"], color="C0", lw=1.5, label=f"N* grows as C^{slope:.3f}")
    mark, size = ("*", 9) if len(inside) < POINTS else (".", 2)
    ax.plot(inside["flops"], inside["N"], mark, color="C3", ms=size, label="optima")
    if edge["N"].notna().any():
        ax.plot(edge["flops"], edge["N"], ".", color="0.7", ms=2, label="on an edge, left out", zorder=1)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="compute C (FLOP)",
        ylabel="best size N* (parameters)",
        title="Best size for a budget",
    )
    ax.legend(fontsize="small", frameon=False)
    return ax


@checked
def plan(table: pd.DataFrame, quantity: str = "N", ax: Axes | None = None, label: str | None = None) -> Axes:
    """A column of `sj.compute_optimal` or `sj.inference_optimal` over its budgets, and its band if any.

    Args:
        table: what `sj.compute_optimal` returned.
        quantity: "N", "D", "loss" or "tokens_per_param".
        ax: axes to draw on, so that several plans can be laid over each other.
        label: what this plan is called in the legend.

    Raises:
        ValueError: for a quantity that the table lacks.
    """
    if quantity not in QUANTITIES or quantity not in table:
        raise ValueError(f"quantity={shown(quantity)}: use one of {', '.join(QUANTITIES)}.")
    ax = axes_for(ax)
    title = "Best run of a budget"
    (drawn,) = ax.plot(table["flops"], table[quantity], lw=1.5, label=label or quantity)
    if f"{quantity}_lower" in table:
        band = (table[f"{quantity}_lower"], table[f"{quantity}_upper"])
        ax.fill_between(table["flops"], *band, color=drawn.get_color(), alpha=0.2, lw=0)
        title += f", with its {100 * table.attrs.get('level', 0.9):g} % interval"
    known = table["extrapolation"].eq(0) if "extrapolation" in table else np.zeros(len(table), dtype=bool)
    if np.any(known) and not np.all(known):
        seen = table["flops"][known]
        ax.axvspan(seen.min(), seen.max(), color="0.92", lw=0, zorder=0, label="compute of the runs")
    ax.set(xscale="log", yscale="log", xlabel="compute C (FLOP)", ylabel=QUANTITIES[quantity], title=title)
    if quantity in ("loss", "tokens_per_param"):
        loss_axis(ax, table[quantity])
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    ax.legend(once.values(), once.keys(), fontsize="small", frameon=False)
    return ax
