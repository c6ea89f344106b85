"""Recipes without laws: one rung is the ranking with honest odds, more follow what trends have held."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import scaling_jax as sj

TARGET = 1e21


def rungs(
    recipes: dict[str, float], sizes: list[float], seeds: int = 3, tilt: dict[str, float] | None = None
):
    """Recipes apart by so much in log loss, with a noise of .3 %; tilts in log loss per decade."""
    rng = np.random.default_rng(0)
    rows = [
        {"recipe": name, "C": C, "loss": 3 * (C / 1e18) ** -0.05 * np.exp(by + lean + 0.003 * rng.normal())}
        for name, by in recipes.items()
        for C in sizes
        for lean in [(tilt or {}).get(name, 0.0) * np.log10(C / 1e18)]
        for _ in range(seeds)
    ]
    return pd.DataFrame(rows)


def test_one_rung_is_the_ranking():
    """The odds are those of the seeds' scatter and of a walk that a table of one rung leaves open."""
    table = rungs({"a": 0.0, "b": 0.01}, [1e20])
    row = sj.contrast(table, by="recipe", flops=TARGET, transfer=0.0).table.iloc[0]
    logs = np.log(table["loss"]).groupby(table["recipe"])
    apart, variance = logs.mean()["b"] - logs.mean()["a"], logs.var().median() * 1 / np.log(4) * 2
    assert row["difference"] / row["loss_a"] == pytest.approx(np.expm1(apart), rel=1e-6)
    assert row["probability"] == pytest.approx(norm.cdf(apart / np.sqrt(2 * variance / 3)), abs=0.05)
    drifting = sj.contrast(table, by="recipe", flops=TARGET).table.iloc[0]
    assert 0.55 < drifting["probability"] < row["probability"]
    known = sj.contrast(table, by="recipe", flops=TARGET, transfer=0.01).table.iloc[0]
    spread = np.sqrt(2 * (variance / 3 + 0.01**2))
    assert known["probability"] == pytest.approx(norm.cdf(apart / spread), abs=0.03)


def test_trends_that_hold_are_followed():
    """Ten recipes tilt steadily: the order at the target is another than at the top, and is foreseen."""
    names = [f"r{i}" for i in range(10)]
    at = dict(zip(names, np.linspace(0, 0.02, 10), strict=True))
    tilt = dict(zip(names, -np.linspace(0, 0.03, 10), strict=True))
    table = rungs(at, [1e18, 3e18, 1e19, 3e19], tilt=tilt)
    found = sj.contrast(table, by="recipe", flops=TARGET)
    assert found.best["recipe"][0] in ("r8", "r9")
    order = found.best.sort_values("loss")["recipe"].tolist()
    assert np.corrcoef([names.index(name) for name in order], np.arange(10))[0, 1] < -0.9


def test_tables_with_size_and_tokens_and_gaps():
    """Recipes that miss a rung are compared all the same."""
    table = rungs({"a": 0.0, "b": 0.02, "c": 0.05}, [1e18, 1e19, 1e20])
    table = table.assign(N=np.sqrt(table["C"] / 120), D=20 * np.sqrt(table["C"] / 120)).drop(columns="C")
    table = table[~((table["recipe"] == "c") & (table["N"] > 2e8))]
    found = sj.contrast(table, by="recipe", flops=TARGET)
    assert found.best.sort_values("loss")["recipe"].tolist() == ["a", "b", "c"]
    assert found.table["extrapolation"].tolist() == pytest.approx([1, 3, 3])
    assert found.crossover["above"].between(0, 1).all()


def test_a_ladder_without_seeds_weighs_the_noise():
    table = rungs({"a": 0.0, "b": 0.03}, [1e18, 1e19, 1e20], seeds=1)
    row = sj.contrast(table, by="recipe", flops=TARGET).table.iloc[0]
    assert 0.6 < row["probability"] < 0.999


def test_columns_are_asked_for():
    with pytest.raises(ValueError, match="where a run's compute stands"):
        sj.contrast(pd.DataFrame({"recipe": ["a"], "loss": [1.0]}), by="recipe", flops=1e21)


def test_datadecide(shared):
    """25 corpora at up to 530M parameters, for 1B: the published share of the ranking there is .920."""
    table = pd.read_csv(shared("datadecide/losses.csv.gz"))
    table = table[table["size"] != "750M"].assign(C=lambda t: 600 * t["n_params"].astype(float) ** 2)
    goal = table["C"].max()
    truth = np.log(table[table["C"] == goal]["loss"]).groupby(table["recipe"]).mean()
    found = sj.contrast(table[table["C"] < goal], by="recipe", flops=goal).table
    won = truth[found["a"]].to_numpy() < truth[found["b"]].to_numpy()
    assert ((found["difference"] > 0) == won).mean() >= 0.92
    sure = np.abs(found["probability"] - 0.5) > 0.4
    assert ((found["difference"] > 0) == won)[sure].mean() >= 0.95 and sure.mean() > 0.5
