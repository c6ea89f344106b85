"""Objectives charge what their formulas say, on the scale they are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scaling_jax as sj
from scaling_jax.core.objective import objective_from_dict

RESIDUAL = st.floats(-10, 10)


@given(r=RESIDUAL, delta=st.floats(1e-6, 5))
def test_huber_is_quadratic_inside_and_linear_outside(r: float, delta: float) -> None:
    expected = r**2 / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)
    assert float(sj.Huber(delta).rho(r)) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@given(r=RESIDUAL)
def test_limits_of_the_kernel(r: float) -> None:
    assert float(sj.SquaredError().rho(r)) == pytest.approx(r**2, rel=1e-12, abs=1e-300)
    assert float(sj.AbsoluteError().rho(r)) == abs(r)
    assert float(sj.Huber(1e-9).rho(r)) / 1e-9 == pytest.approx(abs(r), abs=1e-9)
    assert float(sj.Asymmetric(over=4.0).rho(r)) == pytest.approx(4 * r if r > 0 else -r)


@pytest.mark.parametrize(
    "objective", [sj.Huber(0.02, on="raw"), sj.SquaredError(), sj.AbsoluteError(), sj.Asymmetric(3.0, 0.1)]
)
def test_objectives_survive_a_dictionary(objective) -> None:
    assert objective_from_dict(objective.to_dict()) == objective


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sj.Huber(0.0), "threshold must be positive"),
        (lambda: sj.Huber(-1.0), "threshold must be positive"),
        (lambda: sj.SquaredError(on="log10"), "taken on 'log' or on 'raw'"),
        (lambda: sj.Asymmetric(over=0.0), "over > 0"),
        (lambda: sj.Huber("a"), "delta='a'"),
        (lambda: sj.Huber(None), "delta=None"),
        (lambda: sj.Huber(2**2000), "must be positive, a number"),
        (lambda: sj.Asymmetric(over="a"), "over > 0"),
        (lambda: sj.Asymmetric(delta=float("nan")), "delta >= 0"),
    ],
)
def test_impossible_objectives_are_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_over_prediction_is_avoided_by_the_asymmetric_loss() -> None:
    x = np.linspace(1, 2, 21)
    noise = np.random.default_rng(0).normal(0, 0.1, 21)

    @sj.law
    def level(x, *, c: sj.Positive):
        return c + 0.0 * x

    symmetric = sj.fit(level, {"x": x, "loss": 3 + noise}, objective=sj.AbsoluteError(on="raw"))
    assert symmetric.params["c"] == pytest.approx(np.median(3 + noise), abs=1e-6)
    careful = sj.fit(level, {"x": x, "loss": 3 + noise}, objective=sj.Asymmetric(over=9.0, on="raw"))
    # over-prediction weighted 9:1 puts the optimum at the tenth percentile
    low, high = np.sort(3 + noise)[[1, 3]]
    assert low <= careful.params["c"] <= high
