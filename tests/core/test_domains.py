"""Where a parameter may lie: read off its annotation, and kept by its search coordinate."""

from __future__ import annotations

from typing import Annotated

import jax
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.core.domains import NON_NEGATIVE, POSITIVE, REAL, UNIT, Domain


def test_domains_come_from_annotations_names_or_options() -> None:
    @sj.law(domains={"c": sj.Unit})
    def annotated(x: sj.NonNegative, *, a: sj.Positive, b: Annotated[jax.Array, sj.Interval(0, 2)], c, d):
        return a * x**b + c + d

    assert [d.name for d in annotated.label_domains] == ["positive", "in [0, 2]", "in [0, 1]", "real"]
    assert annotated.input_domains["x"].contains(0.0)
    assert annotated(0.0, a=1.0, b=0.5, c=0.1, d=0.2) == pytest.approx(0.3)


@pytest.mark.parametrize("domain", [POSITIVE, REAL, NON_NEGATIVE, UNIT, sj.Interval(0, 2)], ids=str)
def test_search_coordinates_lead_back_to_the_value(domain: Domain) -> None:
    inside = np.array([0.25, 0.5, 1.0])
    np.testing.assert_allclose(domain.to_natural(domain.to_search(inside)), inside, rtol=1e-6)
    assert domain.contains(inside).all() and not domain.contains([np.nan, np.inf]).any()


def test_closed_ends_belong_to_an_interval_and_zero_to_no_logarithm() -> None:
    assert sj.Interval(0, 2).contains([0.0, 2.0]).all()
    assert NON_NEGATIVE.contains(0.0) and not POSITIVE.contains(0.0)
    with pytest.raises(ValueError, match="lower < upper"):
        sj.Interval(2, 2)
