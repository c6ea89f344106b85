"""What a traced function computes, in bytes: the same in every process, others where anything differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.extend import core as jex

from scaling_jax.core.arrays import Array, Numbers
from scaling_jax.core.law import Law
from scaling_jax.core.settings import traced_apart
from scaling_jax.engine.coordinates import named_numbers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["as_bytes", "law_in_bytes", "says_all", "told"]

ADDRESS = re.compile(r" at 0x\w+")
RULE_OF_DERIVATIVES = "jvp_jaxpr_fun"  # of a function with its own derivative, which a trace of that shows
OUTSIDE = ("callback", "ffi_call", "infeed", "outfeed", "custom_vjp")


def told(traced: jex.ClosedJaxpr) -> Iterator[bytes]:
    """The steps, without the addresses that differ between processes, and every number they hold, exactly."""
    yield ADDRESS.sub("", str(traced)).encode()
    for value in _numbers(traced):
        yield as_bytes(value)


def as_bytes(values: ArrayLike) -> bytes:
    """Numbers by type, shape and every digit; not-a-number has many patterns of bits, and counts as one."""
    values = np.asarray(values)
    if values.dtype.kind in "fc":
        values = np.where(np.isnan(values), np.nan, values)
    return f"{values.dtype} {values.shape} ".encode() + values.tobytes()


def says_all(traced: jex.ClosedJaxpr) -> bool:
    """Whether nothing is computed by what only this process knows: callbacks, effects, rules in Python."""
    return not traced.effects and all(_plain(step) for step in _steps(traced))


def law_in_bytes(law: Law, dtype: str) -> bytes | None:
    """What a law computes for one run, with its first two derivatives; None where a trace does not say all.

    The derivatives are there because a function may have a rule for its own, which its steps do not show.
    """

    def value(x: Array, row: dict[str, Array]) -> Array:
        return law.apply(named_numbers(law, x), row)

    def twice(x: Array, row: dict[str, Array], along: Array) -> object:
        def once(x: Array) -> tuple[Array, Array]:
            return jax.jvp(lambda x: value(x, row), (x,), (along,))

        return jax.jvp(once, (x,), (along,))

    numbers, one = (jax.ShapeDtypeStruct(shape, dtype) for shape in ((len(law.labels),), ()))
    row = law.one_row(one)

    def traced() -> list[jex.ClosedJaxpr]:
        with jax.enable_x64(True):
            return [jax.make_jaxpr(value)(numbers, row), jax.make_jaxpr(twice)(numbers, row, numbers)]

    traces = traced_apart(traced)
    if not all(map(says_all, traces)):
        return None
    of_law = (law.inputs, law.parameters, law.label_domains)
    return b"|".join([str(of_law).encode(), *(part for traced in traces for part in told(traced))])


def _steps(traced: Any) -> Iterator[jex.JaxprEqn]:
    """Every step, those of functions inside it included."""
    for step in getattr(traced, "eqns", []):
        yield step
        for inner in _inside(step):
            yield from _steps(inner)


def _inside(step: jex.JaxprEqn) -> Iterator[object]:
    for value in step.params.values():
        yield from value if isinstance(value, tuple | list) else [value]


def _numbers(traced: Any) -> Iterator[Numbers]:
    """The arrays and literals a traced function holds: its text has shapes, or some of the digits."""
    yield from getattr(traced, "consts", [])
    atoms = list(getattr(getattr(traced, "jaxpr", traced), "outvars", []))
    for step in getattr(traced, "eqns", []):
        atoms += step.invars
        for inner in _inside(step):
            yield from _numbers(inner)
    yield from (atom.val for atom in atoms if isinstance(atom, jex.Literal))


def _plain(step: jex.JaxprEqn) -> bool:
    if any(word in step.primitive.name for word in OUTSIDE):
        return False
    params = {name: value for name, value in step.params.items() if name != RULE_OF_DERIVATIVES}
    return not any(_is_code(value) for value in params.values())


def _is_code(value: object) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_is_code, value))
    if isinstance(value, jex.Jaxpr | jex.ClosedJaxpr | jax.sharding.Mesh | type):
        return False
    return callable(value) or ADDRESS.search(repr(value)) is not None
