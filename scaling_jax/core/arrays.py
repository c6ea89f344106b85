"""Names for what functions take and give: arrays that JAX traces, and arrays that NumPy holds."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

__all__ = ["AnyArray", "Array", "Columns", "Labels", "Leaf", "LossFn", "Named", "Numbers", "namespace"]

Array = jax.Array  # on a device, or standing for one while a function is traced
Numbers = np.ndarray  # on the host
AnyArray = TypeVar("AnyArray", Array, Numbers)  # one of the two throughout a signature
Leaf = TypeVar("Leaf")  # what a record of many fields holds: arrays of one of the two kinds, flags, axes

Columns = dict[str, np.ndarray]  # input of a law -> (rows,)
Named = dict[str, jax.Array]  # parameter or input of a law -> its value for one run
Labels: TypeAlias = ArrayLike  # (rows,) names of runs, groups, families: numbers, text, or tuples
LossFn = Callable[..., jax.Array]  # a law as its author writes it: the inputs of one run, and the parameters


def namespace(array: Array | Numbers) -> ModuleType:
    """The functions that serve an array: those of JAX for one of a device or a trace, else NumPy's."""
    return jnp if isinstance(array, jax.Array) else np
