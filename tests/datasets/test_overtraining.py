"""Gadre et al.'s tables are the original ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.datasets.upstream import assert_same, loaded, needs_data, tidy


@needs_data
def test_every_table_is_the_original_and_subsets_have_the_papers_sizes():
    theirs = tidy("gadre/models.csv")
    assert_same(loaded("overtraining").drop(columns="flops_6nd"), theirs.drop(columns="flops_6nd"), digits=10)
    assert_same(loaded("overtraining")[["flops_6nd"]], theirs[["flops_6nd"]].astype(float))
    assert_same(loaded("overtraining", "grid_search"), tidy("gadre/grid_search.csv"))
    assert_same(loaded("overtraining", "tasks"), tidy("gadre/tasks.csv"))
    frame = loaded("overtraining")
    assert frame.groupby("dataset").size().to_dict() == {"c4": 34, "redpajama": 35, "refinedweb": 35}
    assert frame["fit_loss_default"].sum() == 15 and frame["fit_error_default"].sum() == 18
    assert loaded("overtraining", "tasks")["in_17_subset"].sum() == 17
    assert np.log(frame["loss_c4_eval"]).mean() == pytest.approx(1.286728769, abs=1e-9)
