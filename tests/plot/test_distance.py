"""Inside the data a curve is solid, beyond it dashed, and the page tells how far."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from scaling_jax.plot.distance import by_distance, shade_beyond


def test_a_curve_is_solid_inside_and_dashed_beyond_without_a_gap() -> None:
    ax = Figure().subplots()
    x = np.arange(10.0)
    by_distance(ax, x, x, np.maximum(x - 6, 0), "k")
    solid, dashed = ax.get_lines()
    assert solid.get_linestyle() == "-" and dashed.get_linestyle() == "--"
    np.testing.assert_array_equal(solid.get_xdata(), x[:7])
    np.testing.assert_array_equal(dashed.get_xdata(), x[6:])


def test_shades_grow_with_distance_and_leave_the_limits() -> None:
    ax = Figure().subplots()
    ax.set(xscale="log", xlim=(1e18, 1e24))
    shade_beyond(ax, None, 1e22)
    strengths = [patch.get_alpha() for patch in ax.patches]
    assert len(strengths) == 4 and (np.diff(strengths) > 0).all(), "two decades in half decades"
    assert ax.get_xlim() == (1e18, 1e24)
    assert [text.get_text() for text in ax.texts] == ["end of data", "×100"], "×10 would touch the first"


def test_nothing_beyond_is_nothing_shaded() -> None:
    ax = Figure().subplots()
    ax.set(xscale="log", xlim=(1e18, 1e22))
    shade_beyond(ax, 1e17, 1e23)
    assert not ax.patches and not ax.texts
