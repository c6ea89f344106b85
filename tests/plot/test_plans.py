"""Pictures of plans draw the runs, optima and bands that the results hold."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import scaling_jax as sj

matplotlib.use("Agg")


def drawn(ax, label):
    return next(line for line in ax.get_lines() if line.get_label() == label)


@pytest.mark.parametrize("method", ["parabola", "akima"])
def test_isoflop_curves_pass_through_their_optima(our_sweep, method):
    found = sj.isoflop(our_sweep, budget="budget", N="n_params", D="tokens", method=method)
    ax = sj.plot.isoflop(found)
    stars = drawn(ax, "optimum")
    np.testing.assert_array_equal(stars.get_xydata(), found.inside[["N", "loss"]])
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in dots) == len(our_sweep)
    curves = [line for line in ax.get_lines() if line.get_marker() == "None"]
    for curve, (x, y) in zip(curves, stars.get_xydata(), strict=True):
        assert np.interp(np.log(x), np.log(curve.get_xdata()), curve.get_ydata()) == pytest.approx(
            y, rel=1e-3
        )
        assert curve.get_ydata().min() == pytest.approx(y, rel=1e-3)


def test_envelope_lies_on_the_lowest_curves(our_sweep):
    found = sj.envelope(our_sweep, run="run", N="n_params", D="tokens")
    ax = sj.plot.envelope(found)
    np.testing.assert_array_equal(
        drawn(ax, "best for its compute").get_xydata(), found.inside[["flops", "loss"]]
    )
    assert len(ax.get_lines()) == our_sweep["run"].nunique() + 1


def test_the_band_holds_the_power_law(our_sweep):
    found = sj.isoflop(our_sweep, budget="budget", N="n_params", D="tokens", run="run")
    draws = found.bootstrap(50, resample="run")
    ax = sj.plot.allocation(found, draws)
    np.testing.assert_array_equal(drawn(ax, "optima").get_xydata(), found.inside[["flops", "N"]])
    law = drawn(ax, f"N* grows as C^{found.exponents().loc['N', 'estimate']:.3f}")
    expected = draws.optimal(law.get_xdata())
    np.testing.assert_allclose(law.get_ydata(), expected["N"])
    corners = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert corners.min() == pytest.approx(expected["N_lower"].min())
    assert corners.max() == pytest.approx(expected["N_upper"].max())


def test_a_plan_is_its_columns():
    constants = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}
    table = sj.compute_optimal((sj.laws.chinchilla, constants), np.geomspace(1e20, 1e24, 9))
    table = table.assign(N_lower=0.8 * table["N"], N_upper=1.3 * table["N"])
    ax = sj.plot.plan(table, "N", label="printed")
    np.testing.assert_array_equal(drawn(ax, "printed").get_xydata(), table[["flops", "N"]])
    assert ax.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(table["N_upper"].max())
    assert ax.get_ylabel() == "best size N* (parameters)" and "90 % interval" in ax.get_title()
    with pytest.raises(ValueError, match="tokens_per_param"):
        sj.plot.plan(table, "compute")
