"""Profiles and choices are drawn as they were found."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj


def test_the_interval_of_a_profile_is_shaded(line: sj.FitResult) -> None:
    found = line.profile("alpha")
    ax = sj.plot.profile(found)
    span = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert np.isclose(span.x0, found.lower) and np.isclose(span.x1, found.upper)
    assert "90 % cut-off" in [text.get_text() for text in ax.texts]


def test_choices_stand_in_the_order_of_what_they_move(line: sj.FitResult) -> None:
    found = line.sensitivity(at={"x": 1e4}, level=None)
    ax = sj.plot.sensitivity(found)
    names = [label.get_text() for label in ax.get_yticklabels()]
    moved = np.abs(found.answer.drop("as fitted") / found.answer["as fitted"] - 1)
    assert names == list(moved.sort_values().index)
    assert ax.get_xlabel() == "prediction at x = 10000"
