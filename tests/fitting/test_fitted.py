"""The record of a fit: equal to itself alone, and what it says of its rows."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.simulated import LOSS, TABLE


def test_a_record_is_equal_to_itself_and_can_be_a_key(best: sj.FitResult) -> None:
    again = sj.fit(sj.laws.chinchilla, TABLE)
    assert best == best and best != again
    assert {best: 1, again: 2}[best] == 1


def test_residuals_are_prediction_over_target_on_logs(best: sj.FitResult) -> None:
    np.testing.assert_allclose(best.residuals, np.log(best.predict(TABLE) / LOSS), atol=1e-12)
    charge = float(np.sum(best.objective.rho(best.residuals)))
    assert best.objective_value == pytest.approx(charge, rel=1e-12)


def test_rows_without_weight_are_not_used() -> None:
    fit = sj.fit(sj.laws.power_law, {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.1]}, weights=[1, 1, 0])
    assert len(fit.data()) == 3 and len(fit.used().data()) == 2


NO_NUMBERS = {
    "dates": (pd.date_range("2020", periods=2), "dates"),
    "dates in a list": ([datetime.date(2020, 1, 1), 2.0], "dates"),
    "periods": (pd.period_range("2020", periods=2, freq="D"), "dates"),
    "spans of time": (pd.to_timedelta([1, 2], unit="h"), "spans of time"),
    "booleans": ([True, False], "true/false values"),
    "booleans among numbers": ([True, 2.0], "true/false values"),
    "one boolean": (True, "true/false values"),
    "nullable booleans": (pd.array([True, None], dtype="boolean"), "true/false values"),
    "complex numbers": (np.array([1 + 9j, 2.0]), "complex numbers"),
    "complex numbers as objects": (np.array([1 + 9j, 2.0], dtype=object), "complex numbers"),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number_is_not_predicted_from(name: str) -> None:
    fit = sj.fit(sj.laws.power_law, {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.1]})
    values, kind = NO_NUMBERS[name]
    with pytest.raises(sj.DataError, match=f"^Input x holds {kind}, not numbers: convert it to numbers"):
        fit.predict({"x": values})


def test_numbers_are_predicted_from_however_they_are_kept() -> None:
    fit = sj.fit(sj.laws.power_law, {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.1]})
    for values in ([1, 10], ["1", "10"], np.array([1, 10.0], dtype=object), pd.array([1, 10], dtype="Int64")):
        np.testing.assert_array_equal(fit.predict({"x": values}), fit.predict({"x": [1.0, 10.0]}))
    with pytest.raises(sj.DataError, match=r"^Input x must be positive and finite"):
        fit.predict({"x": pd.array([1, None], dtype="Int64")})


def test_the_unit_is_the_users_or_not_known() -> None:
    """The law's own is that of what it predicts: a perplexity or an accuracy is not measured in it."""
    N = np.geomspace(1e7, 1e9, 8)
    table = {"N": N, "loss": 1.7 + 90 * N**-0.3, "ppl": np.exp(1.7 + 90 * N**-0.3)}
    law = sj.laws.chinchilla
    table |= {"D": N[::-1] * 20}
    plain, said, other = (
        sj.fit(law, table, **words) for words in ({}, {"unit": "bits/byte"}, {"target": "ppl"})
    )
    assert plain.units["E"] == law.units["target"] == "nats/token" and plain.units["N"] == "parameters"
    assert said.units["E"] == said.units["target"] == "bits/byte" and "bits/byte" in said.summary()
    assert "E" not in other.units and "nats" not in other.summary()
    assert sj.FitResult.from_json(said.to_json()).units == said.units
    with pytest.raises(TypeError, match="unit=3: give the unit of the target as text"):
        sj.fit(law, table, unit=3)
