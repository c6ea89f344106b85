"""Laws are ranked by what each by itself says of runs that were held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.learning_curves import LOGS, curves, half_fitted

LAWS = {"m1": sj.laws.power_law, "m2": sj.laws.power_law_floor, "m3": sj.laws.shifted_power_law}


def test_laws_are_ranked_as_each_by_itself_extrapolates(shared):
    """The 92 curves of Alabdulmohsin et al. 2022: errors are those of one law at a time, shares add up."""
    table = curves(shared("revisiting").parent)
    found = sj.compare_laws(
        list(LAWS.values()),
        table,
        by=["domain", "task", "model"],
        inputs={"x": "seen_examples"},
        target="loss",
        holdout="split == 'extrapolate'",
        objective=LOGS,
    )
    alone = {law.name: half_fitted(table, name)[f"beyond_{name}"].mean() for name, law in LAWS.items()}
    assert found["extrapolation"].to_dict() == pytest.approx(alone, rel=1e-3)
    assert found.index.tolist() == sorted(alone, key=alone.__getitem__)
    assert found["wins"].sum() == pytest.approx(1)


def noisy(seed: int = 0) -> dict[str, np.ndarray]:
    """Runs of a power law with a floor, 0.2 % noise."""
    x = np.geomspace(1, 1e4, 30)
    return {"x": x, "loss": (1.5 + 2 * x**-0.4) * np.exp(np.random.default_rng(seed).normal(0, 0.002, 30))}


@pytest.mark.parametrize("holdout", ["x > 1e3", None])
def test_the_law_that_made_the_runs_comes_first(holdout) -> None:
    found = sj.compare_laws(list(LAWS.values())[:2], noisy(), holdout=holdout)
    assert found.index.tolist() == ["power_law_floor", "power_law"]
    assert (found["not_converged"] == 0).all() and found["k"].tolist() == [4, 3]


def test_a_law_twice_is_numbered_and_has_options_of_its_own() -> None:
    law = sj.laws.power_law_floor
    found = sj.compare_laws([law, (law, {"fixed": {"E": 1.0}})], noisy(), holdout="x > 1e3")
    assert found.index.tolist() == ["power_law_floor", "power_law_floor #2"]
    assert found["k"].tolist() == [4, 3]


def test_bad_holdouts_are_one_sentence() -> None:
    with pytest.raises(sj.DataError, match="holds out 30 of 30 rows"):
        sj.compare_laws([sj.laws.power_law], noisy(), holdout="x > 0")
    with pytest.raises(sj.DataError, match="one true or false per row"):
        sj.compare_laws([sj.laws.power_law], noisy(), holdout=np.ones(3, bool))
    with pytest.raises(ValueError, match="at least one law"):
        sj.compare_laws([], noisy())


def test_a_table_with_labels_of_its_own_is_compared_as_one_without() -> None:
    """Hold-outs, weights and inputs given as Series follow the table's labels, whatever these are."""
    table = pd.DataFrame(noisy())
    labelled = table.set_axis(np.arange(30)[::-1] + 7)
    options = [
        {
            "holdout": t["x"] > 1e3,
            "weights": pd.Series(np.linspace(1, 2, 30), t.index),
            "inputs": {"x": t["x"] * 2},
        }
        for t in (table, labelled)
    ]
    laws = list(LAWS.values())[:2]
    plain, own = (sj.compare_laws(laws, t, **how) for t, how in zip((table, labelled), options, strict=True))
    pd.testing.assert_frame_equal(plain, own)


def test_an_input_that_no_law_has_is_named() -> None:
    with pytest.raises(sj.DataError, match="inputs names q, which no law has: they have x"):
        sj.compare_laws([sj.laws.power_law], noisy(), inputs={"q": "x"})
