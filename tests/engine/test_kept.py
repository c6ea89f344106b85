"""Compiled programs are kept within a bound, the oldest go first, and all of them on request."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine import kept
from scaling_jax.engine.kept import MAPS, clear_caches


def law_of(shift: float) -> sj.Law:
    @sj.law
    def mine(x, *, A: sj.Positive, alpha: sj.Real):
        return A * (x + shift) ** -alpha

    return mine


def fitted(law: sj.Law) -> float:
    x = np.geomspace(1, 100, 12)
    return sj.fit(law, {"x": x, "loss": 5 * x**-0.3}).objective_value


def test_a_program_is_made_once_and_again_after_all_were_let_go() -> None:
    made = []

    @kept.kept
    def program(what: str) -> list[str]:
        made.append(what)
        return [what]

    assert program("a") is program("a") and made == ["a"]
    clear_caches()
    assert program("a") == ["a"] and made == ["a", "a"]


def test_the_oldest_go_first(monkeypatch) -> None:
    clear_caches()
    monkeypatch.setattr(kept, "_maps_now", lambda: None)  # each then counts as many as usual
    monkeypatch.setattr(kept, "MOST_MAPS", 5 * kept.MAPS_EACH)
    made = []

    @kept.kept
    def program(number: int) -> list[int]:
        made.append(number)
        return [number]

    for number in range(5):
        program(number)
    program(0)  # used again: the youngest now
    program(5)  # one too many
    assert made == [0, 1, 2, 3, 4, 5]
    for number in (0, 4, 5, 1):
        program(number)
    assert made == [0, 1, 2, 3, 4, 5, 1]


@pytest.mark.skipif(not MAPS.exists(), reason="memory maps are counted on Linux")
def test_law_after_law_stays_within_the_bound_and_answers_stay(monkeypatch) -> None:
    clear_caches()
    before = fitted(law_of(0.0))
    laws = [law_of(shift) for shift in (0.1, 0.2)]
    monkeypatch.setattr(kept, "MOST_MAPS", 120)  # two laws' programs
    for law in laws:
        fitted(law)
        assert sum(kept._KEPT.maps.values()) <= 120
    assert fitted(law_of(0.0)) == before


def test_what_was_let_go_is_free() -> None:
    law = law_of(0.5)
    fitted(law)
    programs = [weakref.ref(program) for key, program in kept._KEPT.programs.items() if law in key[1]]
    assert len(programs) >= 3
    clear_caches()
    gc.collect()
    assert not any(program() for program in programs)
