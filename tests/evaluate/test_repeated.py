"""Beta-binomial fits of successes per problem: seven Pythias, coverage, counts without an optimum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import scaling_jax as sj
from scaling_jax.evaluate.repeated import RepeatedSampling
from scaling_jax.tables.runs import DataError

PYTHIAS = {
    "Pythia 70M": (0.0650408, 100.067, 4779.86),
    "Pythia 160M": (0.175525, 65.6041, 19553.6),
    "Pythia 410M": (0.180347, 28.7225, 36705.7),
    "Pythia 1B": (0.215504, 25.4647, 46826.5),
    "Pythia 2.8B": (0.246068, 11.7097, 93546.9),
    "Pythia 6.9B": (0.269873, 14.1677, 90435.6),
    "Pythia 12B": (0.295504, 12.3661, 108025),
}
"""alpha, beta and minus the log-likelihood of an earlier fit, whose slopes are up to .02 nats, not zero."""


@pytest.fixture(scope="module")
def math(shared: Callable[[str], Path]) -> pd.DataFrame:
    table = pd.read_csv(shared("repeated_sampling") / "successes.csv")
    return table[table["benchmark"] == "MATH"]


@pytest.fixture(scope="module")
def pythias(math: pd.DataFrame) -> RepeatedSampling:
    return sj.repeated_sampling(math, successes="correct", trials="n", by="model")


def slopes(counts: pd.DataFrame, alpha: float, beta: float) -> np.ndarray:
    """Of the log-likelihood in log alpha and log beta, in closed form."""
    c, n, digamma = counts["correct"].to_numpy(), counts["n"].to_numpy(), special.digamma
    both = digamma(alpha + beta) - digamma(alpha + beta + n)
    of_alpha = digamma(alpha + c) - digamma(alpha) + both
    of_beta = digamma(beta + n - c) - digamma(beta) + both
    return np.array([alpha * of_alpha.sum(), beta * of_beta.sum()])


def test_seven_pythias(math: pd.DataFrame, pythias: RepeatedSampling) -> None:
    table = pythias.table
    assert (table["status"] == "converged").all() and (table["agree"] == "32/32").all()
    for model, (alpha, beta, charge) in PYTHIAS.items():
        found = table.loc[model]
        assert -found["log_likelihood"] == pytest.approx(charge, rel=2e-6)  # six digits were kept
        assert [found["alpha"], found["beta"]] == pytest.approx([alpha, beta], rel=1e-3)
        left = slopes(math[math["model"] == model], found["alpha"], found["beta"])
        assert np.abs(left).max() < 1e-4  # a relative 1e-4 is a slope of .002 or more in each
        assert np.abs(left).max() < np.abs(slopes(math[math["model"] == model], alpha, beta)).max() / 100
    assert table["aicc"].to_numpy() == pytest.approx(-2 * table["log_likelihood"] + 4 + 12 / 125)
    assert table["unsolved"]["Pythia 70M"] == 94


def test_ten_thousand_samples_from_a_hundred(math: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    thin = math.assign(n=100, correct=rng.hypergeometric(math["correct"], math["n"] - math["correct"], 100))
    found = sj.repeated_sampling(thin, successes="correct", trials="n", by="model").pass_at(1e4)
    solved = (math["correct"] > 0).groupby(math["model"]).mean()[found["group"]].to_numpy()
    held = (found["lower"] <= solved) & (solved <= found["upper"])
    assert held.sum() >= 5  # at 90 % each, fewer of seven come once in forty
    assert (found["upper"] - found["lower"]).max() < 0.6


@pytest.mark.parametrize(("alpha", "beta"), [(0.25, 15.0), (0.08, 60.0)])
def test_intervals_hold_as_often_as_they_say(alpha: float, beta: float) -> None:
    tables, problems = 40, 100
    rng = np.random.default_rng(1)
    rates = rng.beta(alpha, beta, (tables, problems))
    counts = {
        "table": np.repeat(np.arange(tables), problems),
        "trials": 100,
        "successes": rng.binomial(100, rates).ravel(),
    }
    found = sj.repeated_sampling(counts, by="table")
    forecast = found.pass_at(1e4, draws=500)
    solved = (rng.binomial(10_000, rates) > 0).mean(axis=1)
    inside = ((forecast["lower"] <= solved) & (solved <= forecast["upper"])).sum()
    ends = found.conf_int(draws=500)
    known = ((ends["alpha lower"] <= alpha) & (alpha <= ends["alpha upper"])).sum()
    few, many = stats.binom.ppf([1e-3, 1 - 1e-3], tables, 0.9)
    assert few <= inside <= many and few <= known <= many


def test_new_problems_follow_the_law(pythias: RepeatedSampling) -> None:
    ks = [1, 100, 10_000]
    one = pythias.pass_at(ks, new_problems=128).query("group == 'Pythia 12B'")
    alpha, beta = pythias.table.loc["Pythia 12B", ["alpha", "beta"]]
    law = sj.laws.coverage_beta(np.array(ks, dtype=float), alpha=alpha, beta=beta)
    assert one["predicted"].to_numpy() == pytest.approx(law, abs=0.01)
    here = pythias.pass_at(ks).query("group == 'Pythia 12B'")
    assert (here["upper"] - here["lower"]).iloc[1] < (one["upper"] - one["lower"]).iloc[1]


def test_a_large_table_narrows_to_the_curvature() -> None:
    rng = np.random.default_rng(2)
    successes = rng.binomial(50, rng.beta(0.5, 2.0, 5_000))
    found = sj.repeated_sampling({"successes": successes, "trials": np.full(5_000, 50)})
    ends = found.conf_int().iloc[0]
    assert ends["alpha lower"] < found.table["alpha"].item() < ends["alpha upper"]
    at = np.log(found.table.loc["all", ["alpha", "beta"]].to_numpy(dtype=float))
    counts, step = pd.DataFrame({"correct": successes, "n": 50}), 1e-4 * np.eye(2)
    bend = [(slopes(counts, *np.exp(at - e)) - slopes(counts, *np.exp(at + e))) / 2e-4 for e in step]
    se = np.sqrt(np.linalg.inv(bend)[0, 0])
    width = np.log(ends["alpha upper"] / ends["alpha lower"])
    assert width == pytest.approx(2 * 1.645 * se, rel=0.08)


@pytest.mark.parametrize(
    ("successes", "said"),
    [([0, 0, 0], "always or never"), ([0, 10, 0], "always or never"), ([5, 4, 6], "one rate")],
)
def test_counts_without_an_optimum_say_so(successes: list[int], said: str) -> None:
    table = {"group": ["a"] * 3 + ["b"] * 4, "trials": 10, "successes": [*successes, 0, 1, 3, 9]}
    found = sj.repeated_sampling(table, by="group")
    assert said in found.table.loc["a", "status"] and np.isnan(found.table.loc["a", "alpha"])
    assert found.table.loc["b", "status"] == "converged"
    forecast = found.pass_at([1, 10, 1000])
    assert forecast.notna().all(axis=None) and (forecast["lower"] <= forecast["upper"]).all()
    assert (forecast.groupby("group")["predicted"].diff().dropna() >= 0).all()


def test_bad_tables_and_questions() -> None:
    good = {"trials": [10, 10], "successes": [1, 3]}
    for bad, words in (
        ({"trials": [10, 10]}, "no column 'successes'"),
        (good | {"successes": [1, 11]}, "must not exceed 'trials': see row 1"),
        (good | {"successes": [-1, 3]}, "must not be negative: see row 0"),
        (good | {"successes": [0.5, 3]}, "whole numbers: see row 0"),
        (good | {"successes": [np.nan, 3]}, "whole numbers: see row 0"),
        (good | {"trials": [0, 10], "successes": [0, 3]}, "1 or more: see row 0"),
    ):
        with pytest.raises(DataError, match=words):
            sj.repeated_sampling(bad)
    with pytest.raises(DataError, match="group of every row: see row 1"):
        sj.repeated_sampling(good | {"m": ["a", None]}, by="m")
    found = sj.repeated_sampling(good)
    with pytest.raises(ValueError, match="1 or more"):
        found.pass_at(0)
    with pytest.raises(ValueError, match="probability"):
        found.pass_at(10, level=90)
    with pytest.raises(ValueError, match="number of draws"):
        found.pass_at(10, draws=0)
