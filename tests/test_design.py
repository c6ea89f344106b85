"""Components of benchmark scores and V-optimal choices, held to Ruan et al. 2024's tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.design import _exchange

SCORES = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"]


@pytest.fixture(scope="module")
def models(shared):
    table = pd.read_csv(shared("obs_scaling/base_llm_benchmark_eval.csv"))
    flags = pd.read_csv(shared("obs_scaling/subset_flags.csv"))
    pool = flags.loc[flags["in_base_pool_77"] == 1, "Model"]
    return table[table["Model"].isin(pool)].replace(-1, np.nan).reset_index(drop=True)


@pytest.fixture(scope="module")
def learnt(models):
    return sj.components(models, SCORES)


def test_the_variance_ratios_of_77_models(models, learnt):
    assert len(models) == 77
    np.testing.assert_allclose(learnt.ratios[:4], [0.8016, 0.1190, 0.0463, 0.0136], atol=1e-3)


@pytest.mark.parametrize(
    ("budget", "value", "families"),
    [(4, 1365.30, {"Mistral", "Llama-2"}), (8, 37.43, {"Mixtral", "Phi", "MPT", "Llama-2"}), (12, 16.93, None), (16, 12.70, None),
     (20, 10.25, None), (24, 8.35, None)],
)  # fmt: skip
def test_the_published_choice_of_families(models, learnt, budget, value, families):
    found = sj.v_optimal(
        None, learnt.transform(models), budget, groups=models["Model Family"], include=["Llama-2"]
    )
    assert found.criterion == pytest.approx(value, abs=0.01)
    assert families is None or set(found.chosen) == families
    assert found.cost <= budget and found.method == "exhaustive"


def test_other_models_pass_through_the_maps_of_the_training_models(models):
    small = models["FLOPs (1E21)"] <= 84
    learnt = sj.components(models[small], SCORES)
    alone = learnt.transform(models[~small].iloc[:1])
    np.testing.assert_allclose(learnt.transform(models[~small]).iloc[:1], alone, rtol=1e-12)


def test_the_choice_does_not_depend_on_the_parameters_units():
    """trace(X'X M^-1) is the same for X and X T, so natural parameters and their logarithms choose alike."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    first, second = sj.v_optimal(None, X, 5), sj.v_optimal(None, X @ rng.normal(size=(3, 3)), 5)
    assert first.chosen == second.chosen
    assert first.criterion == pytest.approx(second.criterion, rel=1e-9)


def test_exchange_comes_close_to_the_exhaustive_choice():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(16, 3))
    info = X[:, :, None] * X[:, None, :]
    best = sj.v_optimal(None, X, 6)
    value = _exchange(info, np.zeros((3, 3)), X.T @ X, np.ones(16), np.zeros(16, bool), 6)[1]
    assert best.criterion <= value * (1 + 1e-12) and value < 1.1 * best.criterion


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
