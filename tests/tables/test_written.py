"""Cells as people write numbers, and those that may mean two things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scaling_jax as sj
from scaling_jax.tables.written import as_written


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["7B", "1.4T", "100M", "350k", "1.5 G"], [7e9, 1.4e12, 1e8, 3.5e5, 1.5e9]),
        (["70m", "7b", "1e6", " 12 "], [7e7, 7e9, 1e6, 12.0]),
        (["10,000,000", "1,234", "999"], [1e7, 1234.0, 999.0]),
        (["1,000", "2,500", "12"], [1000.0, 2500.0, 12.0]),
        (["1,234,567.5", "-2,000"], [1234567.5, -2000.0]),
    ],
)
def test_what_means_one_thing_is_read(cells: list[str], numbers: list[float]) -> None:
    found, example = as_written(pd.Series(cells))
    np.testing.assert_allclose(found, numbers, rtol=1e-15)
    assert " as " in example


@pytest.mark.parametrize(
    "cell", ["2,345", "1,00", "1,0000,000", "7X", "B", "", "1.2.3", "7 BB", "inf", "0x10"]
)
def test_what_may_mean_two_things_or_none_is_not(cell: str) -> None:
    found, example = as_written(pd.Series([cell, "5"]))
    assert np.isnan(found[0]) and found[1] == 5.0 and example == ""


@given(st.lists(st.integers(10**6, 10**15), min_size=1, max_size=6))
def test_thousands_are_those_of_the_number(numbers: list[int]) -> None:
    np.testing.assert_array_equal(as_written(pd.Series([f"{n:,}" for n in numbers]))[0], numbers)


def test_a_fit_reads_them_and_says_so(tmp_path: Path) -> None:
    law, sizes = sj.laws.power_law, ["100M", "300M", "1B", "3B", "7B"]
    x = np.array([1e8, 3e8, 1e9, 3e9, 7e9])
    file = tmp_path / "runs.csv"
    pd.DataFrame({"x": sizes, "loss": 30 * x**-0.1, "size": sizes}).to_csv(file, index=False)
    fit = sj.fit(law, file, where="size != '7B'")
    assert fit.params["alpha"] == pytest.approx(0.1, rel=1e-6) and len(fit.residuals) == 4
    assert fit.record["read_as"] == ["100M as 1e+08 in 'x'"]
    assert "100M as 1e+08 in 'x'" in " ".join(fit.summary().split())
    assert fit.predict({"x": ["7B"]})[0] == pytest.approx(30 * 7e9**-0.1, rel=1e-6)


def test_two_meanings_are_refused_in_a_sentence() -> None:
    with pytest.raises(sj.DataError, match=r"'2,345': thousands or decimals\? Write plain numbers \(1e9\)"):
        sj.fit(sj.laws.power_law, {"x": [1.0, 10.0, 100.0], "loss": ["2,345", "2,101", "1,987"]})
