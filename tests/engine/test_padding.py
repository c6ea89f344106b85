"""Near counts share a size, and an array filled up to it keeps its rows."""

from __future__ import annotations

import numpy as np

from scaling_jax.engine.padding import bucket, padded


def test_a_bucket_is_a_power_of_two_or_one_and_a_half_of_it() -> None:
    assert [bucket(n) for n in (1, 8, 9, 13, 100, 237, 240)] == [8, 8, 12, 16, 128, 256, 256]
    assert bucket(3, smallest=100) == 128


def test_padding_repeats_the_first_row() -> None:
    rows = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(padded(rows, 5), rows[[0, 1, 2, 0, 0]])
    assert padded(rows, 3).tolist() == rows.tolist()
