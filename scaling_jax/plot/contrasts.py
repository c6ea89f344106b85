"""Recipes against each other over compute: difference, odds, multiplier and crossover, as `sj.contrast` has
them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.planning.contrasted import Contrast, wins
from scaling_jax.planning.reach import reach
from scaling_jax.plot.axes import axes_for, grid_for
from scaling_jax.plot.distance import band, by_distance, shade_beyond
from scaling_jax.plot.labels import end_labels, mark, note
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import COLUMN, picture
from scaling_jax.plot.ticks import log_axis
from scaling_jax.reporting.numbers import FLOP, written
from scaling_jax.uncertainty.ensemble import interval, tail_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["contrast", "contrast_data", "contrast_panels"]

POINTS = 31
BELOW, ABOVE = 1.0, 0.5  # decades beside the runs and the places that are asked for
AHEAD = 6.0  # decades in which a multiplier is looked for
MOST_RECIPES = 6
QUANTITIES = ("difference", "probability", "multiplier", "best")
LONG, LONGEST = 22, 32  # letters of a name, on an axis and beside a curve
ROW = 1.5  # inches
BARE = "constants alone:\nno uncertainty is known"


@checked
def contrast_data(result: Contrast, pair: Sequence[object] | None = None) -> pd.DataFrame:
    """Two recipes along compute, through the farthest of the places that were asked for.

    Args:
        result: of `sj.contrast`.
        pair: the names of the two; the two likeliest to be the best without it.

    Returns:
        A row per budget: flops, difference (loss of b over that of a, less one), probability (of a beating
        b), multiplier (of b's compute), each of the first and the last with `_lower` and `_upper`; beyond
        (decades from the runs of the recipe known less far).

    Raises:
        ValueError: for recipes that are none.

    >>> import scaling_jax as sj
    >>> one = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> two = one | {"B": 1.1 * one["B"]}
    >>> law = sj.laws.chinchilla
    >>> found = sj.contrast((law, one), (law, two), flops=[1e22, 1e24])
    >>> contrast_data(found)["multiplier"].round(3).unique().tolist()
    [1.298]
    """
    a, b = _pair(result, pair)
    q = int(np.argmax(result.places.decades))
    steps = _steps(result, q)
    flops = 10.0 ** (result.places.decades[q] + steps)
    shown_ = steps <= _end(result, q)
    point = result.losses.point(steps)[:, q]
    table = pd.DataFrame({
        "flops": flops,
        "difference": np.exp(point[b] - point[a]) - 1,
        "multiplier": _multiplier(point[b][None], point[a][None], steps)[0],
        "beyond": _beyond(result, a, b, result.places.decades[q] + steps),
    })  # fmt: skip
    if result.losses.has_draws:
        drawn = result.losses.drawn(steps)[:, :, q]
        apart = np.exp(drawn[b] - drawn[a]) - 1
        table["probability"] = wins(apart)
        table["difference_lower"], table["difference_upper"] = interval(apart, result.level)
        tail = tail_of(result.level)
        many = _multiplier(drawn[b], drawn[a], steps)
        table["multiplier_lower"], table["multiplier_upper"] = np.nanquantile(
            many, [tail, 1 - tail], axis=0, method="nearest"
        )
    columns = ["flops", "difference", "difference_lower", "difference_upper", "probability", "multiplier",
               "multiplier_lower", "multiplier_upper", "beyond"]  # fmt: skip
    table = table[shown_].reindex(columns=columns).reset_index(drop=True)
    table.attrs |= {"a": result.names[a], "b": result.names[b]}
    return table


@checked
@picture
def contrast(
    result: Contrast,
    quantity: str = "difference",
    pair: Sequence[object] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Two recipes along compute; numbers in `contrast_data`. Of many recipes: who is likely to be the best.

    Args:
        result: of `sj.contrast`.
        quantity: "difference" (of losses, in per cent), "probability" (that a beats b), "multiplier" (times
            the compute b needs for a's loss), or "best" (probability of being the best, for each recipe).
        pair: the names of the two; the two likeliest to be the best without it.
        ax: axes to draw on.

    Raises:
        ValueError: for another quantity, for recipes that are none, or for probabilities of bare constants.

    >>> import scaling_jax as sj
    >>> one = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> law = sj.laws.chinchilla
    >>> found = sj.contrast((law, one), (law, one | {"B": 2500.0}), flops=[1e24])
    >>> contrast(found).get_ylabel()
    'loss of b over a (%)'
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity={shown(quantity)}: use one of {', '.join(QUANTITIES)}.")
    if quantity in ("probability", "best") and not result.losses.has_draws:
        raise ValueError("Bare constants have no probabilities: compare fits, or draw the difference.")
    if quantity == "best":
        return _best(result, ax)
    table = contrast_data(result, pair)
    a, b = table.attrs["a"], table.attrs["b"]
    ax = axes_for(ax, height=2.1)
    page = palette_of(ax)
    scale = 100.0 if quantity == "difference" else 1.0
    values = scale * table[quantity]
    if quantity != "probability" and table[f"{quantity}_lower"].notna().any():
        lower, upper = (scale * table[f"{quantity}_{end}"] for end in ("lower", "upper"))
        if quantity == "multiplier":
            lower, upper = (_finite(end, values) for end in (lower, upper))
        band(ax, table["flops"], lower, upper, page.main)
    level = {"difference": 0.0, "probability": 0.5, "multiplier": 1.0}[quantity]
    ax.axhline(level, color=page.quiet, lw=0.8)
    by_distance(ax, table["flops"], values, table["beyond"], page.main, lw=1.6, zorder=3)
    log_axis(ax, "x", FLOP)
    ax.set_xlim(table["flops"].min(), table["flops"].max())
    if quantity == "multiplier":
        log_axis(ax, "y")
    if quantity == "probability":
        ax.set(ylim=(0, 1), yticks=[0.05, 0.5, 0.95])
    known = table.loc[table["beyond"] == 0, "flops"]
    if len(known):
        shade_beyond(ax, float(known.min()), float(known.max()))
    _asked(ax, result, table, values)
    ax.set(xlabel="training compute C (FLOP)", ylabel=_words(quantity, a, b))
    if quantity == "difference":
        note(ax, f"above 0: {shown_name(a)} is better", "upper right")
        _crossing(ax, result, a, b)
        _certainty(ax, result)
    return ax


@checked
@picture
def contrast_panels(
    result: Contrast, pair: Sequence[object] | None = None, ax: Sequence[Axes] | None = None
) -> np.ndarray:
    """Difference, probability and multiplier of two recipes under each other, over the same compute.

    Args:
        result, pair: as in `contrast`.
        ax: three axes; two where constants have no probabilities.

    Returns:
        The axes.

    >>> import scaling_jax as sj
    >>> one = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> law = sj.laws.chinchilla
    >>> found = sj.contrast((law, one), (law, one | {"B": 2500.0}), flops=[1e24])
    >>> len(contrast_panels(found))
    2
    """
    quantities = [q for q in QUANTITIES[:3] if q != "probability" or result.losses.has_draws]
    axes = grid_for(ax, len(quantities), 1, COLUMN, ROW * len(quantities) + 0.4)
    for one, quantity in zip(axes, quantities, strict=True):
        contrast(result, quantity, pair, ax=one)
        if one is not axes[-1]:
            one.set_xlabel("")
            one.tick_params("x", labelbottom=False)
        if one is not axes[0]:
            for words in [t for t in one.texts if t.get_position()[1] == 1.0 or t.xy[1] == 1.0]:
                words.remove()
    return axes


def _best(result: Contrast, ax: Axes | None) -> Axes:
    """Every recipe's probability of being the best along compute."""
    ax = axes_for(ax)
    page = palette_of(ax)
    q = int(np.argmax(result.places.decades))
    steps = _steps(result, q)
    steps = steps[steps <= _end(result, q)]
    x = result.places.decades[q] + steps
    drawn = result.losses.drawn(steps)[:, :, q]
    first = drawn == drawn.min(axis=0)
    share = (first / first.sum(axis=0)).mean(axis=1)
    order = np.argsort(-share.max(axis=1))[:MOST_RECIPES]
    ends = []
    top = float(np.nanmin(result.losses.tops))
    beyond = np.maximum(x - top, 0.0) if np.isfinite(top) else np.zeros(len(x))
    for k, r in enumerate(order):
        colour = page.accents[k % len(page.accents)]
        by_distance(ax, 10.0**x, share[r], beyond, colour, lw=1.4, zorder=3)
        ends.append((float(share[r, -1]), shown_name(result.names[r], LONGEST), colour))
    log_axis(ax, "x", FLOP)
    ax.set(xlim=(10.0 ** x[0], 10.0 ** x[-1]), ylim=(0, 1))
    if np.isfinite(top):
        shade_beyond(ax, None, 10.0**top)
    end_labels(ax, ends)
    ax.set(xlabel="training compute C (FLOP)", ylabel="probability of being the best")
    left = len(result.names) - len(order)
    if left:
        note(ax, f"{left} others stay lower", "upper left")
    return ax


def _asked(ax: Axes, result: Contrast, table: pd.DataFrame, values: pd.Series) -> None:
    """The budgets that were asked for, as stars on the curve."""
    if result.places.flops is None:
        return
    page, x = palette_of(ax), np.log(table["flops"])
    asked = np.sort(result.places.flops)
    y = np.interp(np.log(asked), x, values)
    ax.plot(asked, y, "*", color=page.warm, ms=7, mec=page.paper, mew=0.4, zorder=5)


def _certainty(ax: Axes, result: Contrast) -> None:
    """What the band is, or why there is none."""
    known = f"band: {100 * result.level:g} %"
    note(ax, known if result.losses.has_draws else BARE, "lower left")


def _crossing(ax: Axes, result: Contrast, a: object, b: object) -> None:
    """Where the two are equal, told at the line of no difference."""
    if result.places.flops is None:
        return
    rows = result.crossover
    row = rows[rows["a"].isin((a, b)) & rows["b"].isin((a, b))].iloc[0]
    low, high = ax.get_xlim()
    if np.isfinite(row["flops"]) and low < row["flops"] < high:
        page = palette_of(ax)
        ax.plot([row["flops"]], [0], "o", mfc=page.paper, mec=page.warm, ms=5, mew=1.2, zorder=6)
        mark(ax, row["flops"], 0, f"equal at {written(float(row['flops']), FLOP, 1)}", page.warm, (0, -4))


def _words(quantity: str, a: object, b: object) -> str:
    one, two = (shown_name(name) for name in (a, b))
    gap = "\n" if len(one) + len(two) > LONG else " "
    return {
        "difference": f"loss of {two}{gap}over {one} (%)",
        "probability": f"P({one}{gap}beats {two})",
        "multiplier": f"compute {two} needs,\ntimes that of {one}",
    }[quantity]


def shown_name(name: object, most: int = LONG) -> str:
    """A recipe's name, no longer than fits an axis."""
    words = str(name)
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _pair(result: Contrast, pair: Sequence[object] | None) -> tuple[int, int]:
    """Positions of the two recipes, in the order of the contrast."""
    if pair is None:
        if len(result.names) == 2:
            return 0, 1
        last = result.best.tail(len(result.names))
        pair = list(last["recipe"].iloc[:2])
    if len(pair) != 2 or not set(pair) <= set(result.names) or pair[0] == pair[1]:
        raise ValueError(f"pair={shown(pair)}: give two of {', '.join(map(str, result.names[:12]))}.")
    return result.names.index(pair[0]), result.names.index(pair[1])


def _steps(result: Contrast, q: int) -> np.ndarray:
    """Decades from the farthest place: over the runs and the places, and on, for multipliers."""
    here = result.places.decades[q]
    bottoms = result.losses.bottoms[np.isfinite(result.losses.bottoms)]
    low = min([result.places.decades.min(), *bottoms]) - here
    low = min(low, -BELOW)
    own = np.linspace(low, ABOVE, POINTS)
    return np.unique(np.concatenate([own, result.places.decades - here, np.arange(1.0, AHEAD + ABOVE, 0.5)]))


def _end(result: Contrast, q: int) -> float:
    return ABOVE + 1e-9


def _multiplier(other: np.ndarray, level: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(draws, steps) how many times the compute of each step the other's curve needs for the level there."""
    wide = np.broadcast_to(other[:, None], (*level.shape, len(steps)))
    with np.errstate(over="ignore"):
        return 10.0 ** (reach(wide, level, steps) - steps)


def _finite(values: pd.Series, centre: pd.Series) -> np.ndarray:
    """Ends of a band that may be 0 or infinite, kept inside what can be drawn."""
    known = centre[np.isfinite(centre) & (centre > 0)]
    low, high = (known.min() / 10, known.max() * 10) if len(known) else (0.1, 10.0)
    return np.clip(values.to_numpy(), low, high)


def _beyond(result: Contrast, a: int, b: int, x: np.ndarray) -> np.ndarray:
    """Decades of compute beyond the runs of the recipe known less far."""
    tops, bottoms = result.losses.tops[[a, b]], result.losses.bottoms[[a, b]]
    if not np.isfinite(tops).all():
        return np.zeros(len(x))
    return np.maximum(0.0, np.maximum(x - tops.min(), bottoms.max() - x))
