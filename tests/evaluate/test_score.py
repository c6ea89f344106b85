"""Every split fitted in one batch, held to single fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax import evaluate

SIZES = np.array([4.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0])


def test_macro_averages_families_not_cells():
    table = pd.DataFrame({"family": list("aaab"), "cell": [1, 1, 2, 1], "are": [0.1, 0.3, 0.9, 0.6]})
    assert evaluate.macro(table, "family", over="cell")["are"].tolist() == pytest.approx([0.4, 0.9])
    assert evaluate.macro(table, "family")["are"].iloc[0] == pytest.approx((1.3 / 3 + 0.6) / 2)


@pytest.fixture(scope="module")
def sweep() -> pd.DataFrame:
    """Five sizes of twelve checkpoints with 1 % noise, one row lost."""
    rng = np.random.default_rng(5)
    N = np.repeat(10.0 ** np.arange(6, 11), 12)
    D = np.tile(np.geomspace(1e8, 1e11, 12), 5)
    loss = (1.7 + 400 / N**0.34 + 410 / D**0.28) * np.exp(0.01 * rng.standard_normal(60))
    loss[7] = np.nan
    return pd.DataFrame({"N": N, "D": D, "loss": loss}, index=np.arange(100, 160))


def test_a_batch_of_splits_is_the_fits_one_by_one(sweep):
    splits = [
        s.first(sweep["D"], p).last(sweep["D"], 0.3)
        for s in evaluate.by_size(sweep["N"], [3, 4])
        for p in (0.5, 1.0)
    ]
    table = evaluate.score(sj.laws.chinchilla, sweep, splits, missing="drop")
    split = splits[-1]
    alone = sj.fit(sj.laws.chinchilla, sweep.iloc[split.train], missing="drop")
    found = table.loc[[split.label]].iloc[0]
    np.testing.assert_allclose(found[list(alone.law.labels)].astype(float), alone.numbers, rtol=1e-5)
    target = sweep.iloc[split.test]
    assert found["are"] == pytest.approx(evaluate.are(alone.predict(target), target["loss"]), rel=1e-6)
    assert found["n_train"] == len(split.train) - 1  # the row without a loss
    assert found["in_sample"] == pytest.approx(np.sqrt(np.mean(alone.residuals**2)), rel=1e-6)


def test_empty_splits_and_borrowed_parameters(sweep):
    splits = [evaluate.Split("a", sweep["N"] < 1e8, sweep["N"] > 1e9), evaluate.Split("none", [], [0])]
    borrowed = {"A": {"a": 400.0}, "alpha": {"a": 0.34}}
    table = evaluate.score(sj.laws.chinchilla, sweep, splits, missing="drop", fixed=borrowed)
    assert table["status"].tolist() == ["converged", "no rows"]
    assert table.loc["a", ["A", "alpha"]].tolist() == pytest.approx([400.0, 0.34])
    assert np.isnan(table.loc["none", "are"])


def test_runs_weighted_alike_within_each_split(sweep):
    uneven = sweep.dropna().assign(run=lambda t: t["N"]).drop(index=[101, 102, 103])
    split = evaluate.by_size(uneven["N"], 4)[0]
    alike = evaluate.fit_splits(sj.laws.chinchilla, uneven, [split], run="run", weights="runs")[4]
    alone = sj.fit(sj.laws.chinchilla, uneven.iloc[split.train], run="run", weights="runs")
    assert alike.objective_value == pytest.approx(alone.objective_value, rel=1e-9)


def test_mistakes_are_named(sweep):
    twice = [evaluate.Split("a", [0], [1])] * 2
    with pytest.raises(ValueError, match="same label"):
        evaluate.score(sj.laws.chinchilla, sweep, twice)
    with pytest.raises(sj.DataError, match="names row 60"):
        evaluate.score(sj.laws.chinchilla, sweep, [evaluate.Split("a", [0], [60])])
    with pytest.raises(TypeError, match="both choose rows"):
        evaluate.fit_splits(sj.laws.chinchilla, sweep, twice[:1], where="N > 0")
    with pytest.raises(ValueError, match="9 sizes cannot be fitted"):
        evaluate.by_size(SIZES, 9)
