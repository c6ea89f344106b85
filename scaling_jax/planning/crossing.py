"""How much data for which method: the fine-tuning set size at which two methods reach the same loss.

No call of `sj.contrast`: that asks who wins along compute, and here compute is not in the laws; what is
searched is one input at a fixed other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax import laws
from scaling_jax.core.law import Law
from scaling_jax.planning.source import LawSource, source_of
from scaling_jax.tables.scale import budgets_of

__all__ = ["critical_size"]

LOG_SIZES = np.linspace(0.0, np.log(1e15), 2001)
HALVINGS = 60

Side = tuple[Law, dict[str, float]]
"""A method's law and its constants."""


def critical_size(first: LawSource, second: LawSource, X: ArrayLike) -> pd.DataFrame:
    r"""The fine-tuning set at which two methods reach the same loss, so that neither is better.

    $$D^* = H X^{\gamma}, \quad H = \left(\frac{A_1}{A_2}\right)^{\frac{1}{\beta_1 - \beta_2}}, \quad
      \gamma = \frac{\alpha_2 - \alpha_1}{\beta_1 - \beta_2} \qquad (E_1 = E_2)$$

    Args:
        first, second: the methods' laws of X and D_f: fits, published entries, or `(law, params)`. Two
            multiplicative laws with the same floor are solved as above, others by a search over 1 to 1e15
            examples.
        X: model sizes (or what X counts), in the unit of the laws.

    Returns:
        One row per X: X, D_f (the smallest crossing, NaN where there is none), loss there, crossings (how
        many were found; beyond the first the better method changes again).

    Raises:
        TypeError: for something that holds no law, or a law without inputs X and D_f.
        ValueError: for values of X that are not positive.

    Known to go wrong: printed constants have two digits and 1 / (beta_1 - beta_2) is large, so D* is an order
    of magnitude.

    Source: Zhang et al. 2024 (arXiv:2402.17193).

    >>> import scaling_jax as sj
    >>> full = {"E": 0.7, "A": 1.2e5, "alpha": 0.52, "beta": 0.15}
    >>> prompt = {"E": 0.7, "A": 3.9e3, "alpha": 0.40, "beta": 0.051}
    >>> law = sj.laws.zhang_multiplicative
    >>> [f"{size:.1e}" for size in sj.critical_size((law, full), (law, prompt), [1e9, 1e10])["D_f"]]
    ['1.3e+04', '8.1e+02']
    """
    sizes = budgets_of(X, "X")
    (law, one), (other, two) = sides = [_side(first), _side(second)]
    if law is other is laws.zhang_multiplicative and one["E"] == two["E"]:
        D_f, crossings = _closed(one, two, sizes)
    else:
        D_f, crossings = _searched(sides, sizes)
    loss = np.asarray(law(sizes, D_f, **one))
    return pd.DataFrame({"X": sizes, "D_f": D_f, "loss": loss, "crossings": crossings})


def _side(source: LawSource) -> Side:
    found = source_of(source, draws=False)
    if set(found.law.inputs) != {"X", "D_f"}:
        raise TypeError(
            f"Law '{found.law.name}' has the inputs {', '.join(found.law.inputs)}; a crossing needs X and "
            "D_f."
        )
    return found.law, {name: float(value) for name, value in found.params.items()}


def _closed(one: dict[str, float], two: dict[str, float], X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    apart = one["beta"] - two["beta"]
    if apart == 0:
        return np.full(len(X), np.nan), np.zeros(len(X), dtype=int)
    log_size = (np.log(one["A"] / two["A"]) + (two["alpha"] - one["alpha"]) * np.log(X)) / apart
    return np.exp(log_size), np.ones(len(X), dtype=int)


def _searched(sides: list[Side], X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    def first_is_worse(X: np.ndarray, log_size: np.ndarray) -> np.ndarray:
        one, two = (np.asarray(law(X, np.exp(log_size), **params)) for law, params in sides)
        return one > two

    worse = first_is_worse(X[:, None], LOG_SIZES[None])
    changes = worse[:, 1:] != worse[:, :-1]
    at = changes.argmax(axis=1)
    start, low, high = worse[np.arange(len(X)), at], LOG_SIZES[at], LOG_SIZES[at + 1]
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        before = first_is_worse(X, middle) == start
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.where(changes.any(axis=1), np.exp(0.5 * (low + high)), np.nan), changes.sum(axis=1)
