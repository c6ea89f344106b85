"""Ensembles: intervals are percentiles, and what follows from the numbers follows draw by draw."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_jax.uncertainty.ensemble import Ensemble, generator, interval, is_count, tail_of

DRAWS = np.random.default_rng(0).normal([1.0, 5.0], [0.1, 0.5], (2000, 2))
ENSEMBLE = Ensemble(("a", "b"), np.array([1.0, 5.0]), DRAWS, "drawn")


def test_intervals_are_percentiles() -> None:
    table = ENSEMBLE.conf_int(0.9)
    np.testing.assert_allclose(table["lower"], np.quantile(DRAWS, 0.05, axis=0))
    np.testing.assert_allclose(table["upper"], np.quantile(DRAWS, 0.95, axis=0))
    np.testing.assert_allclose(table["se"], DRAWS.std(axis=0))
    assert table["estimate"].tolist() == [1.0, 5.0]


def test_what_follows_is_computed_draw_by_draw() -> None:
    table = ENSEMBLE.derive(lambda p: {"product": p["a"] * p["b"]}, 0.5)
    product = DRAWS[:, 0] * DRAWS[:, 1]
    assert table.loc["product", "estimate"] == 5.0
    np.testing.assert_allclose(table.loc["product", ["lower", "upper"]], np.quantile(product, [0.25, 0.75]))


def test_an_increasing_function_moves_the_ends_with_it() -> None:
    """Percentiles of exp(b) are exp of b's: nearest ranks apart, which 2,000 draws keep below 1e-3."""
    ends = ENSEMBLE.derive(lambda p: np.exp(p["b"])).loc["quantity", ["lower", "upper"]]
    np.testing.assert_allclose(np.log(ends), ENSEMBLE.conf_int().loc["b", ["lower", "upper"]], rtol=1e-3)


def test_draws_without_a_value_are_left_out() -> None:
    draws = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    lower, upper = interval(draws, 0.5)
    assert (lower[0], upper[0]) == (1.5, 2.5) and np.isnan([lower[1], upper[1]]).all()


@pytest.mark.parametrize("level", [0.0, 1.0, 90])
def test_a_level_is_a_probability(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        tail_of(level)


def test_what_is_no_level_or_seed_is_named() -> None:
    for level in (None, "a", [0.9]):
        with pytest.raises(
            ValueError, match=r"^level=.*: give a probability between 0 and 1, such as 0\.9\.$"
        ):
            tail_of(level)
    for seed in ("a", -1, 1.5):
        with pytest.raises(ValueError, match=r"^seed=.*: give a whole number, zero or more\.$"):
            generator(seed)


def test_a_count_is_a_positive_whole_number() -> None:
    assert is_count(1) and is_count(np.int64(5))
    assert not any(map(is_count, (0, -1, 2.5, "a", None, True)))
