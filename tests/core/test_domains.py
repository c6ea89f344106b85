"""Where a parameter may lie: read off its annotation, and kept by its search coordinate."""

from __future__ import annotations

from typing import Annotated

import jax
import pytest

import scaling_jax as sj


def test_domains_come_from_annotations_names_or_options() -> None:
    @sj.law(domains={"c": sj.Unit})
    def annotated(x: sj.NonNegative, *, a: sj.Positive, b: Annotated[jax.Array, sj.Interval(0, 2)], c, d):
        return a * x**b + c + d

    assert [d.name for d in annotated.label_domains] == ["positive", "in [0, 2]", "in [0, 1]", "real"]
    assert annotated.input_domains["x"].contains(0.0)
    assert annotated(0.0, a=1.0, b=0.5, c=0.1, d=0.2) == pytest.approx(0.3)
