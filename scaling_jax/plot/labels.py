"""Words in a picture: curves named at their ends, marks beside points, and what an axis shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_jax.plot.palette import palette_of
from scaling_jax.reporting.numbers import COUNT, FLOP, PLAIN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.fitting.fitted import Fitted

__all__ = ["above", "axis_words", "end_labels", "halo", "kind_of", "mark", "note", "target_words"]

KINDS = {"N": COUNT, "D": COUNT, "U": COUNT, "C": FLOP, "flops": FLOP, "compute": FLOP}
PARTS = {"param": COUNT, "token": COUNT, "flop": FLOP, "compute": FLOP}
WORDS = {
    "N": "model size N (parameters)",
    "D": "training data D (tokens)",
    "U": "unique data U (tokens)",
    "lr": "peak learning rate",
    "B": "batch size",
    "C": "training compute C (FLOP)",
    "flops": "training compute C (FLOP)",
    "loss": "loss",
    "tokens_per_param": "tokens per parameter",
}
GAP = 4  # points between the edge and a curve's name
LINE = 1.25  # heights of letters from one label to the next


def kind_of(name: str, column: str = "") -> str:
    """How numbers of an input are written, by its name, or by that of its column."""
    if name in KINDS or column in KINDS:
        return KINDS.get(name) or KINDS[column]
    told = [kind for part, kind in PARTS.items() if part in column.lower()]
    return told[0] if told else PLAIN


def axis_words(name: str, column: str = "") -> str:
    """What an axis shows: the quantity in words, or its column where it has no common name."""
    return WORDS.get(name) or WORDS.get(column) or (column or name).replace("_", " ")


def target_words(fit: Fitted) -> str:
    """What the fit predicts, by its own column, in the unit that the user gave."""
    words = fit.sources.get("target", fit.law.target).replace("_", " ")
    return f"{words} ({fit.spec.unit})" if fit.spec.unit else words


def halo(ax: Axes, width: float = 2.0) -> list[Any]:
    """What keeps words readable over lines: a border in the colour of the page."""
    from matplotlib import colors, patheffects

    face = colors.to_rgba(ax.get_facecolor())
    page = face if face[3] > 0 else palette_of(ax).paper
    return [patheffects.withStroke(linewidth=width, foreground=page)]


def mark(
    ax: Axes, x: float, y: float, words: str, colour: str | None = None, at: tuple[float, float] = (4, 3)
) -> None:
    """Words beside a point, `at` so many points to the right and up; where negative they end there."""
    ax.annotate(
        words,
        (x, y),
        xytext=at,
        textcoords="offset points",
        ha="right" if at[0] < 0 else "left" if at[0] > 0 else "center",
        va="top" if at[1] < 0 else "bottom" if at[1] > 0 else "center",
        color=colour or palette_of(ax).ink,
        fontsize="small",
        path_effects=halo(ax),
        zorder=9,
    )


def note(ax: Axes, words: str, where: str = "lower left") -> None:
    """Quiet words in a corner of the axes."""
    down, side = where.split()
    ax.annotate(
        words,
        (0.02 if side == "left" else 0.98, 0.03 if down == "lower" else 0.97),
        xycoords="axes fraction",
        ha="left" if side == "left" else "right",
        va="bottom" if down == "lower" else "top",
        color=palette_of(ax).quiet,
        fontsize="small",
        path_effects=halo(ax),
        zorder=9,
    )


def above(ax: Axes, x: float, words: str) -> None:
    """Quiet words over the upper edge."""
    ax.annotate(
        words,
        (x, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 1.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize="x-small",
        color=palette_of(ax).quiet,
    )


def end_labels(ax: Axes, labels: Sequence[tuple[float, str, Any]]) -> None:
    """Names of curves at the right edge, each beside its curve's end, moved apart where they would meet.

    Args:
        ax: the axes, with limits and scales as they will stay.
        labels: (height in data, words, colour) of each.
    """
    if not labels:
        return
    import matplotlib

    scale, (low, high) = ax.transData, ax.get_ylim()
    box = ax.get_window_extent()
    heights = np.clip([h for h, _, _ in labels], min(low, high), max(low, high))
    at = scale.transform([(ax.get_xlim()[1], h) for h in heights])[:, 1]
    small = matplotlib.font_manager.FontProperties(size="small").get_size_in_points()
    # lines of a label count, and the axes end up somewhat lower than they are before words take their room
    step = small * LINE * ax.figure.figure.dpi / 72 * 1.12
    lines = np.array([words.count("\n") + 1 for _, words, _ in labels], dtype=float)
    order = np.argsort(at, kind="stable")
    placed = _apart(at[order], lines[order] * step, box.y0, box.y1)
    for k, y in zip(order, placed, strict=True):
        _, words, colour = labels[k]
        ax.annotate(
            words,
            (1.0, (y - box.y0) / box.height),
            xycoords="axes fraction",
            xytext=(GAP, 0),
            textcoords="offset points",
            color=colour,
            fontsize="small",
            va="center",
            annotation_clip=False,
        )


def _apart(at: np.ndarray, room: np.ndarray, low: float, high: float) -> np.ndarray:
    """Heights near those wanted, rising, at least half of both rooms apart, inside the edges if they fit."""
    between = np.concatenate([[0.0], (room[1:] + room[:-1]) / 2]).cumsum()
    free = at - between  # to be made non-decreasing with the least moves: isotonic regression
    blocks: list[list[float]] = []
    for value in free:
        blocks.append([value, 1.0])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (b, m), (a, n) = blocks.pop(), blocks.pop()
            blocks.append([(a * n + b * m) / (n + m), n + m])
    level = np.concatenate([np.full(int(n), v) for v, n in blocks])
    level = np.clip(level, low, max(low, high - between[-1]))
    return np.asarray(level + between)
