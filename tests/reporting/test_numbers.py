"""Numbers as people write them."""

from __future__ import annotations

import pytest

from scaling_jax.reporting.numbers import COUNT, FLOP, PLAIN, between, written


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (7e9, COUNT, "7B"),
        (999.96e6, COUNT, "1B"),
        (1.4e12, COUNT, "1.4T"),
        (12.0, COUNT, "12"),
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


def test_an_interval_has_both_ends() -> None:
    assert between(1.218, float("inf")) == "1.218 to infinite"
