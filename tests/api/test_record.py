"""A fit as JSON: everything but the rows comes back."""

from __future__ import annotations

import json

import numpy as np
import pytest

import scaling_jax as sj
from tests.cases.simulated import TABLE, fit


def test_a_fit_comes_back_with_its_numbers_and_certificate(best: sj.FitResult) -> None:
    again = sj.FitResult.from_json(best.to_json())
    np.testing.assert_array_equal(again.numbers, best.numbers)
    np.testing.assert_array_equal(again.predict(TABLE), best.predict(TABLE))
    assert (again.status, again.n_agree, again.warnings) == (best.status, best.n_agree, best.warnings)
    assert again.fingerprint == best.fingerprint
    assert repr(again.certificate) == repr(best.certificate)  # as text, since a missing number is not equal


def test_what_was_fixed_tied_and_chosen_comes_back() -> None:
    how = {"fixed": {"E": 1.8}, "tied": [("alpha", "beta")], "objective": sj.SquaredError()}
    again = sj.FitResult.from_json(fit(**how).to_json())
    assert (again.fixed, again.tied, again.objective) == (how["fixed"], how["tied"], how["objective"])


def test_a_law_made_to_order_is_made_again() -> None:
    law = sj.laws.power_product("x")
    made = sj.fit(law, {"x": [1.0, 10.0, 100.0], "y": [4.0, 2.0, 1.0]})
    assert sj.FitResult.from_json(made.to_json()).law == law


def test_another_format_is_refused(best: sj.FitResult) -> None:
    text = json.dumps(json.loads(best.to_json()) | {"format": 99})
    with pytest.raises(ValueError, match="has format 99; this version reads format 1"):
        sj.FitResult.from_json(text)


def test_rows_are_asked_for_where_an_answer_needs_them(best: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="with_data"):
        sj.FitResult.from_json(best.to_json()).bootstrap(5)
