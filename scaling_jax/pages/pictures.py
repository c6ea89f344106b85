"""Pictures of a page: each drawn once for light pages and once for dark, as SVG."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from io import StringIO
from typing import TYPE_CHECKING, NamedTuple

from scaling_jax.api.result import FitResult
from scaling_jax.core.optional import needs
from scaling_jax.diagnosis.examination import Examination
from scaling_jax.plot.agreement import predicted
from scaling_jax.plot.contours import contours
from scaling_jax.plot.fan import fan
from scaling_jax.plot.fits import curves, residuals, sensitivity
from scaling_jax.plot.style import style
from scaling_jax.reporting.blocks import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pictures_of"]


class Drawing(NamedTuple):
    """What is drawn: a name for files, a caption, and the function."""

    name: str
    words: str
    draw: Callable[[], Axes]
    wide: bool = False


def pictures_of(fit: FitResult, seen: Examination) -> Iterator[Picture]:
    """The pictures of a fit, in the order a reader wants them; those that its law does not have are left
    out."""
    for drawing in _drawings(fit, seen):
        light = _svg(drawing, dark=False)
        if light is not None:
            dark = _svg(drawing, dark=True)
            yield Picture(drawing.name, drawing.words, light, dark or light, drawing.wide)


def _drawings(fit: FitResult, seen: Examination) -> Iterator[Drawing]:
    if seen.draws is not None:
        draws = seen.draws
        yield Drawing(
            "extrapolation",
            "What the law says beyond its runs: solid inside the data, dashed beyond; the dark band is that "
            "of the mean curve, the light one that of a new run.",
            lambda: fan(draws),
            wide=True,
        )
    yield Drawing(
        "predicted",
        "Predicted against measured. On the line the law is right; held-out runs were predicted by a fit "
        "without them." if seen.backtest else "Predicted against measured. On the line the law is right.",
        lambda: predicted(fit, seen.backtest),
    )  # fmt: skip
    if {"N", "D"} <= set(fit.law.inputs):
        yield Drawing(
            "contours",
            "Loss by size and data: the runs, lines of equal compute, and the best run of each budget.",
            lambda: contours(fit),
        )
    elif len(fit.law.inputs) <= 2:
        yield Drawing("curves", "The law and its runs.", lambda: curves(fit))
    yield Drawing(
        "residuals",
        "Residuals against predictions. A pattern here means that the law leaves something out.",
        lambda: residuals(fit),
    )
    if seen.sensitivity is not None:
        found = seen.sensitivity
        yield Drawing(
            "choices",
            "The answer under other defensible choices, beside the interval of the fit as it stands.",
            lambda: sensitivity(found),
        )


def _svg(drawing: Drawing, dark: bool) -> str | None:
    """The picture as SVG text, or None where this law cannot be drawn that way."""
    matplotlib = needs("matplotlib", "report", "Reports need")
    pyplot = needs("matplotlib.pyplot", "report", "Reports need")
    out, bare = StringIO(), {"metadata": {"Date": None, "Creator": None}, "transparent": True}
    with style(dark), matplotlib.rc_context({"svg.hashsalt": drawing.name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a label too long for its axes: it is seen
        try:
            figure = drawing.draw().get_figure(root=True)
            assert figure is not None
            figure.savefig(out, format="svg", bbox_inches="tight", pad_inches=0.04, **bare)
            pyplot.close(figure)
        except (ValueError, TypeError):
            return None
    text = out.getvalue()
    return text[text.index("<svg") :]
