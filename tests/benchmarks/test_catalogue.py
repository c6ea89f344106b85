"""Figures of the catalogue that no other test holds, each by the benchmark's own part."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks import catalogue
from benchmarks.catalogue import Figure

HERE = {
    "timescale": catalogue.timescale,
    "vocabularies": catalogue.logarithmic,
    "five_domains": partial(catalogue.five_domains, most=1),
    "scored": catalogue.scored,
}


@pytest.mark.parametrize("part", HERE)
def test_published_figures_are_reached(part: str, shared) -> None:
    found = list(HERE[part](shared("sldbench").parent))
    assert found and all(figure.holds for figure in found), catalogue.told(found).to_string()


def test_an_objective_may_be_lower_and_a_figure_may_not() -> None:
    assert catalogue.objective("law", "charge", 1.0, 0.5).holds
    assert not catalogue.objective("law", "charge", 1.0, 1.00001).holds
    assert Figure("law", "R2", 0.9, 0.9005, 1e-3).holds and not Figure("law", "R2", 0.9, 0.902, 1e-3).holds
