"""Sizes that near counts share, and how a shorter array is brought to one: so that few programs compile."""

from __future__ import annotations

import numpy as np

from scaling_jax.core.arrays import Numbers

__all__ = ["bucket", "few_lengths", "padded"]

MANY = 4096  # whose doubling is no small work
BUCKETS = sorted({int(base * 2**p) for p in range(3, 40) for base in (1, 1.5)})


def bucket(n: int, smallest: int = 8) -> int:
    """The padded size for n items: a power of two, or one and a half of it.

    >>> [bucket(n) for n in (1, 9, 100)]
    [8, 12, 128]
    """
    return next(b for b in BUCKETS if b >= max(n, smallest))


def few_lengths(n: int) -> int:
    """The padded size where little is computed, so that most tables share one: a power of two from 64 up.

    >>> [few_lengths(n) for n in (1, 64, 100, 240)]
    [64, 64, 128, 256]
    """
    return bucket(n) if n > MANY else max(64, 1 << (n - 1).bit_length())


def padded(values: Numbers, size: int) -> Numbers:
    """An array filled up to `size` rows with copies of its first: harmless wherever a row is computed alone.

    >>> padded(np.array([3, 5]), 4).tolist()
    [3, 5, 3, 3]
    """
    return np.concatenate([values, np.repeat(values[:1], size - len(values), axis=0)])
