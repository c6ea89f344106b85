"""Cut-offs: what is fitted lies below what is predicted, and every run counts once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_jax.forecasting.rows import MOST_CUTS, MOST_PER_RUN, WEIGHTINGS, Known, cutoffs
from scaling_jax.tables.runs import Runs


def known(sizes: list[float], each: int = 3) -> Known:
    n = np.repeat(np.log(sizes), each)
    d = np.tile(np.log(np.geomspace(1e9, 1e10, each)), len(sizes))
    run = np.repeat(np.arange(len(sizes)), each)
    return Known(
        ("N", "D"), np.column_stack([n, d]), 1.0 - 0.01 * (n + d) / 10, np.full(len(n), 1 / each), run
    )


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(24, 44), min_size=3), st.floats(1.0, 1000.0))
def test_what_is_fitted_lies_below_what_is_predicted(sizes: set[int], factor: float) -> None:
    table = known([10 ** (size / 4) for size in sizes])
    asked = (table.inputs.max(axis=0) + np.log(factor))[None]
    first, *tests = cutoffs(table, asked)
    assert first.rows is table and np.isnan(first.truth).all()
    assert len(tests) <= MOST_CUTS and tests
    for cut in tests:
        assert cut.rows.inputs[:, 0].max() < cut.points[:, 0].min()
        assert len(cut.points) == len(cut.truth) and np.isfinite(cut.truth).all()
        assert len(np.unique(cut.points[:, 0])) == len(cut.points)  # the last checkpoint of each run


def test_a_table_of_one_size_is_cut_in_data() -> None:
    d = np.log(np.geomspace(1e9, 1e12, 10))
    table = Known(("N", "D"), np.column_stack([np.full(10, 20.0), d]), 1 - d / 100, np.ones(10), None)
    _, *tests = cutoffs(table, np.array([[20.0, d[-1] + 1.0]]))
    assert tests and all(cut.rows.inputs[:, 1].max() < cut.points[:, 1].min() for cut in tests)


def test_every_run_counts_once_and_the_last_checkpoint_stays() -> None:
    d = np.geomspace(1e8, 1e11, 200)
    columns = {"N": np.repeat([1e8, 1e9], [200, 1]), "D": np.append(d, 1e11)}
    run, ones = np.repeat([0, 1], [200, 1]), np.ones(201)
    rows = np.arange(201)
    runs = Runs(columns, ones * 2, ones, None, run, ["a", "b"], 0 * rows, [None], rows, {}, {})
    table = Known.of(runs)
    assert len(table) == MOST_PER_RUN + 1
    assert np.bincount(table.run, weights=table.weight) == pytest.approx([1.0, 1.0])
    assert table.inputs[:, 1].max() == np.log(1e11)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_weightings_keep_the_largest_and_favour_none_of_the_small(weighting: str) -> None:
    table = known([1e7, 1e8, 1e9, 1e10])
    weight = table.weighted(weighting)
    order = np.argsort(table.compute)
    assert (np.diff(weight[order]) >= -1e-12).all() and weight[order[-1]] > 0
    assert weight.sum() <= table.weight.sum() + 1e-9


def test_distance_and_horizon() -> None:
    table = known([1e7, 1e9])
    point = np.log([[1e10, 1e10], [1e8, 3e9], [1e6, 1e10]])
    np.testing.assert_allclose(table.beyond(point), [1.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(table.horizon(point), [1.0, np.log10(3e17 / 1e19), -3.0], atol=1e-12)
