"""Best runs at a kink of the law: fresh data exactly, where repeats are ruled in and hurt."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

LAW = sj.laws.data_constrained_overfit
REPEATS = {
    "E": 1.1379, "A": 66.176, "B": 155.69, "alpha": 0.49627, "beta": 0.43085,
    "P": 0.0092683, "delta": 1.0463, "kappa": 0.57491,
}  # fmt: skip
FLOPS, UNIQUE = 1e12, 8.4e6


@pytest.mark.parametrize(
    ("limit", "binding"), [({"D / U": (1, None)}, "D / U >= 1"), ({"D": (UNIQUE, None)}, "D >= 8.4e+06")]
)
def test_the_answer_at_a_kink_is_one_pass(limit, binding):
    """Fewer tokens than U would be better and more are worse, on a grid; so the limit itself is best, and
    its price is the slope of the loss along the budget, without the penalty of repeats."""
    found = sj.plan((LAW, REPEATS), flops=FLOPS, limits={"U": UNIQUE} | limit, level=None)
    D = UNIQUE * np.array([0.99, 1.0, 1.01, 1.5, 3.0])
    loss = np.asarray(LAW(FLOPS / (6 * D), D, UNIQUE, **REPEATS))
    assert np.diff(loss).min() > 0
    row = found.table.iloc[0]
    assert row["D"] == pytest.approx(UNIQUE, rel=1e-8) and row["binding"] == f"FLOP, {binding}"
    assert row["loss"] == pytest.approx(loss[1], rel=1e-8)
    terms = np.array([
        REPEATS["alpha"] * REPEATS["A"] * row["N"] ** -REPEATS["alpha"],
        -REPEATS["beta"] * REPEATS["B"] * row["D"] ** -REPEATS["beta"],
    ])  # fmt: skip
    assert found.multipliers.set_index("limit")["price"][binding] == pytest.approx(terms.sum(), rel=1e-6)
