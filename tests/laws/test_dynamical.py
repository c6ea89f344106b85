"""The dynamical model's exponents, as Bordelon et al. 2024 have them."""

from __future__ import annotations

import pytest

import scaling_jax as sj


def test_exponents_of_the_dynamical_model():
    found = sj.laws.bordelon_exponents(a=1.15, b=2.0)
    assert found == pytest.approx((0.075, 0.15, 0.15, 2 / 3, 1 / 3, 0.05), rel=1e-6)
