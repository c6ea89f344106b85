"""Laws and objectives by their names, for those who write words in place of objects."""

from __future__ import annotations

import difflib

from scaling_jax import laws
from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law
from scaling_jax.core.objective import (
    AbsoluteError,
    Asymmetric,
    BetaBinomial,
    Binomial,
    Huber,
    Objective,
    SquaredError,
)

__all__ = ["OBJECTIVES", "law_named", "objective_named"]

OBJECTIVES: dict[str, type[Objective]] = {
    "huber": Huber,
    "squared": SquaredError,
    "absolute": AbsoluteError,
    "asymmetric": Asymmetric,
    "binomial": Binomial,
    "beta_binomial": BetaBinomial,
}


def law_named(name: str) -> Law:
    """A law of `sj.laws` by its name, or one made to order: "power_product(lr, N)".

    Raises:
        ValueError: for an unknown name, with those that are near.

    >>> law_named("chinchilla").name
    'chinchilla'
    >>> law_named("chinchila")
    Traceback (most recent call last):
    ValueError: There is no law 'chinchila': near it are chinchilla, chinchilla_tied, chinchilla_gamma.
    """
    base, bracket, arguments = name.strip().rstrip(")").partition("(")
    found = getattr(laws, base, None) if base in laws.__all__ else None
    if found is None:
        near = difflib.get_close_matches(base.lower(), laws.__all__, n=3, cutoff=0.5)
        hint = f"near it are {', '.join(near)}" if near else "sj.laws has the names"
        raise ValueError(f"There is no law {shown(name)}: {hint}.")
    if isinstance(found, Law):
        return found
    if not bracket:
        raise ValueError(
            f"'{base}' is made to order: say with what, such as '{base}(...)'; see its page in the "
            "documentation."
        )
    words = [word.strip() for word in arguments.split(",")]
    made = found(*(int(word) if word.isdigit() else word for word in words if word))
    if not isinstance(made, Law):
        raise ValueError(f"'{base}' makes no law to fit: it is a relation, for use in Python.")
    return made


def objective_named(kind: str) -> Objective:
    """An objective by its name, as it comes.

    Raises:
        ValueError: for an unknown name.

    >>> objective_named("squared")
    SquaredError(on='log')
    """
    if kind not in OBJECTIVES:
        raise ValueError(f"Unknown objective {shown(kind)}: use {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[kind]()
