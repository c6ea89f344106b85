"""Any table is read: forms of tables, columns, filters and missing values, and what is warned of."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import scaling_jax as sj
from tests.cases.simulated import LOSS, ROWS, SIX, TABLE, D, N, fit, same


def with_(**columns):
    return SIX.assign(**columns)


def test_warnings_for_what_can_be_fitted_but_should_be_seen() -> None:
    twice = sj.read_runs(
        sj.laws.power_law, pd.concat([SIX, SIX.head(2)], ignore_index=True), inputs={"x": "N"}
    )
    assert twice.warnings == ["2 rows repeat another row exactly, first rows 6, 7; they count twice."]
    steps = np.arange(1.0, 21.0)
    curve = {"N": np.full(20, 1e8), "D": steps * 1e9, "loss": 3 + 1 / steps}
    seen = sj.read_runs(sj.laws.chinchilla, curve).warnings
    assert len(seen) == 1 and "looks like checkpoints of one run. Pass run=" in seen[0]
    assert sj.read_runs(sj.laws.chinchilla, curve, run=np.zeros(20)).warnings == []


def test_checkpoints_are_seen_in_any_order_and_sweeps_are_not_taken_for_them() -> None:
    """A grid of sizes and lengths, sorted or not, is no curve; three runs of ten checkpoints are, shuffled
    too."""
    n, d = (
        a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(2e9, 2e10, 5), indexing="ij")
    )
    grid = pd.DataFrame({"N": n, "D": d, "loss": 2 + 1e3 / n**0.4 + 1e3 / d**0.3})
    n, d = (a.ravel() for a in np.meshgrid([1e7, 1e8, 1e9], np.linspace(1e9, 1e10, 10), indexing="ij"))
    curves = pd.DataFrame({"N": n, "D": d, "loss": 2 + 1e3 / n**0.4 + 1e3 / d**0.3})
    for table in (grid, grid.sample(frac=1, random_state=0)):
        assert sj.read_runs(sj.laws.chinchilla, table).warnings == []
    for table in (curves, curves.sample(frac=1, random_state=0)):
        assert "looks like checkpoints" in sj.read_runs(sj.laws.chinchilla, table).warnings[0]


def test_missing_rows_are_dropped_and_counted(best: sj.FitResult) -> None:
    extra = pd.DataFrame(
        {"N": [np.nan, 1e9, 1e9], "D": [1e9, 1e9, np.inf], "loss": [3.0, np.nan, 3.0], "run_id": [1, 1, 1]}
    )
    found = fit(pd.concat([TABLE, extra], ignore_index=True), missing="drop")
    same(found, best)
    assert found.record["dropped_missing"] == 3 and "3 with missing values" in found.summary()


TABLES = {
    "polars": pl.from_pandas(TABLE),
    "lazy polars": pl.from_pandas(TABLE).lazy(),
    "pyarrow": pa.Table.from_pandas(TABLE),
    "DuckDB": duckdb.from_df(TABLE),
    "arrays": {"N": N, "D": D, "loss": LOSS},
    "lists and JAX arrays": {"N": list(N), "D": D, "loss": LOSS},
    "whole numbers": TABLE.assign(N=TABLE.N.round().astype("int64"), D=TABLE.D.round().astype("Int64")),
    "shuffled index": TABLE.set_index(np.arange(ROWS)[::-1]),
}


@pytest.mark.parametrize("name", TABLES)
def test_any_kind_of_table_is_read(name: str, best: sj.FitResult) -> None:
    found = fit(TABLES[name])
    # rounding N and D to whole numbers moves the data by up to 5e-8
    assert found.objective_value == pytest.approx(
        best.objective_value, rel=1e-10 if name != "whole numbers" else 1e-5
    )


def test_a_number_beside_arrays_holds_for_every_row() -> None:
    fit = sj.fit(sj.laws.power_law, {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.0], "seed": 3})
    assert fit.converged


@pytest.mark.parametrize(
    ("table", "inputs", "sentence"),
    [
        ({"x": [[1.0, 2.0]], "loss": [1.0]}, None, "Column 'x' has 2 dimensions: give one value per row"),
        ({"x": [1.0, 2.0], "loss": [2.0, 1.0]}, "x", "inputs='x': give a mapping of law input to column"),
    ],
)
def test_what_is_no_table_and_no_mapping_is_one_sentence(table: dict, inputs: object, sentence: str) -> None:
    with pytest.raises(sj.DataError, match=sentence):
        sj.fit(sj.laws.power_law, table, inputs=inputs)
