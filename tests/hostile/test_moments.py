"""A slice of the interrupts: a fit and a bootstrap, in threads and cut off."""

from __future__ import annotations

import numpy as np

from tests.hostile import moments


def test_four_threads_find_what_one_finds() -> None:
    assert moments.in_threads("bootstrap", threads=4)


def test_after_an_interrupt_everything_is_as_before() -> None:
    seen = moments.interrupted("fit", 4, np.random.default_rng(0))
    assert seen["wrong"] == []
