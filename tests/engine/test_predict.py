"""Laws evaluated for many vectors and rows, padded and in pieces, are the laws."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine.predict import predict, predict_paired, predict_rows

LAW = sj.laws.power_law_floor
RNG = np.random.default_rng(0)


def expected(numbers: np.ndarray, x: np.ndarray) -> np.ndarray:
    E, A, alpha = numbers.T
    return E + A * x**-alpha


@pytest.mark.parametrize(("vectors", "rows"), [(1, 1), (3, 300), (40, 7), (2, 2**16 + 3)])
def test_every_vector_on_every_row(vectors: int, rows: int) -> None:
    numbers, x = RNG.uniform(0.1, 1.0, (vectors, 3)), RNG.uniform(1, 100, rows)
    np.testing.assert_allclose(predict(LAW, numbers, {"x": x}), expected(numbers, x[:, None]).T, rtol=1e-12)


@pytest.mark.parametrize("rows", [0, 5, 2**16 + 3])
def test_every_row_with_a_vector_of_its_own(rows: int) -> None:
    """The last is more than one call evaluates."""
    numbers, x = RNG.uniform(0.1, 1.0, (rows, 3)), RNG.uniform(1, 100, rows)
    np.testing.assert_allclose(predict_rows(LAW, numbers, {"x": x}), expected(numbers, x), rtol=1e-12)


def test_an_input_may_have_its_own_values_for_every_vector() -> None:
    numbers, x = RNG.uniform(0.1, 1.0, (4, 3)), RNG.uniform(1, 100, (4, 6))
    found = predict_paired(LAW, numbers, {}, "x", x)
    one_by_one = [expected(n, row) for n, row in zip(numbers, x, strict=True)]
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12)
