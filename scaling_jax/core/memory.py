"""How much memory work may take at a time: one setting, from which the size of every piece follows.

The environment variable SCALING_JAX_MEMORY, read whenever work begins, says it ("256MB", "4GB", or bytes);
without it 512 MB. The tables themselves, and the answers, come on top.
"""

from __future__ import annotations

import os
import re

__all__ = ["fitting_in", "working_memory"]

SETTING = "SCALING_JAX_MEMORY"
DEFAULT = 2**29
UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


def working_memory() -> int:
    """Bytes that work may take at a time.

    Raises:
        ValueError: if the environment variable says no size.
    """
    said = os.environ.get(SETTING)
    if said is None:
        return DEFAULT
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?B?)\s*", said.upper())
    size = 0 if found is None else int(float(found[1]) * UNITS[found[2].rstrip("B") + "B" * (found[2] > "B")])
    if size < 1:
        raise ValueError(f"The environment variable {SETTING} is {said!r}: give a size such as 512MB or 4GB.")
    return size


def fitting_in(bytes_each: float) -> int:
    """How many items of a size may be worked on at a time; at least one."""
    return max(1, int(working_memory() / bytes_each))
