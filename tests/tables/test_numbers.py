"""Numbers are taken in any dress that leaves no doubt; what is none is named with its rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.tables.numbers import as_numbers, floats, rows_at
from tests.cases.simulated import SIX


def with_(**columns):
    return SIX.assign(**columns)


def test_numbers_are_taken_in_any_dress() -> None:
    """Numeric text, whole numbers beyond 64 bits, nullable and categorical columns, large products."""
    plain = sj.read_runs(sj.laws.chinchilla, SIX)
    dresses = [
        with_(N=SIX.N.astype(str)),
        with_(N=SIX.N.astype("Int64")),
        with_(N=SIX.N.astype("category")),
        with_(N=SIX.N.astype(int).astype(object)),
    ]
    for table in dresses:
        np.testing.assert_array_equal(sj.read_runs(sj.laws.chinchilla, table).inputs["N"], plain.inputs["N"])
    whole = with_(N=[5_760_000_000_000_000_000_000_000 + i for i in range(6)])
    assert sj.read_runs(sj.laws.chinchilla, whole).inputs["N"][0] == 5.76e24
    integers = SIX.astype({"N": "int64", "D": "int64"})
    flops = sj.read_runs(sj.laws.power_law, integers, inputs={"x": lambda t: 6 * t.N * t.D}).inputs["x"]
    np.testing.assert_array_equal(flops, 6 * SIX.N * SIX.D)


def test_what_is_no_number_is_nan_or_named() -> None:
    cells = pd.Series(["7B", 1.5, "none"], index=[10, 20, 30], name="N")
    np.testing.assert_array_equal(floats(cells), [7e9, 1.5, np.nan])
    with pytest.raises(sj.DataError, match="Column 'N' holds text in row 30, for example 'none'"):
        as_numbers(cells, "Column 'N'", np.array([10, 20, 30]), "raise", [])
    assert rows_at(np.arange(9), np.arange(9) > 1) == "rows 2, 3, 4, 5, 6 and 2 more"
