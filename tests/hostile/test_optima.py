"""A slice of the numerical adversary: one problem per shape of objective, each of another law."""

from __future__ import annotations

import pytest

from tests.hostile.optima import ABOVE, problem, tried


@pytest.mark.parametrize(("name", "turn"), [("power_law_floor", 0), ("chinchilla", 1)])
def test_nothing_certified_lies_above_what_scipy_finds(name: str, turn: int) -> None:
    seen = tried(problem(name, turn))
    assert not seen["wrong"], seen
    assert seen["status"] == "converged" and abs(seen["above"]) < ABOVE
