"""Evaluates a law for many parameter vectors on many rows, in float64, without recompiling for near sizes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.engine.compiled import quick_jit
from scaling_jax.engine.problem import bucket

__all__ = ["predict", "predict_paired", "predict_rows"]

FEWEST = (
    256  # rows one call evaluates: a few tables share a program, and more rows than they have cost nothing
)


@lru_cache(maxsize=256)
def _program(law: Law) -> Any:
    def one(numbers: Any, row: Any) -> Any:
        return law.apply(law.unflatten(numbers), row)

    return quick_jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))


def predict(law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Predictions (vectors, rows) of a law at flat parameter vectors (vectors, numbers) in natural units."""
    numbers = np.atleast_2d(np.asarray(numbers, dtype=np.float64))
    rows = len(next(iter(inputs.values())))
    most = bucket(len(numbers))
    per_call = max(8, min(most, 2**22 // bucket(rows, FEWEST)))
    padded = {
        name: _pad(np.asarray(inputs[name], dtype=np.float64), bucket(rows, FEWEST)) for name in law.inputs
    }
    parts = []
    with jax.enable_x64(True):
        for first in range(0, len(numbers), per_call):
            part = numbers[first : first + per_call]
            size = per_call if len(numbers) > per_call else most
            found = np.asarray(_program(law)(_pad(part, size), padded))
            parts.append(found[: len(part), :rows])
    return np.concatenate(parts)


@lru_cache(maxsize=64)
def _rows_program(law: Law) -> Any:
    return quick_jit(jax.vmap(lambda numbers, row: law.apply(law.unflatten(numbers), row)))


def predict_rows(law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Predictions (rows,) where every row has its own parameter vector, (rows, numbers) in natural units."""
    rows = len(numbers)
    if not rows:
        return np.zeros(0)
    per_call = min(bucket(rows, FEWEST), 2**16)
    parts = []
    with jax.enable_x64(True):
        for first in range(0, rows, per_call):
            part = slice(first, min(first + per_call, rows))
            columns = {
                name: _pad(np.asarray(inputs[name], dtype=np.float64)[part], per_call) for name in law.inputs
            }
            found = _rows_program(law)(_pad(np.asarray(numbers, dtype=np.float64)[part], per_call), columns)
            parts.append(np.asarray(found)[: part.stop - first])
    return np.concatenate(parts)


@lru_cache(maxsize=64)
def _paired_program(law: Law, fed: str) -> Any:
    def one(numbers: Any, value: Any, row: Any) -> Any:
        return law.apply(law.unflatten(numbers), {**row, fed: value})

    return quick_jit(jax.vmap(jax.vmap(one, (None, 0, 0)), (0, 0, None)))


def predict_paired(
    law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray], fed: str, values: np.ndarray
) -> np.ndarray:
    """Predictions (vectors, rows) where the input `fed` has its own values (vectors, rows) for every
    parameter vector."""
    count, rows = values.shape
    padded = {
        name: _pad(np.asarray(column, dtype=np.float64), bucket(rows, FEWEST))
        for name, column in inputs.items()
    }
    wide = _pad(_pad(values.T, bucket(rows, FEWEST)).T, bucket(count))
    with jax.enable_x64(True):
        found = _paired_program(law, fed)(_pad(np.atleast_2d(numbers), bucket(count)), wide, padded)
        return np.asarray(found)[:count, :rows]


def _pad(values: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[:1], size - len(values), axis=0)])
