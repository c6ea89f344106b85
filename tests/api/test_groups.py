"""Groups are fitted in one batch, and kept by key."""

from __future__ import annotations

import pandas as pd
import pytest

import scaling_jax as sj


def test_groups_by_several_columns_have_tuples_as_keys():
    table = pd.DataFrame(
        {
            "x": [1, 10, 100] * 4,
            "loss": [4, 2, 1, 9, 3, 1] * 2,
            "task": list("uuuuuuvvvvvv"),
            "seed": [1, 1, 1, 2, 2, 2] * 2,
            "slope": [0.3] * 6 + [0.4] * 6,
        }
    )
    fits = sj.fit_groups(sj.laws.power_law, table, by=["task", "seed"], fixed={"alpha": "slope"})
    assert list(fits) == [("u", 1), ("u", 2), ("v", 1), ("v", 2)]
    assert fits.params.loc[("v", 2), "alpha"] == 0.4
    alone = sj.fit(sj.laws.power_law, table[6:9], fixed={"alpha": 0.4})
    assert fits["v", 1].objective_value == pytest.approx(alone.objective_value, rel=1e-9)
