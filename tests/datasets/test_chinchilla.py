"""The replication's table is the original one, read off Hoffmann et al.'s figure."""

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
def test_the_table_is_the_original_and_its_outliers_are_the_first_rows():
    frame = loaded("chinchilla_replication")
    assert_same(frame, tidy("chinchilla/epoch_replication.csv"))
    means = np.log(frame[["n_params", "tokens", "loss"]]).mean().tolist()
    assert means == pytest.approx([20.585078899, 23.482768318, 0.975277047], abs=1e-9)
    assert frame["loss"].nunique() == 99
    # The five the published analysis drops are the first five rows.
    assert sorted(frame["loss"].nlargest(5).index) == [0, 1, 2, 3, 4]
