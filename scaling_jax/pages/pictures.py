"""Pictures of a page: each drawn once for light pages and once for dark, as SVG."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial, singledispatch
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from scaling_jax import plot
from scaling_jax.allocation.envelope import Envelope
from scaling_jax.allocation.family import Approaches
from scaling_jax.allocation.isoflop import Isoflop
from scaling_jax.api.groups import FitGroups
from scaling_jax.api.result import FitResult
from scaling_jax.core.optional import needs
from scaling_jax.diagnosis.backtest import Backtest
from scaling_jax.diagnosis.examination import examine
from scaling_jax.diagnosis.monitor import Monitor
from scaling_jax.diagnosis.sensitivity import Sensitivity
from scaling_jax.forecasting.result import Forecast
from scaling_jax.planning.contrasted import Contrast
from scaling_jax.planning.designed import NextRuns
from scaling_jax.planning.result import Plan
from scaling_jax.posterior.result import Posterior, PosteriorGroups
from scaling_jax.reporting.blocks import Picture
from scaling_jax.uncertainty.profile import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pictures_of"]

Drawn: TypeAlias = "Axes | np.ndarray"
BARE: dict[str, Any] = {
    "metadata": {"Date": None, "Creator": None},
    "transparent": True,
    "bbox_inches": "tight",
    "pad_inches": 0.04,
}


class Drawing(NamedTuple):
    """What is drawn: a name for files, a caption, and the function."""

    name: str
    words: str
    draw: Callable[..., Drawn]
    wide: bool = False


CHOICES = "The answer under other defensible choices, beside the interval of the fit as it stands."
GROWS = Drawing("allocation", "The best size over the budget, and the power law through it.", plot.allocation)
ALWAYS: dict[type, list[Drawing]] = {
    FitGroups: [Drawing("groups", "The law and the runs of each group.", plot.groups, wide=True)],
    Plan: [Drawing("plan", "Size of the best run over the budget, with its interval.", plot.plan)],
    Contrast: [
        Drawing("contrast", "The two likeliest to be best, over the budget.", plot.contrast_panels, wide=True)
    ],
    Monitor: [
        Drawing(
            "monitor",
            "The run so far, what was expected of it, and the evidence that it is at fault.",
            plot.monitor,
            wide=True,
        )
    ],
    NextRuns: [Drawing("next-runs", "Where the next runs lie.", plot.next_runs)],
    Sensitivity: [Drawing("choices", CHOICES, plot.sensitivity)],
    Profile: [
        Drawing(
            "profile",
            "How much likelihood is lost where the parameter is held, the others refitted.",
            plot.profile,
        )
    ],
    Backtest: [Drawing("backtest", "The rows kept back, and their prediction.", plot.backtest)],
    Approaches: [
        Drawing(
            "approaches", "The best size of each budget by every approach, with its band.", plot.approaches
        ),
        Drawing("approaches-loss", "Its loss.", partial(plot.approaches, quantity="loss")),
    ],
    Isoflop: [
        Drawing(
            "isoflop",
            "The runs of each budget, the curve through them, and its minimum, which was not trained.",
            plot.isoflop,
        ),
        GROWS,
    ],
    Envelope: [Drawing("envelope", "The training curves, and the best below them.", plot.envelope), GROWS],
    Posterior: [Drawing("posterior", "Draws of each parameter, chain by chain.", plot.posterior, wide=True)],
}


def pictures_of(thing: object) -> list[Picture]:
    """The pictures of a result, in the order a reader wants them; those that it does not have are left
    out."""
    found = []
    for name, words, draw, wide in drawings(thing):
        light = _svg(name, draw, dark=False)
        if light is not None:
            dark = _svg(name, draw, dark=True)
            found.append(Picture(name, words, light, dark or light, wide))
    return found


@singledispatch
def drawings(thing: object) -> Iterator[Drawing]:
    """What can be drawn of a result."""
    known = next((found for kind, found in ALWAYS.items() if isinstance(thing, kind)), [])
    return (one._replace(draw=partial(one.draw, thing)) for one in known)


@drawings.register
def _fit(fit: FitResult) -> Iterator[Drawing]:
    seen = examine(fit)
    if (draws := seen.draws) is not None:
        words = (
            "What the law says beyond its runs: solid inside the data, dashed beyond; the dark band is that "
            "of the mean curve, the light one that of a new run."
        )
        yield Drawing("extrapolation", words, lambda: plot.fan(draws), wide=True)
    words = "Predicted against measured. On the line the law is right"
    words += "; held-out runs were predicted by a fit without them." if seen.backtest else "."
    yield Drawing("predicted", words, lambda: plot.predicted(fit, seen.backtest))
    if {"N", "D"} <= set(fit.law.inputs):
        words = "Loss by size and data: the runs, lines of equal compute, and the best run of each budget."
        yield Drawing("contours", words, lambda: plot.contours(fit))
    elif len(fit.law.inputs) <= 2:
        yield Drawing("curves", "The law and its runs.", lambda: plot.curves(fit))
    words = "What the law misses, by what it predicts. A pattern here means that it leaves something out."
    yield Drawing("residuals", words, lambda: plot.residuals(fit))
    if (found := seen.sensitivity) is not None:
        yield Drawing("choices", CHOICES, lambda: plot.sensitivity(found))


@drawings.register
def _forecast(ahead: Forecast) -> Iterator[Drawing]:
    words = "The forecast, the members it is made of, and the runs it rests on."
    yield Drawing("forecast", words, lambda: plot.forecast(ahead), wide=True)
    if len(ahead.backtest):
        yield Drawing("backtest", "How it did on runs kept back.", lambda: plot.backtest(ahead))


@drawings.register
def _posterior_groups(found: PosteriorGroups) -> Iterator[Drawing]:
    for name in found.sampled.design.pooled:
        words = f"{name} of each group, drawn together as far as the groups are alike."
        yield Drawing(f"forest-{name}", words, partial(plot.forest, found, name))


def _svg(name: str, draw: Callable[[], Drawn], dark: bool) -> str | None:
    """The picture as SVG text, or None for a result that cannot be drawn that way."""
    matplotlib = needs("matplotlib", "report", "Reports need")
    pyplot = needs("matplotlib.pyplot", "report", "Reports need")
    out = StringIO()
    with plot.style(dark), matplotlib.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a label too long for its axes: it is seen
        try:
            figure = np.ravel(np.asarray(draw(), dtype=object))[0].figure.figure
            figure.savefig(out, format="svg", **BARE)
            pyplot.close(figure)
        except (ValueError, TypeError):
            return None
    text = out.getvalue()
    return text[text.index("<svg") :]
