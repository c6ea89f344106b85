"""Views of schedules are sums over updates: exact for steps, and close for decays as the width falls."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.core.curves import Curve, CurveColumn, Rates
from tests.cases.schedules import CURVES

W = 2160


def by_definition(rates: np.ndarray, step: int, kernel, warmup: int = W) -> tuple[float, float]:
    """The sum of rates and the sum over falls, update by update."""
    summed = np.append(0.0, np.cumsum(rates))
    k = np.arange(1, step + 1)
    fall = np.append(0.0, rates)[k - 1] - rates[k - 1]
    fall[:warmup] = 0.0
    return summed[step], float(
        np.sum(fall * kernel(summed[step] - summed[k - 1], step - k + 1, rates[k - 1]))
    )


def of_view(view: Curve[np.ndarray], kernel) -> np.ndarray:
    return np.sum(view.fallen * kernel(view.since, view.updates_since, view.rate), axis=1)


def released(since, updates, rate):
    """About what the multi-power law makes of a fall."""
    return 1 - (1 + 2.0 * rate**-0.64 * since) ** -0.6


@pytest.mark.parametrize("name", ["constant_24000", "wsdcon_3", "wsdcon_18"])
def test_steps_are_exact(name):
    view = Rates(CURVES[name]).seen_from([3000, 8000, 8001, 14_000])
    for i, step in enumerate((3000, 8000, 8001, 14_000)):
        total, sum_ = by_definition(CURVES[name], step, released)
        assert view.total[i] == pytest.approx(total, rel=1e-14)
        assert of_view(view, released)[i] == pytest.approx(sum_, rel=1e-12, abs=1e-20)


@pytest.mark.parametrize("name", ["cosine_24000", "wsd_20000_24000", "wsdld_20000_24000"])
def test_the_error_of_a_decay_falls_as_the_square_of_the_stretches(name):
    steps = np.arange(20_100, 24_000, 390)
    exact = np.array([by_definition(CURVES[name], s, released)[1] for s in steps])
    errors = [
        np.abs(of_view(Rates(CURVES[name], knots=k).seen_from(steps), released) - exact).max()
        for k in (24, 96)
    ]
    # 364 nats per unit of rate are what the smallest published model releases: below 1e-4 nats
    assert 364 * errors[0] < 1e-4
    assert errors[1] < errors[0] / 8  # a quarter of the width is a sixteenth of the error, or nearly


def test_rises_after_the_warmup_count_against_falls():
    rates = np.r_[np.full(50, 1.0), np.full(50, 0.5), np.full(50, 0.8), np.linspace(0.8, 0.1, 60)]
    for step in (60, 120, 205):
        _, wanted = by_definition(rates, step, lambda a, u, r: 1 - np.exp(-u / 30), warmup=1)
        found = of_view(Rates(rates, knots=48).seen_from([step]), lambda a, u, r: 1 - np.exp(-u / 30))
        assert found[0] == pytest.approx(wanted, abs=2e-4)


def test_a_warmup_that_is_counted_counts_from_zero():
    view = Rates([0.25, 0.5, 0.5], warmup=0).seen_from([3])
    assert view.fallen.sum() == pytest.approx(-0.5)
    assert Rates([0.25, 0.5, 0.5]).seen_from([3]).fallen.sum() == 0.0


def test_a_column_takes_its_views_along():
    view = Rates([1.0, 1.0, 0.5, 0.25]).seen_from([2, 4])
    column = CurveColumn([0, 1, 1, 0], view)
    again = pickle.loads(pickle.dumps(column[1:3]))
    assert isinstance(again, CurveColumn) and again.tolist() == [1.0, 1.0]
    np.testing.assert_array_equal(again.views.fallen, view.fallen)
    # what is seen counts, and not where it stands in the list
    other = CurveColumn([1, 0, 0, 1], Curve.joined([Rates([1.0, 1.0, 0.5, 0.25]).seen_from([4, 2])]))
    assert other.tobytes() == column.tobytes() != column[::-1][1:].tobytes()


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ([1.0, np.nan], "nan at update 2"),
        ([1.0, -1.0], "-1.0 at update 2"),
        ([[1.0]], "an array of shape"),
        ([0.0, 0.0], "all rates are zero"),
    ],
)
def test_what_is_no_curve_is_told(rates, said):
    with pytest.raises(ValueError, match=said):
        Rates(rates)
    with pytest.raises(ValueError, match=said):
        sj.laws.tissue(1.0, rates, L0=1.0, A=1.0, alpha=1.0, C=1.0, span=1.0)
