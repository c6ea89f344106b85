"""Relations between laws: functions of numbers or arrays that broadcast, defined or refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import jax
import numpy as np

from scaling_jax.core.checked import checked, shown

__all__ = ["Numbers", "relation"]

Numbers = float | np.ndarray
Relation = TypeVar("Relation", bound=Callable[..., Any])


def relation(fn: Relation) -> Relation:
    """A relation that takes numbers only, and says where it is not defined in place of giving NaN.

    Raises:
        TypeError: for an argument that is no number.
        ValueError: for shapes that do not go together, or numbers at which the relation has no value.

    >>> @relation
    ... def root(x: float) -> float:
    ...     return np.sqrt(x)
    >>> root(-1.0)
    Traceback (most recent call last):
    ValueError: root(x=-1.0) is not defined: its quantities are positive.
    """

    signature = inspect.signature(fn)
    broadcast = [n for n, p in signature.parameters.items() if "ArrayLike" in str(p.annotation)]

    @wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        named = signature.bind(*args, **kwargs).arguments
        given = f"{fn.__name__}({', '.join(f'{name}={shown(value)}' for name, value in named.items())})"
        arrays = [
            np.asarray(named[name], dtype=np.float64) for name in broadcast if named.get(name) is not None
        ]
        try:
            np.broadcast_shapes(*(array.shape for array in arrays))
        except ValueError:
            raise ValueError(f"{given}: the arrays' shapes do not go together.") from None
        if not _is_nan([found := _computed(fn, args, kwargs)]) or _is_nan([*named.values()]):
            return found
        raise ValueError(f"{given} is not defined: its quantities are positive.")

    return cast(Relation, checked(call))


def _computed(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        with np.errstate(all="ignore"):
            return fn(*args, **kwargs)
    except ArithmeticError:  # what Python's own numbers raise where NumPy's become inf or NaN
        return np.nan


def _is_nan(values: list[Any]) -> bool:
    """Whether there is NaN among numbers, or a root that is not real."""
    arrays = [np.asarray(value) for value in jax.tree.leaves(values)]
    return any(array.dtype.kind == "c" or np.isnan(array).any() for array in arrays)
