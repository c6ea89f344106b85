"""Hostile calls that once ended in somebody else's traceback: each is answered now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.calls import Attack, attacks, attempt
from tests.hostile.values import Make
from tests.hostile.walk import doors

FOUND = [
    ("sj.approaches", {"**nonsense": "-(2**63)"}),
    ("sj.contrast", {"given": "a space", "by": "a function of nothing"}),
    ("sj.cost.Cost", {"terms": "-(2**63)"}),
    ("sj.cost.Cost", {"terms": "text that is code (a lambda)"}),
    ("sj.cost.Cost", {"terms": "an array with a negative stride"}),
    ("sj.cost.moe", {"active": "10**400"}),
    ("sj.cost.precision", {"D": "a timedelta"}),
    ("sj.evaluate.decisions", {"by": "-(2**63)"}),
    ("sj.evaluate.decisions", {"inputs": "-(2**63)"}),
    ("sj.evaluate.decisions", {"inputs": "an index"}),
    ("sj.evaluate.decisions", {"methods": "a mapping of a number"}),
    ("sj.evaluate.decisions", {"target": "a timedelta"}),
    ("sj.next_runs", {"candidates": "a function of nothing"}),
    ("sj.next_runs", {"candidates": "text from right to left"}),
    ("sj.plan", {"better": "an empty Series"}),
    ("sj.precision_for", {"**nonsense": "-(2**63)"}),
    ("Approaches.disagreements", {"flops": "a function of nothing"}),
    ("Approaches.disagreements", {"flops": "a masked array"}),
    ("Chain.predict", {"other": "'x' is a lone surrogate"}),
    ("Contrast.__getitem__", {"column": "-(2**63)"}),
    ("Contrast.__getitem__", {"column": "a function of nothing"}),
    ("Cost.times", {"unit": "an index"}),
    ("Cost.value", {"inputs": "-(2**63)"}),
    ("Cost.value", {"numbers": "some word"}),
    ("FitResult.check", {"new_runs": "column 'loss' holds 10**400"}),
    ("FitResult.hessians_together", {"self": "a failed fit"}),
    ("Forecast.as_source", {"draws": "a frame with a column twice"}),
    ("Forecast.cdf", {"values": "-(2**63)"}),
    ("Forecast.cdf", {"values": "a frame with a column twice"}),
    ("Forecast.draws", {"n": "a frame with a column twice"}),
    ("Forecast.predict", {"interval": "an index"}),
    ("Forecast.quantile", {"share": "a list of words"}),
    ("Forecast.quantile", {"share": "an array of dates"}),
    ("Law.apply", {"params": "column 'loss' is float16"}),
    ("Plan.smaller", {"of": "some word"}),
    ("PlanGroups.__getitem__", {"key": "some word"}),
    ("sj.plot.heat", {"table": "column 'sizes' holds an object"}),
    ("sj.report", {"title": "an index"}),
    ("Adequacy.report", {"format": "an empty Series"}),
    ("sj.plot.precision", {"table": "numbered columns"}),
    ("SweepOptima.bootstrap", {"n": "-(2**63)"}),
    ("SweepOptima.bootstrap", {"seed": "a mapping of a number"}),
    ("SweepOptima.predict", {"**nonsense": "a date"}),
]


def made(door: str, attack: dict[str, str]) -> Attack:
    """An attack by the words that the adversary has for it."""
    known = attacks(doors()[door])

    def make(name: str, what: str) -> Make:
        return next(kind[what] for kind in known[name] if what in kind)

    values = tuple((name, make(name, what)) for name, what in attack.items())
    return Attack(doors()[door], "; ".join(f"{name}: {what}" for name, what in attack.items()), values)


@pytest.mark.parametrize(("door", "attack"), FOUND, ids=lambda given: str(given))
def test_what_was_found_is_answered(door: str, attack: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "inner" / "most"
    folder.mkdir(parents=True)
    outcome = attempt(made(door, attack), folder)
    assert outcome.is_good, outcome
