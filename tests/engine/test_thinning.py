"""Rows that stand for a long table: none of its stretches, weights or extremes is lost."""

from __future__ import annotations

import numpy as np

from scaling_jax.engine.thinning import representative_rows

ROWS, MOST = 100_000, 1000


def picked(
    weight: np.ndarray, x: np.ndarray, order: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    at, factor = representative_rows(weight, {"x": x}, MOST, order)
    assert len(at) == len(factor) <= MOST and len(np.unique(at)) == len(at)
    return at, factor


def test_a_period_of_the_table_is_not_mistaken_for_the_table() -> None:
    """A grid whose inner axis repeats every 100 rows, the distance of the picks: all values occur."""
    inner = np.arange(ROWS) % 100
    at, _ = picked(np.ones(ROWS), np.arange(ROWS) * 1.0)
    assert len(np.unique(inner[at])) == 100
    assert abs(np.mean(inner[at]) - 49.5) < 1.0  # chance alone would leave .9


def test_the_weights_add_up_to_all_of_them() -> None:
    weight = np.random.default_rng(0).lognormal(0, 2, ROWS)
    at, factor = picked(weight, np.arange(ROWS) * 1.0)
    # of all weight a pick stands for nothing to two thousandths: three standard deviations of their sum
    assert abs(np.sum(weight[at] * factor) / np.sum(weight) - 1) < 3 * 2 / np.sqrt(12 * MOST)


def test_a_row_that_weighs_much_is_taken_and_one_that_weighs_nothing_is_not() -> None:
    weight = np.ones(ROWS)
    weight[::2], weight[777] = 0.0, 1e9
    at, factor = picked(weight, np.arange(ROWS) * 1.0)
    assert 777 in at and np.all(weight[at] > 0)
    assert len(at) > 0.4 * MOST  # the light ones keep their half
    assert abs(factor[at == 777][0] - 1) < 0.01


def test_the_extremes_of_every_input_stay() -> None:
    x = np.random.default_rng(1).normal(size=ROWS)
    at, _ = picked(np.ones(ROWS), x)
    assert np.argmin(x) in at and np.argmax(x) in at


def test_every_run_has_its_share_where_the_order_is_by_run() -> None:
    run = np.random.default_rng(2).integers(200, size=ROWS)
    at, _ = picked(np.ones(ROWS), np.arange(ROWS) * 1.0, np.argsort(run, kind="stable"))
    share = np.bincount(run[at], minlength=200) / (MOST * np.bincount(run, minlength=200) / ROWS)
    assert share.min() > 0.5 and share.max() < 1.6  # 5 rows each, give or take one at either end


def test_a_short_table_stands_for_itself() -> None:
    weight = np.ones(ROWS)
    weight[900:] = 0
    at, factor = picked(weight, np.arange(ROWS) * 1.0)
    np.testing.assert_array_equal(at, np.arange(900))
    np.testing.assert_array_equal(factor, 1.0)
