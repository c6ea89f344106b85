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


def test_distances_that_fade_do_not_turn_round():
    """Distances that shrink to six tenths with every decade do not cross: the order stays. The truth
    is 10^-0.4 of those at the largest runs; a line through three sizes comes to -0.4."""
    rng = np.random.default_rng(1)
    first = dict(zip("abcde", np.linspace(0, 0.08, 5), strict=True))
    table = pd.DataFrame(
        {"recipe": name, "C": C, "loss": 3 * np.exp(by * (C / 1e18) ** -0.2 + 0.0003 * rng.normal())}
        for name, by in first.items()
        for C in (1e18, 1e19, 1e20)
    )
    found = sj.contrast(table, by="recipe", flops=[1e20, 1e22])
    ahead, there = found.table[found["flops"] == 1e22], found.table[found["flops"] == 1e20]
    assert (ahead["difference"] > 0).all()
    ratio = ahead["difference"].to_numpy() / there["difference"].to_numpy()
    assert 0.1 < np.median(ratio) < 0.5


def test_what_hangs_on_the_ratio_is_compared_at_the_ratio():
    """Two recipes that cross along D/N: at given inputs the nearest runs decide, whatever their compute."""
    rng = np.random.default_rng(2)
    N, ratio = (grid.ravel() for grid in np.meshgrid([1e8, 3e8, 1e9], [5.0, 20.0, 80.0]))
    table = pd.concat(
        pd.DataFrame({"recipe": name, "N": N, "D": N * ratio}).assign(
            loss=lambda t, lean=lean: (
                3
                * (t["N"] * t["D"] / 1e18) ** -0.03
                * np.exp(lean * np.log10(ratio / 20) + 5e-4 * rng.normal(size=len(N)))
            )
        )
        for name, lean in [("long", -0.01), ("short", 0.01)]
    )
    found = sj.contrast(table, by="recipe", at={"N": [1.5e9, 1.5e9], "D": [6e9, 1.5e11]}).table
    assert (found["difference"] > 0).tolist() == [False, True]
    assert found["extrapolation"].tolist() == [0, pytest.approx(np.log10(1.5**2 * 1.25), abs=1e-5)]


def test_a_place_where_few_were_trained_says_how_those_differ():
    """Recipes without a place in common are compared through the curve of all, those with one at it."""
    table = rungs({"a": 0.0, "b": 0.02, "c": 0.05}, [1e18, 1e19, 1e20])
    bent = table["C"] == 1e19  # a place that lies off every curve, without recipe a
    table["loss"] *= np.where(bent, 1.2, 1.0)
    found = sj.contrast(table[~(bent & (table["recipe"] == "a"))], by="recipe", flops=TARGET)
    assert found.best.sort_values("loss")["recipe"].tolist() == ["a", "b", "c"]
    assert found.table["difference"].iloc[0] / 2.1 == pytest.approx(0.02, abs=0.01)


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
