"""There are some ticks on every part of an axis."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from scaling_jax.plot.ticks import log_axis


@pytest.mark.parametrize("ends", [(1.2, 3.9), (3, 200), (7e5, 2e6), (2e17, 9e24), (1e-3, 1e6), (4, 5)])
@pytest.mark.parametrize("which", ["x", "y"])
def test_every_axis_has_a_few_ticks_all_over(ends: tuple[float, float], which: str) -> None:
    ax = Figure(figsize=(3.4, 2.6)).subplots()
    ax.plot(ends, ends)
    log_axis(ax, which)
    low, high = sorted(getattr(ax, f"get_{which}lim")())
    ticks = np.asarray(getattr(ax, f"get_{which}ticks")())
    ticks = np.log(ticks[(ticks >= low) & (ticks <= high)])
    assert 2 <= len(ticks) <= 9
    gaps = np.diff(np.concatenate([[np.log(low)], ticks, [np.log(high)]]))
    assert gaps.max() < 0.62 * np.log(high / low), "no half of an axis goes without"


def test_an_axis_over_all_doubles_leaves_no_warning() -> None:
    ax = Figure().subplots()
    ax.plot([1e-30, 1e290], [1e-30, 1e290])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log_axis(ax, "y")
    assert ax.get_yscale() == "log"
