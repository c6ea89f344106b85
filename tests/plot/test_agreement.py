"""Predicted against measured shows every row fitted or held out, with its interval."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj


def test_rows_are_the_fits_and_the_holdouts_own(best: sj.FitResult) -> None:
    held = {"N": [1e10, 3e10], "D": [2e11, 6e11], "loss": [2.1, 2.0]}
    table = sj.plot.predicted_data(best, held)
    own, out = table[table["kind"] == "fitted"], table[table["kind"] == "held out"]
    np.testing.assert_allclose(np.log(own["predicted"] / own["measured"]), best.residuals)
    expected = best.predict(held, interval="prediction")
    np.testing.assert_array_equal(
        out[["predicted", "lower", "upper"]], expected[["prediction", "lower", "upper"]]
    )
    np.testing.assert_array_equal(out["measured"], [2.1, 2.0])


def test_a_backtest_is_shown_by_the_fit_that_did_not_see_its_rows(best: sj.FitResult) -> None:
    test = best.backtest()
    table = sj.plot.predicted_data(best, test)
    assert len(table) == len(best.data()) and (table["kind"] == "held out").sum() == len(test.table)
    ax = sj.plot.predicted(best, test)
    assert any(f"{len(test.table)} held out" in text.get_text() for text in ax.texts)
    assert ax.get_xlim() == ax.get_ylim()


def test_a_holdout_without_its_answers_is_refused(best: sj.FitResult) -> None:
    with pytest.raises(sj.DataError, match="lacks the column 'loss'"):
        sj.plot.predicted(best, {"N": [1e10], "D": [2e11]})
