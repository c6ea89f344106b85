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
GROWS = "The best size over the budget, and the power law through it."
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
    draw: Callable[[], Drawn]
    wide: bool = False


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
    return iter(())


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
        words = "The answer under other defensible choices, beside the interval of the fit as it stands."
        yield Drawing("choices", words, lambda: plot.sensitivity(found))


@drawings.register
def _groups(fits: FitGroups) -> Iterator[Drawing]:
    yield Drawing("groups", "The law and the runs of each group.", lambda: plot.groups(fits), wide=True)


@drawings.register
def _plan(plan: Plan) -> Iterator[Drawing]:
    words = "Size of the best run over the budget, with its interval."
    yield Drawing("plan", words, lambda: plot.plan(plan))


@drawings.register
def _forecast(ahead: Forecast) -> Iterator[Drawing]:
    words = "The forecast, the members it is made of, and the runs it rests on."
    yield Drawing("forecast", words, lambda: plot.forecast(ahead), wide=True)
    if len(ahead.backtest):
        yield Drawing("backtest", "How it did on runs kept back.", lambda: plot.backtest(ahead))


@drawings.register
def _contrast(contrast: Contrast) -> Iterator[Drawing]:
    words = "The two likeliest to be best, over the budget."
    yield Drawing("contrast", words, lambda: plot.contrast_panels(contrast), wide=True)


@drawings.register
def _monitor(seen: Monitor) -> Iterator[Drawing]:
    words = "The run so far, what was expected of it, and the evidence that it is at fault."
    yield Drawing("monitor", words, lambda: plot.monitor(seen), wide=True)


@drawings.register
def _next_runs(design: NextRuns) -> Iterator[Drawing]:
    yield Drawing("next-runs", "Where the next runs lie.", lambda: plot.next_runs(design))


@drawings.register
def _sensitivity(found: Sensitivity) -> Iterator[Drawing]:
    words = "The answer under other defensible choices, beside the interval of the fit as it stands."
    yield Drawing("choices", words, lambda: plot.sensitivity(found))


@drawings.register
def _profile(found: Profile) -> Iterator[Drawing]:
    words = "How much likelihood is lost where the parameter is held, the others refitted."
    yield Drawing("profile", words, lambda: plot.profile(found))


@drawings.register
def _backtest(found: Backtest) -> Iterator[Drawing]:
    yield Drawing("backtest", "The rows kept back, and their prediction.", lambda: plot.backtest(found))


@drawings.register
def _approaches(found: Approaches) -> Iterator[Drawing]:
    words = "The best size of each budget by every approach, with its band."
    yield Drawing("approaches", words, lambda: plot.approaches(found))
    yield Drawing("approaches-loss", "Its loss.", lambda: plot.approaches(found, "loss"))


@drawings.register
def _isoflop(found: Isoflop) -> Iterator[Drawing]:
    words = "The runs of each budget, the curve through them, and its minimum, which was not trained."
    yield Drawing("isoflop", words, lambda: plot.isoflop(found))
    yield Drawing("allocation", GROWS, lambda: plot.allocation(found))


@drawings.register
def _envelope(found: Envelope) -> Iterator[Drawing]:
    yield Drawing("envelope", "The training curves, and the best below them.", lambda: plot.envelope(found))
    yield Drawing("allocation", GROWS, lambda: plot.allocation(found))


@drawings.register
def _posterior_groups(found: PosteriorGroups) -> Iterator[Drawing]:
    for name in found.sampled.design.pooled:
        words = f"{name} of each group, drawn together as far as the groups are alike."
        yield Drawing(f"forest-{name}", words, partial(plot.forest, found, name))


@drawings.register
def _posterior(found: Posterior) -> Iterator[Drawing]:
    yield Drawing(
        "posterior", "Draws of each parameter, chain by chain.", lambda: plot.posterior(found), True
    )


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
