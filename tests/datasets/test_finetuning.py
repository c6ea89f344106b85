"""Lin et al.'s fine-tuning curves are the original ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
def test_the_table_is_the_original_and_every_curve_has_15_sizes():
    frame = loaded("finetuning")
    assert_same(frame, tidy("rectified/finetune_losses.csv"))
    assert frame.groupby(["dataset", "model"]).size().eq(15).all() and frame["model"].nunique() == 30
