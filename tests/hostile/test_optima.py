"""A slice of the numerical adversary: one problem per shape of objective, each of another law."""

from __future__ import annotations

import pytest

from tests.hostile.optima import ABOVE, problem, tried


@pytest.mark.parametrize(("name", "turn"), [("power_law_floor", 0), ("chinchilla", 1)])
def test_nothing_certified_lies_above_what_scipy_finds(name: str, turn: int) -> None:
    seen = tried(problem(name, turn))
    assert not seen["wrong"], seen
    assert seen["status"] == "converged" and abs(seen["above"]) < ABOVE


@pytest.mark.parametrize(("name", "turn"), [("kaplan", 0), ("data_constrained_overfit", 2)])
def test_absolute_errors_are_searched_in_more_than_one_valley(name: str, turn: int) -> None:
    """A corner rounded widely hides that there are several: these lay above a lower one."""
    seen = tried(problem(name, turn))
    assert not seen["wrong"], seen
