"""Residuals are the fit's own, and their trend is the one that adequacy decides upon."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.diagnosis.adequacy import look


def test_the_numbers_are_the_fits_own(best: sj.FitResult) -> None:
    table = sj.plot.residual_data(best)
    np.testing.assert_array_equal(table["residual"], best.residuals)
    np.testing.assert_allclose(np.log1p(table["miss"]), best.residuals, atol=1e-12)
    np.testing.assert_allclose(table["compute"], 6 * table["N"] * table["D"])
    ax = sj.plot.residuals(best)
    assert ax.get_xlabel() == "predicted loss" and ax.get_ylabel() == "law above the run (%)"


def test_the_trend_goes_through_the_medians_that_adequacy_shows() -> None:
    runs = sj.datasets.load("tiny_sweep")
    fit = sj.fit(
        sj.laws.chinchilla, runs, inputs={"N": "n_params", "D": "tokens"}, where="arm == 'main' and final"
    )
    trend = max(sj.plot.residuals(fit).get_lines(), key=lambda line: line.get_zorder())
    shown = look(fit).table
    row = shown[shown["along"].str.contains("predict")].iloc[0]
    fifths = row[["lowest", "low", "middle", "high", "highest"]].astype(float)
    np.testing.assert_allclose(trend.get_ydata(), fifths, atol=1e-9)


def test_there_is_a_panel_for_everything_that_is_known(best: sj.FitResult, line: sj.FitResult) -> None:
    axes = sj.plot.residual_panels(best)
    said = [ax.get_xlabel() for ax in axes]
    assert len(axes) == 5 and said[0] == "predicted loss" and said[3] == "tokens per parameter D / N"
    assert len(sj.plot.residual_panels(line)) == 2


def test_an_unknown_axis_is_named(best: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="use one of prediction, N, D, D / N, compute"):
        sj.plot.residuals(best, "width")
