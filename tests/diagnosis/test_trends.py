"""Directions are projected off the law, runs are what the test counts, and its level is its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import scaling_jax as sj
from scaling_jax.diagnosis.trends import FLIPS, trends, trends_of
from tests.cases.simulated import FIFTY


@pytest.fixture(scope="module")
def fifty() -> sj.FitResult:
    return sj.fit(sj.laws.chinchilla, FIFTY, objective=sj.SquaredError())


def tables(shape: np.ndarray, tables: int, noise: float, runs: int = 1, own: float = 1.0) -> pd.DataFrame:
    """Power laws of 24 rows whose logarithms are off by a shape; `runs` checkpoints of a size share noise."""
    rng, x = np.random.default_rng(4), np.repeat(np.geomspace(1, 1e4, 24 // runs), runs)
    x = x * np.tile(np.linspace(0.5, 1, runs), 24 // runs)
    common = np.repeat(rng.normal(size=(tables, 24 // runs)), runs, axis=1)
    error = noise * (own * rng.normal(size=(tables, 24)) + (1 - own) * common)
    loss = 3 * x**-0.2 * np.exp(shape + error)
    run = np.repeat(np.arange(24 // runs), runs)
    return pd.DataFrame(
        {
            "x": np.tile(x, tables),
            "loss": loss.ravel(),
            "run": np.tile(run, tables),
            "table": np.repeat(np.arange(tables), 24),
        }
    )


def share_found(table: pd.DataFrame, **options: object) -> float:
    fits = sj.fit_groups(sj.laws.power_law, table, by="table", **options)
    return float(np.mean([found.p.min() <= 0.05 for found in trends_of(list(fits.values()))]))


def test_what_the_law_can_absorb_is_no_direction(fifty: sj.FitResult) -> None:
    found = trends(fifty)
    np.testing.assert_allclose(found.absorbed.T @ found.shape, 0, atol=1e-10)
    names = [one.name for one in found.directions]
    assert "floor" not in names and {"exponent of the sum", "bend in loss", "bend in D/N"} <= set(names)
    assert found.runs == len(found.rows) == 50


def test_a_score_is_the_slope_of_the_objective_along_its_direction(fifty: sj.FitResult) -> None:
    """By finite differences: moving predictions along a direction changes half the sum of bounded squares."""
    found = trends(fifty)
    names = [one.name for one in found.directions]
    change = found.directions[names.index("bend in N")].change
    change = change - found.absorbed @ (found.absorbed.T @ change)
    residual = fifty.residuals
    size = np.sort(np.abs(residual))[5:]
    objective = sj.Huber(1.345 * 1.4826 * float(np.median(size)))
    up, down = (objective.rho(residual + step * change).sum() for step in (1e-6, -1e-6))
    slope = (up - down) / 2e-6
    assert np.sign(slope) == np.sign(found.t[names.index("bend in N")])


@pytest.mark.parametrize(("runs", "own"), [(1, 1.0), (3, 0.3)])
def test_a_true_law_is_rarely_found_wanting(runs: int, own: float) -> None:
    """At most so many of 200 tables at nominal 5 % as one count in a thousand would have; checkpoints of a
    run share most of their noise in the second case."""
    found = share_found(tables(np.zeros(24), 200, 0.01, runs, own), run="run")
    assert found <= binom.ppf(0.999, 200, 0.05) / 200


def test_rows_taken_for_runs_would_be() -> None:
    table = tables(np.zeros(24), 200, 0.01, 3, 0.3)
    assert share_found(table) > 2 * share_found(table, run="run")


def test_a_bend_is_found() -> None:
    """Half a per cent at the ends where rows scatter by .3 %."""
    z = np.linspace(-1, 1, 24)
    bent = tables(0.0075 * (z**2 - 1 / 3), 100, 0.003)
    assert share_found(bent) > 0.8


def test_p_is_one_of_the_flips_and_the_same_twice(fifty: sj.FitResult) -> None:
    again = sj.fit(sj.laws.chinchilla, FIFTY, objective=sj.SquaredError())
    np.testing.assert_allclose(trends(fifty).p, trends(again).p, atol=2 / FLIPS)
    counted = trends(fifty).p * (1 + FLIPS)
    np.testing.assert_allclose(counted, counted.round(), atol=1e-9)


def test_many_fits_find_what_each_finds_alone() -> None:
    """Of unequal sizes, runs and directions: with one size, a floor that is none, too few rows."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7, 9, 96), 10 ** rng.uniform(9, 11, 96)
    table = pd.DataFrame(
        {"N": N, "D": D, "loss": 1.7 + 400 / N**0.34 + 2000 / D**0.37, "run": np.arange(96) // 2}
    )
    table["loss"] *= np.exp(0.003 * rng.normal(size=96))
    table["group"] = np.repeat([*"abcdef"], [24, 24, 20, 16, 8, 4])
    table.loc[table["group"] == "b", "N"] = 1e8
    table.loc[table["group"] == "d", "loss"] -= 1.69
    fits = list(sj.fit_groups(sj.laws.chinchilla, table, by="group", run="run").values())
    for together, fit in zip(trends_of(fits), fits, strict=True):
        alone = trends(fit)
        assert [d.name for d in together.directions] == [d.name for d in alone.directions]
        assert together.wave == alone.wave and together.shape.shape == alone.shape.shape
        np.testing.assert_array_equal(together.p, alone.p)
        np.testing.assert_allclose(together.t, alone.t, rtol=1e-6)  # slopes are differenced


def test_too_little_is_not_tested_and_a_perfect_fit_has_no_pattern() -> None:
    x = np.geomspace(1, 100, 6)
    assert trends(sj.fit(sj.laws.power_law_floor, {"x": x[:4], "loss": 3 / x[:4] + 1})).directions == []
    exact = trends(sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x}))
    assert (exact.p == 1).all() and len(exact.p)


def test_rows_without_weight_and_the_order_of_rows_change_nothing(fifty: sj.FitResult) -> None:
    more = pd.concat([FIFTY.assign(w=1.0), FIFTY.iloc[:3].assign(w=0.0, loss=9.0)]).iloc[::-1]
    other = sj.fit(sj.laws.chinchilla, more, weights="w", objective=sj.SquaredError())
    one, two = trends(fifty), trends(other)
    np.testing.assert_allclose(one.t, two.t, rtol=1e-4)
