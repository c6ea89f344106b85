"""Size of the vocabulary (Tao et al. 2024): what words are worth beside the other parameters and data."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.domains import NonNegative, Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import Numbers, relation

__all__ = ["tokens_per_character", "vocabulary", "vocabulary_log"]

TAO = "Tao et al. 2024 (arXiv:2407.13623)"
MOST_WORDS = 2e5
UNITS = {"N": "non-vocabulary parameters", "D": "tokens", "target": "unigram-normalised loss"}


@relation
def tokens_per_character(V: ArrayLike) -> Numbers:
    r"""Tokens that a character of text becomes with a vocabulary of V words.

    $$q(V) = .00639222\,l^2 - .15811069\,l + 1.20470122, \qquad l = \ln\min(V, 2 \cdot 10^5)$$

    Args:
        V: words of the vocabulary.

    Returns:
        Tokens per character.

    Known to go wrong: the authors' code hands V in thousands to this polynomial of V, so their fitted
    constants go with `tokens_per_character(V / 1000)`.

    Source: Tao et al. 2024, appendix.

    >>> round(float(tokens_per_character(32_000)), 4)
    0.2524
    """
    log_V = np.log(np.minimum(V, MOST_WORDS))
    return 0.00639222 * log_V**2 - 0.15811069 * log_V + 1.20470122


@law(
    cite=f"{TAO}, eq. 4",
    ranges={"alpha": (0.05, 1.2), "beta": (0.05, 1.5), "gamma": (0.05, 1.2)},
    units=UNITS | {"V": "vocabulary parameters, or words"},
    priors={
        "E": ("normal", -4.0, 3.0),
        "A": ("normal", 4.0, 4.0),
        "B": ("normal", 2.0, 4.0),
        "C": ("normal", 5.0, 5.0),
        "alpha": ("normal", 0.4, 0.3),
        "beta": ("normal", 0.5, 0.4),
        "gamma": ("normal", 0.4, 0.3),
    },
)
def vocabulary(
    N, V, D, *, E: Real, A: Positive, alpha: Real, B: Positive, beta: Real, C: Positive, gamma: Real
):
    r"""Unigram-normalised loss of N other parameters and a vocabulary V after D tokens.

    $$L_u = E + A\,N^{-\alpha} + B\,V^{-\beta} + C\,D^{-\gamma}$$

    Args:
        N: parameters without those of the vocabulary.
        V: parameters of the vocabulary, words times width, as in the paper; or words.
        D: training tokens (characters times `tokens_per_character`), or characters.
        E: loss of unlimited resources less that of word frequencies alone, negative.
        A, alpha, B, beta, C, gamma: scales and exponents; the paper ties alpha and gamma,
            `tied=[("alpha", "gamma")]`.

    Returns:
        Loss less that of a model that knows word frequencies alone, nats/token; negative.

    Known to go wrong: targets are negative, so fit raw values, `sj.Huber(1e-3, on="raw")`. On words and
    characters (SLDBench) alpha and beta run to zero with A and B to infinity: that is `vocabulary_log`. The
    printed constants belong to a slip in the authors' code, see `tokens_per_character`.

    Source: Tao et al. 2024, eq. 4.

    >>> constants = {"E": -5.53278, "A": 876.1, "alpha": 0.446606, "B": 20.2, "beta": 0.670737}
    >>> round(vocabulary(1e9, 1e8, 2e10, C=22170.0, gamma=0.446606, **constants), 3)
    -4.893
    """
    return E + A / N**alpha + B / V**beta + C / D**gamma


@law(
    cite="Lin et al. 2025, SLDBench (arXiv:2507.21184), limit of its published form",
    ranges={"gamma": (0.05, 1.2)},
    units=UNITS | {"V": "words", "D": "characters"},
    priors={
        "a": ("normal", 0.0, 5.0),
        "b": ("normal", 0.0, 0.3),
        "c": ("normal", 0.0, 0.3),
        "C": ("normal", 6.0, 4.0),
        "gamma": ("normal", 0.4, 0.2),
    },
)
def vocabulary_log(N, V, D, *, a: Real, b: Real, c: Real, C: NonNegative, gamma: Real):
    r"""Unigram-normalised loss with logarithms of size and vocabulary, and a power of data.

    $$L_u = a + b \ln N + c \ln V + C\,D^{-\gamma}$$

    Args:
        N: parameters without those of the vocabulary.
        V: words of the vocabulary.
        D: training characters.
        a: level.
        b, c: change per factor e of size and of vocabulary.
        C, gamma: scale and exponent of data.

    Returns:
        Loss less that of a model that knows word frequencies alone, nats/token; negative.

    Known to go wrong: no floor, so it is not to be used far beyond its table. SLDBench prints it as powers
    with exponents of 2e-5 and 7e-6 and scales of thousands, seven parameters for these five: b is minus
    scale times exponent. Fit raw values.

    Source: Lin et al. 2025, SLDBench, task of vocabularies (b -.0635, c .0565, gamma .379).

    >>> round(vocabulary_log(1e9, 32e3, 1e11, a=-4.0, b=-0.06348, c=0.05652, C=4e3, gamma=0.37928), 3)
    -4.46
    """
    return a + b * jnp.log(N) + c * jnp.log(V) + C / D**gamma
