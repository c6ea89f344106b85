"""Error measures, by hand and as printed."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax import evaluate

PRINTED = {
    "SQuAD1.1": (0.893, 0.880, 0.014),
    "MNLI": (0.769, 0.790, -0.026),
    "QNLI": (0.917, 0.905, 0.013),
    "SST-2": (0.905, 0.906, -0.002),
    "RACE": (0.561, 0.618, -0.092),
    "CoLA": (0.305, 0.369, -0.175),
    "SQuAD2.0": (0.685, 0.776, -0.117),
    "MRPC": (0.800, 0.841, -0.049),
    "BoolQ": (0.708, 0.715, -0.009),
}


@pytest.mark.parametrize("task", PRINTED)
def test_relative_errors_of_the_largest_encoder_as_printed(task):
    """Three printed digits of a metric leave its relative error uncertain by .002."""
    predicted, actual, relative = PRINTED[task]
    assert sj.evaluate.signed_error([predicted], [actual]) == pytest.approx(relative, abs=0.002)


def test_measures_by_hand():
    table = evaluate.measure([1.1, 0.9, 2.0], [1.0, 1.0, 4.0], ["a", "a", "b"])
    assert table.loc["a"].to_dict() == pytest.approx(
        {
            "are": 0.1,
            "signed": 0.0,
            "huber": 0.01 * 0.095,
            "log_rmse": np.sqrt((np.log(1.1) ** 2 + np.log(0.9) ** 2) / 2),
        }
    )
    assert table.loc["b", ["are", "signed"]].tolist() == [0.5, -0.5]
