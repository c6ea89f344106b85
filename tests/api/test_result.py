"""Looking at a fit computes nothing, and asking computes once."""

from __future__ import annotations

import pytest

import scaling_jax as sj
from tests.cases.simulated import fit


@pytest.fixture
def nothing_is_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args, **kwargs):
        raise AssertionError("this was to be free")

    for name in ("scaling_jax.fitting.refits.solve", "scaling_jax.fitting.members.solve"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr("scaling_jax.fitting.refits.search_replicates", refuse)


def test_looking_at_a_fit_refits_nothing(best: sj.FitResult, nothing_is_solved) -> None:
    for look in (repr, str, sj.FitResult.summary, sj.FitResult._repr_html_, sj.FitResult.to_json):
        assert "chinchilla" in look(best)
    assert best.stderr.notna().all() and best.warnings == []


def test_intervals_are_computed_once(request: pytest.FixtureRequest) -> None:
    own = fit()
    first = own.conf_int()
    request.getfixturevalue("nothing_is_solved")
    assert own.conf_int().equals(first)
    assert own.conf_int(0.5)["lower"].gt(first["lower"]).all()
