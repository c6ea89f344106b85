"""Ticks read as people write numbers, and there are some on every part of an axis."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from scaling_jax.plot.ticks import log_axis, written

matplotlib.use("Agg")
LETTER = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (7e9, "count", "7B"), (1.4e12, "count", "1.4T"), (124e6, "count", "124M"), (5190, "count", "5.19K"),
        (999.9e6, "count", "1B"), (12, "count", "12"), (1e15, "count", "1e15"),
        (1e24, "flop", "1e24"), (3.1e22, "flop", "3.1e22"), (5.76e23, "flop", "5.76e23"),
        (5000, "flop", "5e3"),
        (2.5, "plain", "2.5"), (0.001, "plain", "0.001"), (1e-6, "plain", "1e-6"), (2e7, "plain", "2e7"),
        (0, "count", "0"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_people_do(value: float, kind: str, words: str) -> None:
    assert written(value, kind) == words


@given(st.floats(1.0, 1e20), st.sampled_from(["count", "flop", "plain"]))
def test_what_is_written_is_the_number(value: float, kind: str) -> None:
    words = written(value, kind)
    number = float(words[:-1]) * LETTER[words[-1]] if words[-1] in LETTER else float(words)
    assert number == pytest.approx(value, rel=0.0051)


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
