"""What ships and how it is written and read."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.forecasting.calibration import Calibration, nothing_learned, shipped
from scaling_jax.forecasting.defaults import default_laws


def test_json_round_trip() -> None:
    again = Calibration.from_json(shipped().to_json())
    assert again.to_json() == shipped().to_json()
    np.testing.assert_array_equal(again.widths, shipped().widths)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"widths": {}}', '{"widths": 3}'])
def test_other_text_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="no calibration"):
        Calibration.from_json(text)


@pytest.mark.parametrize("names", [("N", "D"), ("x",)])
def test_default_laws_are_known_of_before_and_after(names: tuple[str, ...]) -> None:
    for law in default_laws(names):
        before, after = nothing_learned().population(law), shipped().population(law)
        assert before is not None and after is not None
        assert (after.sd < 1.2 * before.sd).all()  # families say more than the first belief
    with pytest.raises(ValueError, match="no default laws"):
        default_laws(("N", "U"))


def test_a_law_of_the_same_name_with_other_numbers_borrows_nothing() -> None:
    @sj.law
    def chinchilla(N, D, *, A: sj.Positive):
        return A / N / D

    assert shipped().population(chinchilla) is None
