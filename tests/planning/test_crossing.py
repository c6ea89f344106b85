"""Critical fine-tuning size: Zhang et al.'s exponents, and the search held to the closed form."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

LAW = sj.laws.zhang_multiplicative
FULL = {"E": 0.75, "A": 1.2e5, "alpha": 0.52, "beta": 0.15}
PROMPT = {"E": 0.62, "A": 3.9e3, "alpha": 0.40, "beta": 0.051}
LORA = {"E": 0.62, "A": 2.1e3, "alpha": 0.36, "beta": 0.081}
SIZES = np.logspace(9, 10.2, 5)


@pytest.mark.parametrize(("other", "gamma"), [(PROMPT, -1.21), (LORA, -2.3)])
def test_exponents_of_english_to_german(other, gamma):
    """The tolerance covers the two digits of the printed constants."""
    found = sj.critical_size((LAW, FULL), (LAW, other | {"E": FULL["E"]}), SIZES)
    assert np.polyfit(np.log(SIZES), np.log(found["D_f"]), 1)[0] == pytest.approx(gamma, abs=0.15)


@pytest.mark.parametrize("other", [PROMPT, LORA])
def test_the_search_finds_the_closed_form(other):
    closed = sj.critical_size((LAW, FULL), (LAW, other | {"E": FULL["E"]}), SIZES)
    searched = sj.critical_size((LAW, FULL), (LAW, other | {"E": np.nextafter(FULL["E"], 1)}), SIZES)
    # rounding of a loss near 1 over beta's difference
    np.testing.assert_allclose(searched["D_f"], closed["D_f"], rtol=1e-9)


def test_losses_are_equal_at_the_crossing_and_absent_ones_are_said():
    found = sj.critical_size((LAW, FULL), (LAW, FULL | {"E": 0.80, "A": 1e5}), SIZES)
    crossed = found[found["crossings"] > 0]
    assert len(crossed)
    np.testing.assert_allclose(
        LAW(crossed["X"].to_numpy(), crossed["D_f"].to_numpy(), **FULL | {"E": 0.80, "A": 1e5}),
        crossed["loss"],
    )
    never = sj.critical_size((LAW, FULL), (LAW, FULL | {"E": 0.80}), SIZES)
    assert never["D_f"].isna().all() and (never["crossings"] == 0).all()
