"""Colours that people of every colour vision tell apart, on white pages and on dark ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DARK", "LIGHT", "Palette", "palette_of", "sequence"]

DIM = 0.4  # luminance of a page below which it counts as dark


@dataclass(frozen=True)
class Palette:
    """The colours of a page.

    Args:
        paper: the page.
        ink: text and axes.
        quiet: what stands back: reference lines, notes.
        faint: shades of regions.
        accents: what is told apart, the most important first.
    """

    paper: str
    ink: str
    quiet: str
    faint: str
    accents: tuple[str, ...]

    @property
    def main(self) -> str:
        """The law."""
        return self.accents[0]

    @property
    def warm(self) -> str:
        """What asks for attention: targets, optima, alarms."""
        return self.accents[1]


LIGHT = Palette(
    paper="#ffffff",
    ink="#1f2328",
    quiet="#6b7280",
    faint="#d5d9df",
    accents=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
)
DARK = Palette(
    paper="#131416",
    ink="#e6e8eb",
    quiet="#9aa3ad",
    faint="#3a4048",
    accents=("#56b4e9", "#ff8c42", "#2fc39a", "#e39ac4", "#f0c34a", "#3f8fd2"),
)


def palette_of(ax: Axes) -> Palette:
    """The palette for the page that these axes stand on."""
    import matplotlib.colors as colours

    for face in (ax.get_facecolor(), ax.figure.figure.get_facecolor()):
        red, green, blue, alpha = colours.to_rgba(face)
        if alpha > 0:
            return DARK if 0.2126 * red + 0.7152 * green + 0.0722 * blue < DIM else LIGHT
    import matplotlib

    ink = colours.to_rgb(matplotlib.rcParams["text.color"])
    return DARK if min(ink) > DIM else LIGHT


def sequence(n: int, ax: Axes) -> np.ndarray:
    """(n, 4) colours for ordered things, from quiet to strong on the page of these axes."""
    import matplotlib

    low, high = (0.38, 1.0) if palette_of(ax) is DARK else (0.82, 0.0)
    return matplotlib.colormaps["viridis"](np.linspace(low, high, n) if n > 1 else np.array([high * 0.5]))
