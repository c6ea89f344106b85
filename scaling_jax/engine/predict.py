"""Evaluates a law for many parameter vectors on many rows, in float64, without recompiling for near sizes."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import numpy as np

from scaling_jax.core.arrays import Array, Named, Numbers
from scaling_jax.core.curves import Curve, seen
from scaling_jax.core.law import Law
from scaling_jax.core.settings import own_settings
from scaling_jax.engine.compiled import QUICK, Program, placed_on
from scaling_jax.engine.curves import curves_of
from scaling_jax.engine.devices import few_calls, host_if_small
from scaling_jax.engine.kept import kept
from scaling_jax.engine.padding import bucket, padded

__all__ = ["predict", "predict_paired", "predict_rows"]

# rows one call evaluates: a few tables share a program, and more rows than they have cost nothing
FEWEST = 256
CELLS_PER_CALL = 2**22
ROWS_PER_CALL = 2**16
ROWS_THERE = 2**22  # of an accelerator

Inputs = Mapping[str, Numbers]
Curves = Mapping[str, Curve[Numbers]]


def predict(law: Law, numbers: Numbers, inputs: Inputs) -> Numbers:
    """Predictions (vectors, rows) of a law at flat parameter vectors (vectors, numbers) in natural units."""
    return _crossed(law, numbers, {}, inputs, len(next(iter(inputs.values()))))


def predict_paired(law: Law, numbers: Numbers, inputs: Inputs, fed: str, values: Numbers) -> Numbers:
    """Predictions (vectors, rows) where each vector has values (vectors, rows) of its own for input `fed`."""
    return _crossed(law, numbers, {fed: values}, inputs, values.shape[1])


def predict_rows(law: Law, numbers: Numbers, inputs: Inputs) -> Numbers:
    """Predictions (rows,) where every row has its own parameter vector, (rows, numbers) in natural units."""
    if not len(numbers):
        return np.zeros(0)
    own = {name: _float(inputs[name]) for name in law.inputs}
    per_call = min(bucket(len(numbers), FEWEST), ROWS_THERE if few_calls(None) else ROWS_PER_CALL)
    program = _program(law, False, host_if_small(len(numbers)))
    return _in_calls(program, _float(numbers), own, {}, curves_of(law, inputs), per_call)


def _crossed(law: Law, numbers: Numbers, own: Inputs, inputs: Inputs, rows: int) -> Numbers:
    """Every vector on every row, where inputs of `own` (vectors, rows) differ from vector to vector."""
    numbers = np.atleast_2d(_float(numbers))
    curves = curves_of(law, {**inputs, **own})
    if rows <= ROWS_PER_CALL:
        return _on_block(law, numbers, own, inputs, curves, rows, slice(0, rows))
    out = np.empty((len(numbers), rows))
    for first in range(0, rows, ROWS_PER_CALL):
        block = slice(first, min(first + ROWS_PER_CALL, rows))
        out[:, block] = _on_block(law, numbers, own, inputs, curves, ROWS_PER_CALL, block)
    return out


def _on_block(
    law: Law, numbers: Numbers, own: Inputs, inputs: Inputs, curves: Curves, most: int, block: slice
) -> Numbers:
    """`_crossed` on some of the rows, in the program for `most` rows."""
    wide = bucket(most, FEWEST)
    shared = {name: padded(_float(inputs[name][block]), wide) for name in law.inputs if name not in own}
    filled = {name: padded(_float(values[:, block]).T, wide).T for name, values in own.items()}
    # of long tables no vector is computed for nothing
    together = len(numbers) if most == ROWS_PER_CALL else bucket(len(numbers))
    per_call = max(1, min(together, CELLS_PER_CALL // wide))
    program = _program(law, True, host_if_small(len(numbers) * wide))
    return _in_calls(program, numbers, filled, shared, curves, per_call)[:, : block.stop - block.start]


def _float(values: Numbers) -> Numbers:
    return np.asarray(values, dtype=np.float64)


@kept
def _program(law: Law, crossed: bool, device: jax.Device | None) -> Program[Array]:
    """The law for many vectors, each on all rows (crossed) or on the one row that is its own."""

    def one(numbers: Array, own: Named, shared: Named, curves: Mapping[str, Curve[Array]]) -> Array:
        return law.apply(law.unflatten(numbers), seen(shared | own, curves))

    over_rows = jax.vmap(one, (None, 0, 0, None)) if crossed else one
    return Program(jax.vmap(over_rows, (0, 0, None, None)), QUICK, device, placed_on(device))


def _in_calls(
    program: Program[Array], numbers: Numbers, own: Inputs, shared: Inputs, curves: Curves, per_call: int
) -> Numbers:
    """A program over all vectors and what is their own, so many in a call; the last call is filled up."""
    parts = []
    with own_settings():
        for first in range(0, len(numbers), per_call):
            part = slice(first, first + per_call)
            mine = {name: padded(values[part], per_call) for name, values in own.items()}
            found = program.fetched(padded(numbers[part], per_call), mine, shared, curves)
            parts.append(found[: len(numbers) - first])
    return np.concatenate(parts)
