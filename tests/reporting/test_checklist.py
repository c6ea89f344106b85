"""The checklist of a paper is filled in."""

from __future__ import annotations

import scaling_jax as sj


def test_the_checklist_is_filled_in(line: sj.FitResult) -> None:
    text = line.checklist()
    for words in (
        "Form: ",
        "Objective: squared error of log residuals",
        "Rows and filters: 24 fitted",
        "What to do with the fit: use it",
        "Intervals, 90 %: A ",
        "[to fill in]",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 96
