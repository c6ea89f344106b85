"""Alabdulmohsin et al.'s learning curves are the original ones."""

from __future__ import annotations

from tests.datasets.upstream import assert_same, loaded, needs_data, tidy


@needs_data
def test_the_92_curves_are_the_original_ones():
    frame = loaded("learning_curves")
    assert_same(frame, tidy("revisiting/learning_curves.csv"))
    assert frame.groupby(["domain", "task", "model"]).ngroups == 92
    assert not frame.duplicated().any()
