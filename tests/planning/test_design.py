"""V-optimal choices, held to Ruan et al. 2024's tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning import design


@pytest.mark.parametrize(
    ("budget", "value", "families"),
    [
        (4, 1365.30, {"Mistral", "Llama-2"}),
        (8, 37.43, {"Mixtral", "Phi", "MPT", "Llama-2"}),
        (12, 16.93, None),
        (16, 12.70, None),
        (20, 10.25, None),
        (24, 8.35, None),
    ],
)
def test_the_published_choice_of_families(models77, learnt, budget, value, families):
    found = sj.v_optimal(
        None, learnt.transform(models77), budget, groups=models77["Model Family"], include=["Llama-2"]
    )
    assert found.criterion == pytest.approx(value, abs=0.01)
    assert families is None or set(found.chosen) == families
    assert found.cost <= budget and found.method == "exhaustive"


def test_the_choice_does_not_depend_on_the_parameters_units():
    """trace(X'X M^-1) is the same for X and X T, so natural parameters and their logarithms choose alike."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    first, second = sj.v_optimal(None, X, 5), sj.v_optimal(None, X @ rng.normal(size=(3, 3)), 5)
    assert first.chosen == second.chosen
    assert first.criterion == pytest.approx(second.criterion, rel=1e-9)


def test_exchange_comes_close_to_the_exhaustive_choice(monkeypatch):
    X = np.random.default_rng(1).normal(size=(16, 3))
    best = sj.v_optimal(None, X, 6)
    monkeypatch.setattr(design, "EXHAUSTIVE", 0)
    near = sj.v_optimal(None, X, 6)
    assert (best.method, near.method) == ("exhaustive", "exchange")
    assert best.criterion <= near.criterion * (1 + 1e-12) and near.criterion < 1.1 * best.criterion


def test_runs_already_made_count():
    x = np.array([1.0, 2, 4, 8, 16])
    fit = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x**0.5 * [1.01, 0.99, 1, 1.01, 0.99]})
    found = sj.v_optimal(fit, pd.DataFrame({"x": [1.0, 10.0, 1000.0]}), 1, targets=pd.DataFrame({"x": [1e4]}))
    assert found.rows.tolist() == [2]


def test_bad_choices_are_one_sentence():
    with pytest.raises(ValueError, match="include"):
        sj.v_optimal(None, [[1.0], [2.0]], 1, include=["nobody"])
    with pytest.raises(ValueError, match="raise the budget"):
        sj.v_optimal(None, np.eye(3), 2)
    with pytest.raises(sj.DataError, match="no columns"):
        sj.components({"a": [1.0, 2.0]}, ["b"])
