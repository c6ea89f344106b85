"""Evaluates a law for many parameter vectors on many rows, in float64, without recompiling for near sizes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.engine.problem import bucket
from scaling_jax.law import Law

__all__ = ["predict"]


@lru_cache(maxsize=256)
def _program(law: Law) -> Any:
    def one(numbers: Any, row: Any) -> Any:
        return law.apply(law.unflatten(numbers), row)

    return jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))


def predict(law: Law, numbers: np.ndarray, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Predictions (vectors, rows) of a law at flat parameter vectors (vectors, numbers) in natural units."""
    numbers = np.atleast_2d(np.asarray(numbers, dtype=np.float64))
    rows = len(next(iter(inputs.values())))
    most = bucket(len(numbers))
    per_call = max(8, min(most, 2**22 // bucket(rows)))
    padded = {name: _pad(np.asarray(inputs[name], dtype=np.float64), bucket(rows)) for name in law.inputs}
    parts = []
    with jax.enable_x64(True):
        for first in range(0, len(numbers), per_call):
            part = numbers[first : first + per_call]
            size = per_call if len(numbers) > per_call else most
            found = np.asarray(_program(law)(jnp.asarray(_pad(part, size)), padded))
            parts.append(found[: len(part), :rows])
    return np.concatenate(parts)


def _pad(values: np.ndarray, size: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[:1], size - len(values), axis=0)])
