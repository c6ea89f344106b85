"""The search along a budget, held to closed forms and to a fine grid."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.planning.frontier import frontier
from tests.planning.constants import REPLICATION

GOPHER = 5.76e23
FLOPS = [1e18, 1e21, GOPHER, 1e26]


@pytest.mark.parametrize(
    ("law", "params"),
    [
        (sj.laws.chinchilla, REPLICATION),
        (sj.laws.chinchilla_tied, {"E": 1.869, "A": 520.8, "B": 1487.7, "alpha": 0.3526596}),
        (sj.laws.chinchilla_gamma, REPLICATION | {"gamma": 0.7}),
    ],
)
def test_the_search_finds_the_closed_form(law, params):
    closed = sj.compute_optimal((law, params), FLOPS)
    searched = frontier(law, law.flatten(params)[None], np.array(FLOPS), np.asarray(0.0), {})
    np.testing.assert_allclose(searched.N[0], closed["N"], rtol=1e-8)
    np.testing.assert_allclose(searched.loss[0], closed["loss"], rtol=1e-12)


def test_any_law_of_size_and_tokens_has_an_optimum():
    """Kaplan's bracket: its optimum grows with compute, and no neighbour on the budget is better."""
    source = (sj.laws.kaplan, {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103})
    plan = sj.compute_optimal(source, FLOPS)
    for shift in (0.99, 1.01):
        assert (sj.laws.kaplan(shift * plan["N"], plan["D"] / shift, **source[1]) > plan["loss"]).all()
    assert plan["N"].is_monotonic_increasing


def test_no_split_of_the_budget_is_better():
    """Numeric minimisation over 100,001 splits of C = 6 N D; the grid's step bounds its error."""
    plan = sj.compute_optimal((sj.laws.chinchilla, REPLICATION), FLOPS)
    for row in plan.itertuples():
        N = np.geomspace(row.N / 3, row.N * 3, 100_001)
        loss = np.asarray(sj.laws.chinchilla(N, row.flops / (6 * N), **REPLICATION))
        assert N[loss.argmin()] == pytest.approx(row.N, rel=1e-4)
        assert loss.min() == pytest.approx(row.loss, rel=1e-9) and (loss >= row.loss * (1 - 1e-14)).all()
