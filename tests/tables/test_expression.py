"""A condition is data: it chooses rows as pandas would, and whatever else it holds is refused and has no
effect."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scaling_jax as sj
from scaling_jax.tables.expression import rows_where
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.sources import rows_chosen

TABLE = pd.DataFrame(
    {
        "x": [1, 2, 3, 4],
        "val/loss": [1.0, np.nan, 3.0, 4.0],
        "arm": ["a", "b", None, "a"],
        "ok": [True, False, True, True],
        "k": pd.array([1, None, 3, 4], dtype="Int64"),
        "day": pd.date_range("2024-01-01", periods=4),
        "C": [5 * 10**24, 1, 2, 3],
    }
)


@pytest.mark.parametrize(
    ("text", "chosen"),
    {
        "x > 1": [0, 1, 1, 1],
        "x>1 & arm=='a'": [0, 0, 0, 1],
        "arm == 'a' and not ok": [0, 0, 0, 0],
        "~ok | x<2": [1, 1, 0, 0],
        "`val/loss` < 4": [1, 0, 1, 0],
        "isnull(`val/loss`) or notnull(arm) and x == 4": [0, 1, 0, 1],
        "x in [1, 3.0] and arm not in ('b',)": [1, 0, 1, 0],
        "1 < x < 4": [0, 1, 1, 0],
        "k > 1": [0, 0, 1, 1],
        "ok and x * x / 2 > 4": [0, 0, 1, 1],
        "day >= '2024-01-03'": [0, 0, 1, 1],
        "log10(x) > .3 and x % 2 == 0": [0, 1, 0, 1],
        "C * 6 > 1e25": [1, 0, 0, 0],
        "x > 10**10**8": [0, 0, 0, 0],
        "arm == 'it\\'s `&` |'": [0, 0, 0, 0],
    }.items(),
)
def test_conditions_choose_rows(text: str, chosen: list[int]) -> None:
    assert rows_where(TABLE, text).tolist() == list(map(bool, chosen))


def test_a_product_of_whole_numbers_does_not_overflow() -> None:
    table = pd.DataFrame({"N": [10**9, 10**10], "D": [10**10, 10**12]})
    assert rows_where(table, "N * D > 1.5e19").tolist() == [False, True]


@pytest.mark.parametrize(
    "text",
    [
        "@pd.io.common.os.system('touch {}') == 0",
        "@np.lib.npyio.os.system('touch {}') == 0",
        "x.to_csv('{}')",
        "arm.to_pickle('{}') or x > 1",
        "__import__('os').system('touch {}')",
        "().__class__.__base__.__subclasses__()",
        "(lambda: open('{}', 'w'))()",
        "[open('{}', 'w') for _ in x]",
        "x[0] > 1",
        "f'{{x}}' == arm",
        "(y := x) > 1",
        "x is x",
        "abs(x, 1) > 1",
        "isnull(1)",
        "x in x",
        "'a' * 10**9 == arm",
        "'%s' % arm == 'a'",
        "x > 1e400",
        "not arm",
        "x",
        "1 < 2",
        "x = 1",
        "",
        "(" * 500 + "x" + ")" * 500 + " > 1",
        "not " * 5000 + "ok",
        "x > 1 and " * 2000 + "ok",
    ],
)
def test_what_is_no_condition_is_refused_and_does_nothing(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="where="):
        rows_where(TABLE, text.replace("{}", str(tmp_path / "pwned")))
    assert not list(tmp_path.iterdir())


@given(st.text(alphabet=string.printable, max_size=40))
def test_any_text_is_a_condition_or_one_sentence(text: str) -> None:
    try:
        assert rows_where(TABLE, text).dtype == bool
    except DataError as error:
        assert str(error).startswith("where=")


def test_a_series_is_taken_by_its_labels() -> None:
    table = pd.DataFrame({"x": 2.0 ** np.arange(7), "loss": 3 * 2.0 ** (-0.5 * np.arange(7))})
    kept = (table["x"] > 4).iloc[::-1]
    fit = sj.fit(sj.laws.power_law, table, where=kept)
    assert fit.data().inputs["x"].tolist() == [8, 16, 32, 64]
    weights = pd.Series(np.arange(1.0, 8), index=table.index)[::-1]
    assert sj.fit(sj.laws.power_law, table, weights=weights).data().weight.tolist() == list(range(1, 8))
    with pytest.raises(DataError, match=r"whose row labels are not the table's: .* \.to_numpy\(\)"):
        rows_chosen(table, pd.Series([True] * 7, index=list("abcdefg")), "where")
