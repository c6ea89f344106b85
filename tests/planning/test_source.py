"""What a plan can be made from, and what is said of anything else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
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
        with pytest.raises(ValueError, match="give the tokens of inference as one number"):
            sj.inference_optimal(source, 1e21, served)
