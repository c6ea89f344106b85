"""Distillation (Busbridge et al. 2025): a student's loss against its size, data and teacher's loss."""

from __future__ import annotations

import jax.numpy as jnp

from scaling_jax.core.domains import Positive, Real
from scaling_jax.core.law import law

__all__ = ["distillation"]

SUPERVISED = {"E": 1.220, "A": 3355.0, "alpha": 0.408, "B": 18186.0, "beta": 0.431, "gamma": 0.452}
"""The loss of the same student without a teacher, as the paper fits and then holds it."""


@law(
    cite="Busbridge et al. 2025 (arXiv:2502.08606), eq. 8",
    ranges={
        "c0": (0.3, 4.0),
        "f1": (0.03, 1.0),
        "k": (0.1, 10.0),
        "A": (1e2, 1e5),
        "alpha": (0.15, 0.6),
        "B": (1e3, 1e6),
        "beta": (0.2, 0.7),
        "gamma": (0.3, 1.2),
    },
    units={
        "N": "student parameters",
        "D": "distillation tokens",
        "L_T": "nats/token",
        "target": "nats/token",
    },
    priors={
        "c0": ("normal", 2.0, 1.5),
        "f1": ("normal", -2.0, 0.8),
        "k": ("normal", 0.5, 1.0),
        "A": ("normal", 8.0, 3.0),
        "alpha": ("normal", 0.35, 0.15),
        "B": ("normal", 10.0, 3.0),
        "beta": ("normal", 0.4, 0.15),
        "gamma": ("normal", -0.4, 0.4),
    },
)
def distillation(
    N, D, L_T, *,
    c0: Real, f1: Positive, k: Positive,
    A: Positive, alpha: Real, B: Positive, beta: Real, gamma: Positive,
):  # fmt: skip
    r"""Loss of a student of N parameters that learns D tokens from a teacher of loss L_T.

    $$L_S = L_T + L_T^{-c_0}\,\exp\left(-k \left(L_T / \tilde L\right)^{1/f_1}\right)
      \left(A\,N^{-\alpha} + B\,D^{-\beta}\right)^{\gamma}$$

    with $\tilde L = 1.220 + (3355\,N^{-.408} + 18186\,D^{-.431})^{.452}$ the loss of the student without a
    teacher, held at the paper's constants.

    Args:
        N: parameters of the student.
        D: tokens of the distillation.
        L_T: loss of the teacher, nats/token.
        c0: by how much a weaker teacher leaves less to gain.
        f1: width of the turn from a teacher that is better than the student could be to one that is worse.
        k: place of that turn.
        A, alpha, B, beta, gamma: size and data of the student.

    Returns:
        Loss in nats/token; at given N and D it has one minimum in L_T, the capacity gap.

    Known to go wrong: the paper writes (1 + (L_T / (d1 L))^(1/f1))^(-c1 f1) in place of the exponential. On
    extracted runs c1 goes to infinity: c1 and d1 are one parameter, k = c1 f1 d1^(-1/f1), which this is the
    limit of. L without a teacher belongs to the paper's data and tokenizer.

    Source: Busbridge et al. 2025, eq. 8.

    >>> constants = {"c0": 2.2572, "f1": 0.1054, "k": 2.2898, "A": 2299.7, "alpha": 0.3324,
    ...              "B": 37495.0, "beta": 0.4453, "gamma": 0.7138}
    >>> distillation(1e9, 2e10, [1.8, 2.2, 3.0], **constants).round(3).tolist()
    [2.329, 2.331, 3.0]
    """
    at = SUPERVISED
    alone = at["E"] + (at["A"] / N ** at["alpha"] + at["B"] / D ** at["beta"]) ** at["gamma"]
    turn = jnp.exp(jnp.minimum(jnp.log(L_T / alone) / f1, 30.0))
    return L_T + jnp.exp(-c0 * jnp.log(L_T) - k * turn) * (A / N**alpha + B / D**beta) ** gamma
