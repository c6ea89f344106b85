"""What is found out of a law by looking at its program."""

from __future__ import annotations

import scaling_jax as sj
from scaling_jax.engine.behaviour import linear_parameters
from tests.cases.laws import LAWS, mine


def test_linear_parameters_are_found_in_any_law() -> None:
    assert linear_parameters(sj.laws.chinchilla) == (0, 1, 2)
    assert linear_parameters(sj.laws.kaplan) == ()
    assert linear_parameters(mine) == (0,)
    assert linear_parameters(LAWS["power_product"]) == (0,)
