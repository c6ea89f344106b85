"""Names beside curves do not cover each other, and axes say what they show."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from scaling_jax.plot.labels import _apart, axis_words, end_labels


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_labels_keep_their_order_and_their_room(wanted: list[float]) -> None:
    at, room = np.sort(wanted), np.full(len(wanted), 10.0)
    placed = _apart(at, room, 0.0, 100.0)
    assert (np.diff(placed) >= 10 - 1e-9).all() and placed.min() >= -1e-9 and placed.max() <= 100 + 1e-9


def test_labels_with_room_stay_where_they_are() -> None:
    at = np.array([10.0, 30.0, 70.0])
    np.testing.assert_allclose(_apart(at, np.full(3, 10.0), 0.0, 100.0), at)


def test_labels_that_meet_are_drawn_apart() -> None:
    ax = Figure(figsize=(3.4, 2.6), layout="constrained").subplots()
    ax.set(xlim=(1, 10), ylim=(1, 2))
    end_labels(
        ax, [(1.50, "one", "k"), (1.51, "two", "k"), (1.52, "three\nlines\nhere", "k"), (9.0, "far", "k")]
    )
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    assert min(ax.texts, key=lambda text: text.xy[1]).get_text() == "one"


def test_axes_say_what_they_show() -> None:
    assert axis_words("N", "n_params") == "model size N (parameters)"
    assert axis_words("depth", "n_layers") == "n layers" and axis_words("depth") == "depth"
