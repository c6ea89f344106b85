"""Columns by name, arrays and functions of the table mean the same rows."""

from __future__ import annotations

import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.simulated import LOSS, ROWS, TABLE, D, N, fit, same


def test_inputs_and_target_by_name_array_or_function(best: sj.FitResult) -> None:
    renamed = TABLE.rename(columns={"N": "n_params", "D": "tokens", "loss": "val"})
    same(fit(renamed, inputs={"N": "n_params", "D": "tokens"}, target="val"), best)
    same(fit(renamed, inputs={"N": N, "D": pd.Series(D)}, target=LOSS), best)
    billions = renamed.assign(n_params=lambda t: t.n_params / 1e9)
    found = fit(billions, inputs={"N": lambda t: 1e9 * t.n_params, "D": "tokens"}, target=lambda t: t.val)
    same(found, best)
    assert found.sources == {"N": "function", "D": "tokens", "target": "function"}


@pytest.mark.parametrize(
    "where",
    ["N > 1e8", lambda t: t.N > 1e8, N > 1e8, (N > 1e8).astype(object)],
    ids=["words", "function", "mask", "object"],
)
def test_what_where_leaves_out_is_counted(where) -> None:
    found = fit(where=where)
    kept = int((N > 1e8).sum())
    assert len(found.data()) == kept == found.record["rows_used"]
    assert found.record["dropped_where"] == ROWS - kept and found.record["rows_in_table"] == ROWS
    assert f"{kept} fitted of {ROWS} ({ROWS - kept} left out by where=" in found.summary()
    same(found, fit(TABLE[N > 1e8]))
