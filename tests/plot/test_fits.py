"""Pictures of fits show the runs and the law, change no style, and say what they drew as a table."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

import scaling_jax as sj

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def fit() -> sj.FitResult:
    runs = sj.datasets.load("tiny_sweep")
    return sj.fit(
        sj.laws.chinchilla,
        runs,
        inputs={"N": "n_params", "D": "tokens"},
        run="run",
        where="arm == 'main' and final",
    )


def test_curves_hold_every_run_and_pass_near_them(fit: sj.FitResult) -> None:
    before = dict(matplotlib.rcParams)
    table = sj.plot.curve_data(fit, "D")
    assert (table["kind"] == "run").sum() == len(fit.data())
    assert table["curve"].nunique() == 11, "eleven model sizes"
    ax = sj.plot.curves(fit, "D")
    assert len(ax.get_lines()) == 22 and ax.get_xlabel() == "tokens" and ax.get_ylabel() == "loss"
    assert dict(matplotlib.rcParams) == before


def test_residuals_are_the_fits_own(fit: sj.FitResult) -> None:
    np.testing.assert_array_equal(sj.plot.residual_data(fit)["residual"], fit.residuals)
    assert sj.plot.residuals(fit).get_xlabel() == "prediction"


def test_an_unknown_axis_is_named(fit: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="has the inputs N, D"):
        sj.plot.curves(fit, "C")


def test_every_run_is_shown_where_sizes_never_repeat() -> None:
    N = np.geomspace(1e6, 1e9, 40)
    D = np.geomspace(1e8, 1e10, 40)[np.random.default_rng(0).permutation(40)]
    fit = sj.fit(
        sj.laws.chinchilla,
        {"N": N, "D": D, "loss": sj.laws.chinchilla(N, D, E=1.7, A=400, B=400, alpha=0.34, beta=0.28)},
    )
    table = sj.plot.curve_data(fit)
    assert (table["kind"] == "run").sum() == 40
    assert table["curve"].nunique() == 12 and table["curve"].iloc[0] == "N near 1e+06"
    np.testing.assert_allclose(sorted(table.loc[table["kind"] == "run", "x"]), sorted(D))
