"""Which laws forecast when nobody says: by the inputs that there are."""

from __future__ import annotations

from collections.abc import Sequence

from scaling_jax import laws
from scaling_jax.core.law import Law

__all__ = ["CURVE", "default_laws"]

CURVE = ("x",)  # what one input is called
BY_INPUTS: dict[tuple[str, ...], list[Law]] = {
    ("N", "D"): [laws.chinchilla, laws.chinchilla_gamma],
    CURVE: [laws.power_law_floor],
}


def default_laws(names: Sequence[str]) -> list[Law]:
    """The laws of a forecast from these inputs.

    Raises:
        ValueError: where none are known.
    """
    if tuple(names) not in BY_INPUTS:
        raise ValueError(
            f"There are no default laws for the inputs {', '.join(names)}: say laws=[...], each a law of "
            "them."
        )
    return BY_INPUTS[tuple(names)]
