"""Ruan et al.'s tables of benchmark scores are the original ones, in the library's units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.datasets.upstream import assert_same, loaded, needs_data, tidy


@needs_data
def test_the_base_table_is_the_original_in_our_units():
    frame, theirs = loaded("observational"), tidy("obs_scaling/base_llm_benchmark_eval.csv")
    assert frame["model"].tolist() == theirs["Model"].tolist()
    assert frame["family"].tolist() == theirs["Model Family"].tolist()
    for ours, column, unit in (
        ("n_params", "Model Size (B)", 1e9),
        ("tokens", "Pretraining Data Size (T)", 1e12),
        ("flops", "FLOPs (1E21)", 1e21),
    ):
        np.testing.assert_allclose(frame[ours], theirs[column] * unit, rtol=1e-15)
    # One row of upstream is off by a thousand, as the notes say.
    assert frame.loc[frame["tokens"] > 2e13, "model"].tolist() == ["cerebras/btlm-3b-8k-base"]
    assert any("btlm-3b-8k-base" in note for note in frame.attrs["notes"])
    scores = list(theirs.columns[5:])
    assert_same(frame[scores], theirs[scores])
    flags = tidy("obs_scaling/subset_flags.csv")
    assert_same(
        frame[["in_base_pool_77", "preregistered_test", "family_has_flops"]], flags[list(flags.columns[2:5])]
    )
    assert frame["in_base_pool_77"].sum() == 77 and frame["preregistered_test"].sum() == 20


@needs_data
@pytest.mark.parametrize(
    ("table", "file"),
    [
        ("base_sub_10b", "base_llm_benchmark_eval_sub_10b"),
        ("emergent", "base_llm_emergent_capability_eval"),
        ("leaderboard_v2", "base_llm_leaderboard_v2_eval"),
        ("post_training", "base_llm_post_training_eval"),
        ("instruct", "instruct_llm_benchmark_eval"),
        ("agents", "instruct_llm_agent_eval"),
    ],
)
def test_other_tables_keep_the_original_scores(table, file):
    frame, theirs = loaded("observational", table), tidy(f"obs_scaling/{file}.csv")
    assert frame["model"].tolist() == theirs["Model"].tolist()
    scores = [c for c in theirs.columns if c in frame.columns and pd.api.types.is_numeric_dtype(theirs[c])]
    expected = theirs[scores].copy()
    plain = [c for c in scores if "norm" not in c]
    expected[plain] = expected[plain].mask(expected[plain] == -1)
    assert_same(frame[scores], expected)
    assert len(scores) >= len(frame.columns) - 5
