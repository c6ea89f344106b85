"""Frames as tables to read."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_jax.reporting.blocks import grid_of


def test_intervals_stand_beside_their_estimates() -> None:
    table = pd.DataFrame(
        {"flops": [1e21], "N": [2.8e9], "N_lower": [2.1e9], "N_upper": [np.nan], "loss": [2.30551]}
    )
    found = grid_of(table)
    assert found.headings == ("compute (FLOP)", "N", "interval", "loss")
    assert found.rows == (("1e21", "2.8B", "2.1B to ", "2.306"),)
    assert found.right == (True, True, True, True)


def test_labels_are_shown_where_they_say_something() -> None:
    assert grid_of(pd.DataFrame({"a": [1]}, index=["x"])).rows == (("x", "1"),)
    assert grid_of(pd.DataFrame({"a": [1]})).rows == (("1",),)
    both = pd.MultiIndex.from_tuples([("x", 1.5)], names=["k", None])
    assert grid_of(pd.DataFrame({"a": [True]}, index=both)).rows == (("x", "1.5", "yes"),)


def test_long_tables_say_what_they_leave_out() -> None:
    found = grid_of(pd.DataFrame({"a": range(1000)}), most=10)
    assert len(found.rows) == 10 and found.note == "... and 990 more rows"


def test_a_table_of_equal_names_is_shown_whole() -> None:
    assert grid_of(pd.DataFrame([[1, 2]], columns=["a", "a"])).rows == (("1", "2"),)


def test_an_empty_table() -> None:
    assert grid_of(pd.DataFrame()).rows == ()
