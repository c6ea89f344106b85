"""The look of all pictures, as a context: nothing global is changed, and whoever wants it may enter it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, wraps
from inspect import signature
from typing import Any, TypeVar, cast

from scaling_jax.core.checked import checked
from scaling_jax.core.optional import needs
from scaling_jax.plot.palette import DARK, LIGHT

__all__ = ["COLUMN", "HEIGHT", "PAGE", "picture", "style"]

COLUMN, PAGE = 3.4, 6.9
"""Widths of a paper's column and of its page, inches."""
HEIGHT = 2.6
SHAPE = {
    "font.size": 8.0,
    "axes.titlesize": "medium",
    "axes.titlelocation": "left",
    "axes.labelsize": "medium",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.fontsize": "small",
    "xtick.labelsize": "small",
    "ytick.labelsize": "small",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "figure.dpi": 200.0,
    "savefig.dpi": 300.0,
    "figure.figsize": (COLUMN, HEIGHT),
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
"""Sizes of a figure that goes into a column as it is."""
Draw = TypeVar("Draw", bound=Callable[..., Any])


@checked
def style(dark: bool = False) -> AbstractContextManager[None]:
    """The look of these pictures for your own: `with sj.plot.style(): ...`; afterwards all is as it was.

    Args:
        dark: for pages with a dark background; every picture of `sj.plot` drawn inside is dark too.

    Returns:
        A context, as `matplotlib.rc_context` gives.

    >>> import matplotlib, scaling_jax as sj
    >>> before = matplotlib.rcParams["font.size"]
    >>> with sj.plot.style():
    ...     inside = matplotlib.rcParams["font.size"]
    >>> inside, bool(matplotlib.rcParams["font.size"] == before)
    (8.0, True)
    """
    matplotlib = _ready()
    page = DARK if dark else LIGHT
    colours = {
        "figure.facecolor": page.paper,
        "savefig.facecolor": page.paper,
        "axes.facecolor": page.paper,
        "text.color": page.ink,
        "axes.labelcolor": page.ink,
        "axes.edgecolor": page.ink,
        "xtick.color": page.ink,
        "ytick.color": page.ink,
    }
    cycle = needs("cycler", "plot", "Plots need").cycler(color=page.accents)
    return matplotlib.rc_context(SHAPE | colours | {"axes.prop_cycle": cycle})


def picture(draw: Draw) -> Draw:
    """A drawing function that makes its own figure in our sizes; on axes that are given it keeps theirs."""

    @wraps(draw)
    def drawn(*args: Any, **options: Any) -> Any:
        matplotlib = _ready()
        if signature(draw).bind(*args, **options).arguments.get("ax") is not None:
            return draw(*args, **options)
        with matplotlib.rc_context(SHAPE):
            return draw(*args, **options)

    return cast(Draw, drawn)


@cache
def _ready() -> Any:
    """Matplotlib with its backend loaded.

    A notebook's backend turns interactive mode on when it is loaded, which is with the first figure. Inside a
    context that would be undone at its end, and no later picture of the notebook would be shown.
    """
    needs("matplotlib.pyplot", "plot", "Plots need").draw_if_interactive()
    return needs("matplotlib", "plot", "Plots need")
