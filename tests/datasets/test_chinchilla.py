"""The replication's table is the original one, read off Hoffmann et al.'s figure."""

from __future__ import annotations

import numpy as np
import pytest

from tests.datasets.upstream import assert_same, loaded, needs_data, tidy


@needs_data
def test_the_table_is_the_original_and_its_outliers_are_the_first_rows():
    frame = loaded("chinchilla_replication")
    assert_same(frame, tidy("chinchilla/epoch_replication.csv"))
    means = np.log(frame[["n_params", "tokens", "loss"]]).mean().tolist()
    assert means == pytest.approx([20.585078899, 23.482768318, 0.975277047], abs=1e-9)
    assert frame["loss"].nunique() == 99
    # The five the published analysis drops are the first five rows.
    assert sorted(frame["loss"].nlargest(5).index) == [0, 1, 2, 3, 4]
