"""A handful of pictures as they looked when somebody looked at them.

`pytest tests/plot/test_plot.py --mpl-generate-path=tests/plot/baseline` draws them anew.

The tolerance is below what is lost with a diamond, the shades, a label, a band or the dashes: 2.2, 2.3, 2.5,
3.2 and 4.2, root mean squares over all points. Letters moved with Matplotlib 3.11 (30 to 40 against 3.9), so
that older ones are not compared.
"""

from __future__ import annotations

from inspect import signature
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import scaling_jax as sj

compared = pytest.mark.mpl_image_compare(style="default", tolerance=2.0, savefig_kwargs={"dpi": 80})
new_letters = pytest.mark.skipif(
    matplotlib.__version_info__ < (3, 11), reason="the pictures were looked at with the letters of 3.11"
)


def looked_at(test):
    return compared(new_letters(test))


LAW = sj.laws.chinchilla
WEB = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}


def figure_of(axes) -> Figure:
    return np.ravel(np.asarray(axes, dtype=object))[0].figure.figure


@looked_at
def test_the_map_of_a_law_with_a_plan(best: sj.FitResult) -> Figure:
    return figure_of(sj.plot.contours(best, flops=[1e23]))


@looked_at
def test_the_fan(best: sj.FitResult) -> Figure:
    return figure_of(sj.plot.fan(best, {"N": [7e10], "D": [1.4e12], "loss": [1.95]}))


@looked_at
def test_the_fan_on_a_dark_page(best: sj.FitResult) -> Figure:
    with sj.plot.style(dark=True):
        return figure_of(sj.plot.fan(best))


@looked_at
def test_a_plan_beside_published_laws() -> Figure:
    plan = sj.plan((LAW, WEB), flops=[1e22, 1e24])
    return figure_of(sj.plot.plan(plan, published=["hoffmann2022", "besiroglu2024"]))


@looked_at
def test_two_recipes() -> Figure:
    found = sj.contrast((LAW, WEB), (LAW, WEB | {"B": 2600.0, "E": 1.79}), flops=[1e22, 1e24])
    return figure_of(sj.plot.contrast_panels(found))


@looked_at
def test_a_map_of_errors() -> Figure:
    rows = [(n, s, 2 + 30 / n / s) for n in (2, 3, 4, 6) for s in (0.1, 0.25, 0.5, 1.0)]
    table = pd.DataFrame(rows, columns=["models", "share", "error"])
    return figure_of(sj.plot.heat(table, "share", "models", "error", unit="%"))


@pytest.mark.parametrize("dark", [False, True])
def test_no_picture_changes_a_setting(best: sj.FitResult, dark: bool) -> None:
    before = dict(matplotlib.rcParams)
    with sj.plot.style(dark=dark):
        inside = dict(matplotlib.rcParams)
        for draw in (sj.plot.residual_panels, sj.plot.curves, sj.plot.predicted, sj.plot.contours):
            draw(best)
        assert dict(matplotlib.rcParams) == inside
    assert dict(matplotlib.rcParams) == before


def test_every_picture_takes_axes_and_stands_in_the_reference() -> None:
    reference = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")
    for name in sj.plot.__all__:
        function = getattr(sj.plot, name)
        assert f".. autofunction:: scaling_jax.plot.{name}\n" in reference
        if name != "style" and not name.endswith("_data"):
            assert "ax" in signature(function).parameters, name
