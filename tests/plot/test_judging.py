"""Influence, back-tests and comparisons are drawn as they were computed."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_influence_is_told_in_standard_errors_with_where_the_run_lies(line: sj.FitResult) -> None:
    table = sj.plot.influence_data(line)
    first = table.index[0]
    assert table.loc[first, "alpha"] == pytest.approx(
        line.influence().loc[first, "alpha"] / line.stderr["alpha"]
    )
    assert table.loc[first, "words"].startswith(f"{first}: x = ")
    sizes = table.drop(columns="words").abs().max(axis=1)
    assert (np.diff(sizes) <= 0).all()
    ax = sj.plot.influence(line)
    assert ax.get_yticklabels()[-1].get_text() == table["words"].iloc[0]


def test_a_backtest_shows_every_run_kept_back(best: sj.FitResult) -> None:
    found = best.backtest()
    table = sj.plot.backtest_data(found)
    np.testing.assert_allclose(table["error"], found.table["prediction"] / found.table["measured"] - 1)
    held = (table["lower"] <= 0) & (table["upper"] >= 0)
    np.testing.assert_array_equal(held, found.table["inside"])
    ax = sj.plot.backtest(found)
    assert f"{held.sum()} of {len(held)} inside their 90 %" in [text.get_text() for text in ax.texts]


def test_laws_stand_in_their_order() -> None:
    x = np.geomspace(1, 1e4, 12)
    table = {"x": x, "loss": 1.5 + 2 * x**-0.3 * np.exp(0.01 * np.sin(np.arange(12)))}
    ranked = sj.compare_laws([sj.laws.power_law, sj.laws.power_law_floor], table, holdout="x > 1e3")
    ax = sj.plot.comparison(ranked)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(ranked.index[::-1])
    out = ax.get_lines()[1]
    np.testing.assert_allclose(out.get_xdata(), 100 * np.expm1(ranked["extrapolation"][::-1]))
    with pytest.raises(ValueError, match="takes what sj"):
        sj.plot.comparison(ranked[["are"]])
    without = sj.compare_laws([sj.laws.power_law], table)
    with pytest.raises(ValueError, match="Nothing was held out"):
        sj.plot.comparison(without)
