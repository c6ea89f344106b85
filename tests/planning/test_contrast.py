"""Contrasts: closed forms of multiplier and crossing, honest odds, pairing, many recipes, and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.contrasted import Contrast
from scaling_jax.planning.source import Source
from tests.planning.constants import REPLICATION

LAW = sj.laws.chinchilla
R = REPLICATION
BUDGETS = [1e20, 1e22, 1e24, 1e26]


def against(**changed: float) -> Contrast:
    return sj.contrast((LAW, R), (LAW, R | changed), flops=BUDGETS)


@pytest.fixture(scope="module")
def fits():
    """Two recipes, the second with 8 % more of the term in data, and a third like the first."""
    rng = np.random.default_rng(0)
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(3e7, 1e9, 5), [5.0, 20, 80]))
    parts = [
        pd.DataFrame(
            {
                "recipe": name,
                "N": N,
                "D": N * D,
                "loss": np.asarray(LAW(N, N * D, **(R | {"B": R["B"] * by}))) * np.exp(noise),
            }
        )
        for (name, by), noise in zip(
            [("one", 1.0), ("two", 1.08), ("three", 1.0)], 0.003 * rng.normal(size=(3, len(N))), strict=True
        )
    ]
    return sj.fit_groups(LAW, pd.concat(parts), by="recipe", objective=sj.SquaredError())


@pytest.fixture(scope="module")
def pair(fits):
    return sj.contrast(fits["one"], fits["two"], flops=[1e21, 1e23])


def test_multipliers_of_one_term_are_the_same_at_every_scale():
    """m = (B_b / B_a)^(1/beta) and (A_b / A_a)^(1/alpha)."""
    # the constants have more digits than the four that the published 1.29765 was computed from
    for name, power in (("B", "beta"), ("A", "alpha")):
        found = against(**{name: 1.1 * R[name]})["multiplier"]
        np.testing.assert_allclose(found, 1.1 ** (1 / R[power]), rtol=1e-7)


def test_published_multipliers():
    four = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    dearer = sj.contrast((LAW, four), (LAW, four | {"B": 1.1 * four["B"]}), flops=1e22)
    assert dearer["multiplier"][0] == pytest.approx(1.29765, abs=1e-5)
    higher = sj.contrast((LAW, four), (LAW, four | {"E": four["E"] + 0.01}), flops=[*BUDGETS, 2.97e30])
    np.testing.assert_allclose(higher["multiplier"][:4], [1.07973, 1.19231, 1.50390, 2.64985], rtol=1e-5)
    assert higher["multiplier"][4] == np.inf
    assert "No amount of compute brings b to the loss of a." in str(higher)


@pytest.mark.parametrize(("floor", "speedup"), [(1.3, 1.14446), (1.6, 1.17552), (1.9, 1.22355)])
def test_speedup_with_a_pinned_floor(floor, speedup):
    """((L_worse - E) / (L_better - E))^(1 / alpha), from the two losses alone."""
    law, flops = sj.laws.power_law_floor, 3e18
    better, worse = (
        {"E": floor, "A": (loss - floor) * flops**0.0941, "alpha": 0.0941} for loss in (3.100, 3.123)
    )
    assert sj.contrast((law, better), (law, worse), flops=flops)["multiplier"][0] == pytest.approx(
        speedup, rel=1e-5
    )


def test_signs_agree():
    """Where a is better, b's loss is higher and b needs more compute; from b's side all is turned around."""
    there = sj.contrast((LAW, R), (LAW, R | {"A": 1.05 * R["A"]}), flops=1e23).table.iloc[0]
    back = sj.contrast((LAW, R | {"A": 1.05 * R["A"]}), (LAW, R), flops=1e23).table.iloc[0]
    assert there["difference"] == there["loss_b"] - there["loss_a"] > 0 and there["multiplier"] > 1
    assert back["difference"] == -there["difference"]
    assert back["multiplier"] == pytest.approx(1 / there["multiplier"], rel=1e-7)


def test_a_law_without_closed_form_is_searched():
    @sj.law
    def same(N, D, *, E: sj.Positive, A: sj.Positive, B: sj.Positive, alpha: sj.Real, beta: sj.Real):
        return E + A / N**alpha + B / D**beta

    found = sj.contrast((same, R), (same, R | {"B": 1.1 * R["B"]}), flops=[1e22, 1e24])
    np.testing.assert_allclose(found["multiplier"], 1.1 ** (1 / R["beta"]), rtol=1e-6)


def test_crossover_is_where_the_losses_are_equal():
    """Frontiers E + K C^-g with one floor cross at (K_a / K_b)^(1 / (g_a - g_b))."""
    law = sj.laws.power_law_floor
    a, b = {"E": 1.5, "A": 30.0, "alpha": 0.08}, {"E": 1.5, "A": 60.0, "alpha": 0.095}
    crossing = (60 / 30) ** (1 / 0.015)
    found = sj.contrast((law, a), (law, b), flops=[crossing / 30, crossing * 10])
    assert found.crossover["flops"][0] == pytest.approx(crossing, rel=5e-3)  # a chord over a quarter decade
    far = sj.contrast((law, a), (law, b), flops=crossing / 1e5)
    assert np.isnan(far.crossover["flops"][0]) and "No crossing within 3 decades" in str(far)
    with pytest.raises(ValueError, match="compare the recipes with flops="):
        _ = sj.contrast((law, a), (law, b), at={"x": 1e20}).crossover


def test_the_table_of_a_pair(pair):
    table = pair.table
    assert list(table["flops"]) == [1e21, 1e23] and set(table["a"]) == {"one"} and set(table["b"]) == {"two"}
    for name in ("loss_a", "loss_b", "difference", "multiplier"):
        assert (table[f"{name}_lower"] < table[name]).all() and (table[name] < table[f"{name}_upper"]).all()
    # 8 % more of the data term is .019 nats at 1e21, several standard errors of a noise of .3 % a run
    assert (table["probability"] > 0.9).all() and table["probability"].max() < 1
    # one table of fifteen runs each: the truth within twice the interval
    wide = (table["multiplier_upper"] / table["multiplier_lower"]).to_numpy() ** 0.5
    assert (table["multiplier_lower"] / wide < 1.08 ** (1 / R["beta"])).all()
    assert (table["multiplier_upper"] * wide > 1.08 ** (1 / R["beta"])).all()
    assert table["extrapolation"].diff().iloc[1] == pytest.approx(2)
    assert "one wins with probability" in str(pair) and "two needs" in str(pair)


def test_laws_own_error_widens_and_common_shape_narrows(fits, pair):
    """Draws alone wander where neither recipe's floor is identified; an error of the laws of 3 % a root
    decade leaves little to be sure of."""
    alone = sj.contrast(fits["one"], fits["two"], flops=[1e21, 1e23], transfer=0).table
    wide = sj.contrast(fits["one"], fits["two"], flops=[1e21, 1e23], transfer=0.03).table

    def width(table: pd.DataFrame) -> np.ndarray:
        return (table["difference_upper"] - table["difference_lower"]).to_numpy()

    assert width(pair.table)[1] < width(alone)[1] and width(wide)[1] > 1.3 * width(pair.table)[1]
    assert wide["probability"][1] < pair.table["probability"][1]
    # without a belief about recipes what is said is the fits' own
    best = sj.compute_optimal(fits["one"], [1e21, 1e23])["loss"]
    np.testing.assert_allclose(alone["loss_a"], best, rtol=1e-12)


def test_noiseless_fits_are_left_alone():
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 5), np.geomspace(1e9, 1e11, 5)))
    one, two = (
        sj.fit(LAW, {"N": N, "D": D, "loss": LAW(N, D, **params)}, objective=sj.SquaredError())
        for params in (R, R | {"E": R["E"] + 0.01})
    )
    row = sj.contrast(one, two, flops=1e24).table.iloc[0]
    true = sj.contrast((LAW, R), (LAW, R | {"E": R["E"] + 0.01}), flops=1e24)["multiplier"][0]
    assert row["multiplier"] == pytest.approx(true, rel=1e-4) and row["probability"] > 0.99


def test_recipes_that_share_runs_are_drawn_together():
    """One recipe is the other times 1.01, noise included: nothing about the pair is uncertain."""
    rng = np.random.default_rng(1)
    x = np.geomspace(1e18, 1e20, 12)
    loss = (1.7 + 20 * x**-0.08) * np.exp(0.004 * rng.normal(size=12))
    law, plain = sj.laws.power_law_floor, sj.SquaredError()
    one = sj.fit(law, {"x": x, "loss": loss}, objective=plain)
    two = sj.fit(law, {"x": x, "loss": 1.01 * loss}, objective=plain)
    found = sj.contrast(one, two, flops=1e21, transfer=0).table.iloc[0]
    assert found["probability"] == 0.999
    ends = np.array([found["difference_lower"], found["difference_upper"]])
    np.testing.assert_allclose(ends / found["loss_a"], 0.01, rtol=0.05)


def test_many_recipes(fits):
    found = sj.contrast(fits, flops=1e22)
    assert len(found.table) == 3
    assert found.best["probability"].sum() == pytest.approx(1, abs=1e-9)
    assert set(found.best["recipe"][:2]) == {"one", "three"} and (found.best["regret"] >= 0).all()
    calls = found.calls(0.1)
    assert (calls["error"] <= 0.1).all() and "two" in set(calls["loser"])
    assert calls["probability"].is_monotonic_decreasing and len(found.calls(1e-4)) == 0
    assert "probabilities of being the best" in str(found)


def test_what_would_settle_it(fits, pair):
    alike = sj.contrast(fits["one"], fits["three"], flops=1e23)
    needed = alike.needed()
    assert needed["seeds"][0] >= 1
    assert pair.needed()["seeds"][0] == 0
    assert alike.needed(run_sd=0.03)["seeds"][0] > needed["seeds"][0]
    with pytest.raises(ValueError, match="Nothing is known of a run's scatter"):
        against(E=2.0).needed()


def test_given_inputs_multiply_the_tokens(fits):
    """At given N and D the multiplier is in tokens: (B_b / B_a)^(1/beta) where laws differ in B alone."""
    at = {"N": [7e9, 1e9], "D": 1.4e12}
    bare = sj.contrast((LAW, R), (LAW, R | {"B": 1.1 * R["B"]}), at=at)
    np.testing.assert_allclose(bare["multiplier"], 1.1 ** (1 / R["beta"]), rtol=1e-7)
    drawn = sj.contrast(fits["one"], fits["two"], at=at).table
    assert list(drawn["N"]) == [7e9, 1e9] and drawn["probability"].between(0.5, 1).all()


def test_draws_posteriors_and_other_sources_are_taken(fits):
    draws = fits.bootstrap(250)
    found = sj.contrast(draws["one"], draws["two"], flops=1e22).table.iloc[0]
    assert found["probability"] > 0.7
    mixed = sj.contrast(fits["one"], sj.published["besiroglu2024_huber"], flops=1e22)
    assert np.isfinite(mixed["probability"][0]) and mixed.names == ["a", "b"]


def test_constants_have_no_odds():
    found = against(E=2.0)
    assert found["probability"].isna().all() and "loss_a_lower" not in found.table
    assert "no probability" in str(found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "either flops="),
        ({"flops": 1e22, "at": {"N": 1e9, "D": 1e11}}, "either flops="),
        ({"flops": -1}, "positive, finite"),
        ({"at": 3}, "mapping of the law's inputs"),
        ({"at": {"N": 1e9}}, "has the inputs N, D"),
        ({"flops": 1e22, "transfer": -1}, "transfer=-1"),
        ({"flops": 1e22, "transfer": True}, "transfer=True"),
        ({"flops": 1e22, "level": 2}, "level=2"),
    ],
)
def test_bad_questions(words, message):
    with pytest.raises(ValueError, match=message):
        sj.contrast((LAW, R), (LAW, R), **words)


def test_bad_recipes(fits):
    with pytest.raises(ValueError, match="needs two recipes"):
        sj.contrast({"one": fits["one"]}, flops=1e22)
    with pytest.raises(ValueError, match="needs two recipes"):
        sj.contrast(fits["one"], flops=1e22)
    with pytest.raises(ValueError, match="compared with by="):
        sj.contrast(pd.DataFrame({"N": [1.0]}), flops=1e22)
    with pytest.raises(TypeError, match="not int"):
        sj.contrast(fits["one"], 3, flops=1e22)
    with pytest.raises(ValueError, match="a law of N and D, or of compute alone"):
        sj.contrast(
            *2 * [(sj.laws.zhang_multiplicative, {"E": 1, "A": 2, "alpha": 0.1, "beta": 0.2})], flops=1
        )


class Foreseen:
    """Stands for what knows itself how it is to be read, with draws of its own, as a forecast does."""

    def __init__(self, by: float):
        self.by = by

    def as_source(self, draws: bool) -> Source:
        numbers = LAW.numbers_of(R | {"B": self.by * R["B"]})
        noise = 0.001 * np.random.default_rng(0).normal(size=(300, 5))
        return Source(LAW, numbers, draws=numbers * np.exp(noise))


def test_sources_with_draws_of_their_own_are_left_as_they_are():
    found = sj.contrast(Foreseen(1.0), Foreseen(1.05), flops=1e22).table.iloc[0]
    assert found["multiplier"] == pytest.approx(1.05 ** (1 / R["beta"]), rel=1e-6)
    assert found["probability"] == 0.999  # the draws of both are the same
