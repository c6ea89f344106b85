"""Tails of distributions, as printed in tables of statistics."""

from __future__ import annotations

import pytest

from scaling_jax.uncertainty.tails import erf, f_tail, normal_quantile


def test_tabled_values() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.6449, abs=5e-5)
    assert normal_quantile(0.5) == 0.0
    assert f_tail(4.96, 1, 10) == pytest.approx(0.05, abs=1e-4)  # F of 1 and 10 at 5 %
    assert f_tail(2.228**2, 1, 10) == pytest.approx(0.05, abs=1e-4)  # which is Student's t, both sides
    assert f_tail(3.33, 5, 10) == pytest.approx(0.05, abs=2e-4)
    assert erf(1.0) == pytest.approx(0.842701, abs=1e-6)
