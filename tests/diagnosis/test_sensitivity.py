"""What other choices would have said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


@pytest.fixture(scope="module")
def found(fit245: sj.FitResult):
    return fit245.sensitivity(flops=1e25, highest=(5, 10), level=None)


def test_choices_move_the_chinchilla_optimum_by_more_than_the_published_spread(found) -> None:
    """A dozen choices move tokens per parameter at 1e25 FLOP from 4.7, with all rows, to 317."""
    tokens = found.table["tokens_per_param"]
    assert len(tokens) >= 12
    assert tokens["as fitted"] == pytest.approx(4.71, abs=0.01)
    assert tokens["without the 5 highest targets"] == pytest.approx(16.55, abs=0.01)
    assert tokens["tied: alpha = beta"] == pytest.approx(25.37, abs=0.01)
    assert tokens.min() < 4.7 and tokens.max() > 317
    assert found.most == "without the lowest two decades of 6ND"
    assert found.most in str(found) and "tokens per parameter at 1e+25 FLOP" in str(found)


def test_every_choice_is_the_optimum_of_a_fit_made_the_ordinary_way(found, replication: pd.DataFrame) -> None:
    compute = replication["flops"]
    ways = {
        "Huber, delta 0.01": {"objective": sj.Huber(0.01)},
        "squared error": {"objective": sj.SquaredError()},
        "tied: alpha = beta": {"tied": [("alpha", "beta")]},
        "without the 5 highest targets": {"where": replication["loss"].rank(ascending=False) > 5},
        "without the lowest decade of 6ND": {"where": (compute >= 10 * compute.min()).to_numpy()},
    }
    for words, how in ways.items():
        ordinary = sj.fit(sj.laws.chinchilla, replication, **how)
        np.testing.assert_allclose(
            found.table.loc[words, list(ordinary.law.labels)].astype(float),
            ordinary.numbers,
            rtol=1e-5,
            err_msg=words,
        )


def test_other_columns_and_bad_ones(line: sj.FitResult) -> None:
    doubled = line.sensitivity(
        at={"x": 1e4}, columns={"x": {"counted twice": 2 * line.data().inputs["x"]}}, level=None
    )
    row = doubled.table.loc["x: counted twice"]
    assert row["alpha"] == pytest.approx(line.params["alpha"], rel=1e-8)
    assert row["A"] == pytest.approx(line.params["A"] * 2 ** line.params["alpha"], rel=1e-8)
    with pytest.raises(sj.DataError, match=r"one finite value \(positive\) for each of the 24 fitted rows"):
        line.sensitivity(columns={"x": {"short": [1.0]}}, level=None)
    with pytest.raises(sj.DataError, match="has the inputs x"):
        line.sensitivity(columns={"N": {"other": [1.0]}}, level=None)


def test_checkpoints_are_a_choice_where_runs_are_known() -> None:
    x, run = np.tile(np.geomspace(1, 100, 10), 8), np.repeat(np.arange(8), 10)
    loss = 5 * x**-0.3 * np.exp(np.random.default_rng(0).normal(0, 0.01, 80))
    fit = sj.fit(
        sj.laws.power_law, {"x": x * (1 + run), "loss": loss * (1 + run) ** -0.3, "run": run}, run="run"
    )
    table = fit.sensitivity(level=None).table
    rows = table["rows"]
    assert rows["final checkpoints only"] == 8
    assert "every run counts the same" not in rows  # they do already: all are equally long
    # ten points a run over two decades: two lie within a factor of two
    assert rows["without the first half of each run"] == 16


def test_how_checkpoints_are_weighted_is_a_choice() -> None:
    """Runs of very different length: each weighting offers the other, and finds what a fit under it does."""
    length = np.array([3, 30, 4, 20, 5, 10])
    run = np.repeat(np.arange(6), length)
    x = np.concatenate([np.geomspace(1, 100 * (i + 1), n) for i, n in enumerate(length)])
    table = {
        "x": x,
        "loss": 5 * x**-0.3 * np.exp(np.random.default_rng(0).normal(0, 0.05, 6)[run]),
        "run": run,
    }
    plain, by_run = (
        sj.fit(sj.laws.power_law, table, run="run", objective=sj.SquaredError(), weights=w)
        for w in (None, "runs")
    )
    other = plain.sensitivity(level=None).table.loc["every run counts the same", ["A", "alpha"]]
    back = by_run.sensitivity(level=None).table.loc["every checkpoint counts the same", ["A", "alpha"]]
    np.testing.assert_allclose(other.astype(float), by_run.numbers, rtol=1e-6)
    np.testing.assert_allclose(back.astype(float), plain.numbers, rtol=1e-6)


def test_shared_values_are_refitted_to_all_groups_under_every_choice() -> None:
    """A choice made of one group is made of all that share with it: what fit_groups finds under it."""
    rng = np.random.default_rng(3)
    x = np.concatenate([np.geomspace(1, 100, 9), np.geomspace(1, 1000, 12)])
    recipe = np.repeat(["web", "filtered"], [9, 12])
    loss = np.where(recipe == "web", 5.0, 7.0) * x**-0.3 * np.exp(rng.normal(0, 0.02, 21))
    table = pd.DataFrame({"x": x, "loss": loss, "recipe": recipe})
    how = {"by": "recipe", "shared": ["alpha"], "objective": sj.Huber()}
    fits = sj.fit_groups(sj.laws.power_law, table, **how)
    found = fits["web"].sensitivity(level=None).table
    squared = sj.fit_groups(sj.laws.power_law, table, **how | {"objective": sj.SquaredError()})
    kept = table[table["x"] >= 10]
    upper = sj.fit_groups(sj.laws.power_law, kept, **how)
    for words, other in (("squared error", squared), ("without the lowest decade of x", upper)):
        np.testing.assert_allclose(
            found.loc[words, ["A", "alpha"]].astype(float), other["web"].numbers, rtol=1e-5, err_msg=words
        )
    absolute = sj.fit_groups(sj.laws.power_law, table, **how | {"objective": sj.AbsoluteError()})
    row = squared["web"].sensitivity(level=None).table.loc["absolute error", ["A", "alpha"]]
    np.testing.assert_allclose(row.astype(float), absolute["web"].numbers, rtol=2e-3)
    assert found["alpha"].nunique() == len(found)  # held, it would be the same in every row
