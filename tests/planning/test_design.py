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


CANDIDATES = pd.DataFrame({"x": [1.0, 10.0, 100.0], "price": [1.0, 2.0, 3.0]})
LINE = (sj.laws.power_law, {"A": 4.0, "alpha": 0.3})
POOR = {
    "costs below zero": (LINE, {"cost": [-1, -1, -1]}, r"^cost is -1 in row 0: costs are finite and not neg"),
    "a cost that is missing": (LINE, {"cost": [1, np.nan, 1]}, r"^cost is nan in row 1:"),
    "costs in words": (LINE, {"cost": ["a", "b", "c"]}, r"^cost holds something that is not a number\.$"),
    "too few costs": (LINE, {"cost": [1.0]}, r"^cost has shape \(1,\): give one number for each of 3"),
    "an unknown cost": (
        LINE,
        {"cost": "flops"},
        r"^There is no column 'flops': the candidates have x, price",
    ),
    "unknown groups": (LINE, {"groups": "family"}, r"^There is no column 'family'"),
    "too few groups": (LINE, {"groups": ["a"]}, r"^groups must name a group for each of 3 candidates\.$"),
    "no budget": (LINE, {"budget": np.nan}, r"^budget=nan: give what the chosen runs may cost"),
    "a budget in words": (LINE, {"budget": "much"}, r"^budget='much': give what"),
    "a parameter that is missing": (
        (LINE[0], {"A": 4.0}),
        {},
        r"^Law 'power_law' has the parameters A, alpha",
    ),
    "another input": ((sj.laws.compute_only, {"a": 1.0, "b": 1.0}), {}, r"^There is no column 'C'"),
    "features in words": (None, {}, r"^Features must be numbers"),
}


@pytest.mark.parametrize("name", POOR)
def test_a_design_that_makes_no_sense_is_one_sentence(name: str) -> None:
    source, options, sentence = POOR[name]
    table = CANDIDATES if source else [["a"], ["b"]]
    with pytest.raises(ValueError, match=sentence):
        sj.v_optimal(source, table, **{"budget": 2} | options)
    assert sj.v_optimal(LINE, CANDIDATES, 3, cost="price").cost <= 3


def test_features_that_are_not_finite_and_sources_that_are_none_are_named() -> None:
    with pytest.raises(ValueError, match="are not finite for some candidates"):
        sj.v_optimal(None, [[1.0, np.nan], [1.0, 2.0]], 2)
    with pytest.raises(TypeError, match=r"A design is made for a fit, .* not str\."):
        sj.v_optimal("chinchilla", CANDIDATES, 2)
