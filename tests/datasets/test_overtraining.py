"""Gadre et al.'s tables are the original ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.datasets.upstream import DATA, loaded, needs_data


def tidy(path: str) -> pd.DataFrame:
    return pd.read_csv(DATA / path)


def assert_same(ours: pd.DataFrame, theirs: pd.DataFrame, digits: int | None = None) -> None:
    """Every cell is equal; a tidy table that keeps some digits is compared after rounding to as many."""
    assert list(ours.columns) == list(theirs.columns)
    assert len(ours) == len(theirs)
    for column in theirs.columns:
        a, b = ours[column].to_numpy(), theirs[column].to_numpy()
        if pd.api.types.is_numeric_dtype(ours[column]) or pd.api.types.is_bool_dtype(ours[column]):
            a, b = a.astype(float), b.astype(float)
            if digits and not pd.api.types.is_integer_dtype(ours[column]):
                a = np.array([float(f"{value:.{digits}g}") for value in a])
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=0, err_msg=column)
        else:
            assert ours[column].fillna("").tolist() == theirs[column].fillna("").tolist(), column


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
