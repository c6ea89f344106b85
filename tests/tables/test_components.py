"""Components of benchmark scores, held to Ruan et al. 2024's variance ratios."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

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


def test_other_models_pass_through_the_maps_of_the_training_models(models):
    small = models["FLOPs (1E21)"] <= 84
    learnt = sj.components(models[small], SCORES)
    alone = learnt.transform(models[~small].iloc[:1])
    np.testing.assert_allclose(learnt.transform(models[~small]).iloc[:1], alone, rtol=1e-12)
