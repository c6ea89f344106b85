"""A set of printed constants that does not fit its law is refused."""

from __future__ import annotations

import pytest

import scaling_jax as sj
from scaling_jax.published import Entry, Published


def test_an_entry_that_does_not_fit_its_law_is_refused():
    good = {
        "key": "x",
        "law": sj.laws.power_law,
        "params": {"A": 1.0, "alpha": 0.5},
        "cite": "",
        "range": {"x": (1.0, 2.0)},
    }
    assert Entry(**good)(4.0) == 0.5 and Entry(**good)(4.0, alpha=0.0) == 1.0
    for wrong in ({"params": {"A": 1.0}}, {"range": {"N": (1.0, 2.0)}}, {"units": {"beta": "nats"}}):
        with pytest.raises(ValueError, match="Constants 'x' have"):
            Entry(**(good | wrong))
    with pytest.raises(ValueError, match="called 'x'"):
        Published([Entry(**good), Entry(**good)])
