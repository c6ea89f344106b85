"""Every source of Choshen et al.'s checkpoints, row by row."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest

from tests.datasets.upstream import assert_same, loaded, needs_data, tidy

# Rows with a loss per source, as counted from the study's own aggregation.
SOURCE_ROWS = {
    "chinchilla": 245,
    "datablations": 9490,
    "gpt3": 6506,
    "llm360_k2": 9985,
    "llm360_mamba": 44174,
    "olmo": 1708,
    "pythia": 1026,
    "redpajama": 135,
    "revisiting": 969,
    "t5_pile": 803,
    "training_trajectories": 142,
}


@needs_data
@pytest.mark.parametrize("source", SOURCE_ROWS)
def test_every_source_is_the_original(source):
    ours = loaded("hitchhikers").query("source == @source").reset_index(drop=True)
    theirs = tidy_checkpoints().query("source == @source").reset_index(drop=True)
    assert len(ours) == SOURCE_ROWS[source]
    # The tidy table keeps two slips of upstream: a trailing space, and OPT's compute as log10.
    theirs["model"] = theirs["model"].str.strip()
    if source == "training_trajectories":
        assert [f"{value:.12g}" for value in np.log10(ours["flops"])] == [
            f"{value:.12g}" for value in theirs["flops"]
        ]
        np.testing.assert_allclose(ours["flops"], 6.0 * ours["n_params"] * ours["tokens_seen"], rtol=1e-6)
        ours, theirs = (t.drop(columns=["flops", "flops_is_6nd"]) for t in (ours, theirs))
    assert_same(ours, theirs, digits=12)


@functools.cache
def tidy_checkpoints() -> pd.DataFrame:
    return tidy("hitchhikers/checkpoints.csv.gz")


@needs_data
def test_what_is_missing_is_said():
    frame = loaded("hitchhikers")
    assert set(frame["source"]) == set(SOURCE_ROWS) and len(frame) == sum(SOURCE_ROWS.values())
    missing = " ".join(frame.attrs["missing"])
    assert set(tidy_checkpoints()["source"]) - set(frame["source"]) == {"data_mixing"}
    assert "data_mixing" in missing
    assert "Amber" in missing and "LLaMA" in missing and "pythia" not in missing
    assert frame["model"].nunique() == 420
