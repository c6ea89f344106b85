"""Numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_jax.reporting.numbers import COUNT, FLOP, PLAIN, between, written

LETTER = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (7e9, COUNT, "7B"),
        (999.96e6, COUNT, "1B"),
        (1.4e12, COUNT, "1.4T"),
        (12.0, COUNT, "12"),
        (5190, COUNT, "5.19K"),
        (1e15, COUNT, "1e15"),
        (5000, FLOP, "5000"),
        (2e7, PLAIN, "2e7"),
        (5.76e24, FLOP, "5.76e24"),
        (1.98765, PLAIN, "1.988"),
        (0.0, PLAIN, "0"),
        (-3.2e-7, PLAIN, "-3.2e-7"),
        (float("inf"), COUNT, "infinite"),
        (float("nan"), PLAIN, ""),
    ],
)
def test_written(value: float, kind: str, words: str) -> None:
    assert written(value, kind) == words


@given(st.floats(1.0, 1e20), st.sampled_from(["count", "flop", "plain"]))
def test_what_is_written_is_the_number(value: float, kind: str) -> None:
    words = written(value, kind)
    number = float(words[:-1]) * LETTER[words[-1]] if words[-1] in LETTER else float(words)
    assert number == pytest.approx(value, rel=0.0051)


def test_an_interval_has_both_ends() -> None:
    assert between(1.218, float("inf")) == "1.218 to infinite"
