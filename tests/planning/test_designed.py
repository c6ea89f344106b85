"""What a design says of itself: sentences, and the odds that a contrast will be settled."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scaling_jax.planning.designed import NextRuns
from scaling_jax.uncertainty.tails import normal_quantile


def design(**words):
    table = pd.DataFrame({"x": [1.0], "runs": [3], "cost": [3.0], "share": [0.3]})
    given = {"table": table, "before": 0.02, "after": 0.01, "floor": 0.005, "spent": 3.0, "budget": 10.0}
    return NextRuns(**given | {"answer": "the loss", "level": 0.9, "bound": 0.008} | words)


def test_more_small_runs_help_until_the_floor_is_near():
    assert "leaves +-0.82 %." in str(design()) and design().bought["advice"] == "more runs help"
    near = design(floor=0.0095)
    assert "more of them hardly help, only larger runs do" in str(near)
    assert near.bought["advice"] == "only larger runs help" and near.bought["largest"] == 1.0
    assert design().efficiency == pytest.approx(0.64) and np.isnan(design().settled)


@pytest.mark.parametrize("gap", [0.0, 0.01, -0.03])
def test_the_odds_of_a_call_are_those_of_simulated_runs(gap):
    """The mean after the runs is normal about the gap; 200,000 draws, four standard errors."""
    found = design(gap=gap, names=("a", "b"))
    moves = np.sqrt(0.02**2 - 0.01**2)
    thought = gap + moves * np.random.default_rng(0).normal(size=200_000)
    called = np.mean(np.abs(thought) > normal_quantile(0.9) * 0.01)
    assert found.settled == pytest.approx(called, abs=4 * np.sqrt(0.25 / 200_000))
    assert ("a is ahead" in str(found)) == (gap > 0)
