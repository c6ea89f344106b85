"""What a decision can be made from, and what is said of anything else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.planning.source import Source, source_of, sources_of
from tests.planning.constants import REPLICATION

GOPHER = 5.76e23
FLOPS = [1e18, 1e21, GOPHER, 1e26]


@pytest.fixture(scope="module")
def fitted():
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(1e9, 1e11, 6)))
    loss = sj.laws.chinchilla(N, D, **REPLICATION) * np.exp(
        0.003 * np.random.default_rng(0).standard_normal(36)
    )
    return sj.fit(sj.laws.chinchilla, {"N": N, "D": D, "loss": loss}, objective=sj.SquaredError())


def test_intervals_are_the_percentiles_of_every_draws_own_optimum(fitted):
    """A fit, its bootstrap and anything with `.fit` and `.numbers` are planned from alike."""
    draws = fitted.bootstrap(200)
    plan = sj.compute_optimal(draws, FLOPS, level=0.8)
    own = [
        sj.compute_optimal(
            (fitted.law, dict(zip(fitted.law.labels, map(float, row), strict=True))), [GOPHER]
        )["N"][0]
        for row in draws.numbers
    ]
    at = FLOPS.index(GOPHER)
    np.testing.assert_allclose(
        plan.loc[at, ["N_lower", "N_upper"]].astype(float), np.quantile(own, [0.1, 0.9]), rtol=1e-9
    )
    assert plan.attrs["level"] == 0.8
    point = sj.compute_optimal(fitted, FLOPS)
    np.testing.assert_allclose(plan[list(point)], point, rtol=1e-12)

    class Posterior:
        fit, numbers = fitted, draws.numbers

    pd.testing.assert_frame_equal(sj.compute_optimal(Posterior(), FLOPS, level=0.8), plan)
    assert (plan["N_lower"] < plan["N_upper"]).all()
    ratio = plan["N_upper"] / plan["N_lower"]
    assert ratio.iloc[-1] > ratio.iloc[1], "wider beyond the data"


def test_counts_that_a_plan_must_not_pass_over(fitted):
    table = pd.DataFrame({**fitted.data().inputs, "loss": fitted.data().target})
    for count, words in (
        ({"N": "non-embedding"}, "leaves out the embedding"),
        ({"C": "6ND + attention"}, "convert budgets"),
    ):
        counted = sj.fit(sj.laws.chinchilla, table, objective=sj.SquaredError(), count=count)
        with pytest.warns(UserWarning, match=words):
            plan = sj.compute_optimal(counted, [1e22])
        assert words in plan.attrs["notes"][0]
    assert sj.compute_optimal(fitted, [1e22]).attrs["notes"] == []


@pytest.mark.parametrize(
    ("source", "flops", "error", "words"),
    [
        ((sj.laws.chinchilla, REPLICATION), -1.0, ValueError, "positive"),
        ((sj.laws.chinchilla, REPLICATION), "much", ValueError, "give numbers"),
        ((sj.laws.chinchilla, {"E": 1.0}), 1e21, ValueError, "has the parameters"),
        ((sj.laws.chinchilla, REPLICATION | {"E": np.nan}), 1e21, ValueError, "E=nan is outside its domain"),
        ((sj.laws.chinchilla, REPLICATION | {"E": "x"}), 1e21, ValueError, "E='x' is not a number"),
        ("chinchilla", 1e21, TypeError, "A plan is made from"),
        ((sj.laws.power_law, {"A": 1.0, "alpha": 0.1}), 1e21, TypeError, "needs N and D"),
    ],
)
def test_bad_input_is_one_sentence(source, flops, error, words):
    with pytest.raises(error, match=words):
        sj.compute_optimal(source, flops)


def test_intervals_of_bare_constants_are_refused():
    with pytest.raises(ValueError, match="bare constants have none"):
        sj.compute_optimal((sj.laws.chinchilla, REPLICATION), 1e21, level=0.9)


def test_what_is_given_beside_the_budget_is_checked():
    source = (sj.laws.chinchilla, REPLICATION)
    for given, words in [({"U": "much"}, "give one number"), ({"U": np.nan}, "U=nan"), ([1], "a mapping")]:
        with pytest.raises(ValueError, match=words):
            sj.compute_optimal(source, 1e21, given=given)
    for served in ("much", None, -1.0, np.nan):
        with pytest.raises(ValueError, match="give the tokens of inference, numbers that are"):
            sj.inference_optimal(source, 1e21, served)


def test_what_a_source_holds(fitted):
    """Bare constants have no draws, an entry its range, a fit its bootstrap and its rows."""
    bare = source_of((sj.laws.chinchilla, REPLICATION))
    assert bare.draws is None and bare.ends == {} and bare.notes == ()
    assert dict(bare.params) == REPLICATION
    entry = source_of(sj.published["hoffmann2022"])
    assert entry.ends == dict(sj.published["hoffmann2022"].range) and entry.rows == {}
    whole = source_of(fitted)
    np.testing.assert_array_equal(whole.draws, source_of(fitted.bootstrap()).draws)
    assert whole.ends["N"] == pytest.approx((1e8, 1e10)) and len(whole.rows["D"]) == 36
    assert "resampled" in whole.method or "reweighted" in whole.method
    assert source_of(fitted, draws=False).draws is None
    assert source_of(whole) is whole
    assert source_of(sj.FitResult.from_json(fitted.to_json())).draws is None, "it holds no data"


def test_a_chain_is_one_law(fitted):
    loss = np.geomspace(2, 4, 12)
    truth = {"eps": 0.85, "k": 2.0, "gamma": 0.75}
    error = sj.laws.error_from_loss(loss, **truth) + 0.002 * np.random.default_rng(1).standard_normal(12)
    stage = sj.fit(
        sj.laws.error_from_loss,
        {"loss": loss, "error": error},
        target="error",
        objective=sj.SquaredError(on="raw"),
    )
    chain = sj.chain(fitted, stage, via="loss")
    source = source_of(chain)
    at = {"N": [1e9, 7e10], "D": [2e10, 1.4e12]}
    assert source.law.inputs == ("N", "D") and source.law.target == stage.law.target
    np.testing.assert_allclose(source.law(**at, **source.params), chain.predict(at), rtol=1e-12)
    band = chain.predict(at, interval="confidence", level=0.8)
    drawn = [source.law(**at, **source.law.unflatten(row)) for row in source.draws[:50]]
    np.testing.assert_allclose(drawn, chain._propagate(at, [d.numbers[:50] for d in chain.draws]), rtol=1e-12)
    assert (np.quantile(drawn, 0.1, axis=0) > band["lower"] * 0.98).all()
    run = {name: values[1] for name, values in at.items()}
    np.testing.assert_allclose(source.also["loss"](source.params, run), fitted.predict(at)[1], rtol=1e-6)


def test_groups_are_read_together_and_a_bad_one_stops_no_other(fitted):
    table = pd.DataFrame({**fitted.data().inputs, "loss": fitted.data().target})
    both = pd.concat([table.assign(recipe="a"), table.assign(recipe="b", loss=1.02 * table["loss"])])
    fits = sj.fit_groups(sj.laws.chinchilla, both, by="recipe", objective=sj.SquaredError())
    found = sources_of(fits)
    assert list(found.members) == ["a", "b"] and not found.failed
    np.testing.assert_array_equal(found.members["b"].draws, fits.bootstrap()["b"].numbers)
    mixed = sources_of({"fit": fits["a"], "printed": (sj.laws.chinchilla, REPLICATION)})
    assert mixed.members["fit"].draws is not None and mixed.members["printed"].draws is None
    failed = sj.FitResult.failed(fitted.spec, "c", "Group 'c' has no rows.")
    assert sources_of({"c": failed, "a": fits["a"]}).failed == {
        "c": "There is no fit to plan from: Group 'c' has no rows."
    }
    with pytest.raises(TypeError, match="Groups are a mapping"):
        sources_of(fitted)


def test_a_fit_that_is_no_optimum_says_so(fitted):
    few = {"N": [1e8, 1e9, 1e10], "D": [1e10, 1e10, 1e10], "loss": [3.2, 2.8, 2.6]}
    poor = sj.fit(sj.laws.chinchilla, few)
    assert poor.status == "underdetermined"
    assert "is underdetermined" in source_of(poor, draws=False).notes[0]


def test_an_approach_is_a_law_of_compute():
    C, N = (grid.ravel() for grid in np.meshgrid([1e19, 1e20, 1e21, 1e22], np.geomspace(1e8, 1e10, 21)))
    runs = pd.DataFrame({"C": C, "N": N, "D": C / (6 * N)})
    runs["loss"] = sj.laws.chinchilla(runs["N"], runs["D"], **REPLICATION)
    found = sj.isoflop(runs, budget="C", method="akima")
    source = source_of(found, draws=False)
    assert isinstance(source, Source) and source.law.inputs == ("C",)
    table = found.optimal([1e23])
    assert source.law(1e23, **source.params) == pytest.approx(table["loss"][0], rel=1e-12)
    for name in ("N", "D"):
        value = float(source.also[name](source.params, {"C": 1e23}))
        assert value == pytest.approx(table[name][0], rel=1e-4)  # computed in single precision outside x64
