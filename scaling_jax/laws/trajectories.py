"""Su et al. 2024: the whole loss curve L(N, S, B), where the critical batch size depends on the loss itself.

`trajectory` is the law to fit; the functions after it are its predictions, solved for loss, batch, updates
and tokens.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.domains import Positive
from scaling_jax.core.implicit import root
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import Numbers, relation
from scaling_jax.laws._starts import grid

__all__ = ["critical_batch", "minimum_loss", "steps_to_loss", "tokens_to_loss", "trajectory"]


def _starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents near Kaplan's; scales so that size, steps and batch matter at the median row."""
    axes = grid(
        alpha_N=[0.06, 0.15, 0.3],
        alpha_S=[0.4, 0.7, 1.0],
        alpha_B=[0.15, 0.25, 0.5],
        share=[0.5, 0.8],
        critical=[0.2, 1.0, 5.0],
    )
    level, B = np.median(target), np.median(inputs["B"])
    steps = np.median(inputs["S"]) / (1 + axes["critical"])
    return {
        "alpha_N": axes["alpha_N"],
        "alpha_S": axes["alpha_S"],
        "alpha_B": axes["alpha_B"],
        "N_c": np.median(inputs["N"]) * (axes["share"] * level) ** (1 / axes["alpha_N"]),
        "S_c": steps * ((1 - axes["share"]) * level) ** (1 / axes["alpha_S"]),
        "B_star": axes["critical"] * B * level ** (1 / axes["alpha_B"]),
    }


def _equation(
    y: jax.Array,
    size: jax.Array,
    S_c: jax.Array,
    alpha_S: jax.Array,
    B_star: jax.Array,
    alpha_B: jax.Array,
    S: jax.Array,
    B: jax.Array,
) -> jax.Array:
    """Log loss y less the logarithm of the right-hand side, which falls as the loss rises."""
    log_batch = jnp.log(B_star / B) - y / alpha_B
    log_steps = alpha_S * (jnp.log(S_c / S) + jax.nn.softplus(log_batch))
    return y - jnp.logaddexp(size, log_steps)


@law(
    cite="Su et al. 2024 (arXiv:2403.06563), section 3; "
    "after Kaplan et al. 2020 (arXiv:2001.08361), eq. 1.4 and 1.6",
    starts=_starts,
    ranges={
        "N_c": (1e8, 1e18),
        "alpha_N": (0.02, 0.5),
        "S_c": (1.0, 1e6),
        "alpha_S": (0.2, 1.5),
        "B_star": (1e5, 1e10),
        "alpha_B": (0.1, 1.0),
    },
    units={"N": "non-embedding parameters", "S": "updates", "B": "tokens", "target": "nats/token"},
    priors={
        "N_c": ("normal", 32.0, 5.0),
        "alpha_N": ("normal", -2.5, 0.7),
        "S_c": ("normal", 7.6, 2.0),
        "alpha_S": ("normal", -0.3, 0.4),
        "B_star": ("normal", 19.0, 3.0),
        "alpha_B": ("normal", -1.6, 0.5),
    },
)
def trajectory(
    N, S, B, *,
    N_c: Positive, alpha_N: Positive, S_c: Positive, alpha_S: Positive, B_star: Positive, alpha_B: Positive,
):  # fmt: skip
    r"""Loss of N parameters after S updates of B tokens: the root of an equation that has the loss twice.

    $$L = \left(\frac{N_c}{N}\right)^{\alpha_N}
      + \left(\frac{S_c}{S}\left(1 + \frac{B_*}{B}\,L^{-1/\alpha_B}\right)\right)^{\alpha_S}$$

    Solved in ln L between the losses of an unlimited batch and of the batch that loss calls for.

    Args:
        N: non-embedding parameters.
        S: updates.
        B: batch size, tokens.
        N_c, alpha_N: converged loss, `kaplan_size`.
        S_c, alpha_S: approach to it, `kaplan_steps`.
        B_star, alpha_B: critical batch size, `kaplan_critical_batch`.

    Returns:
        Loss in nats/token.

    Known to go wrong: constants, not exponents, move with data, context and tokenizer; rows during warm-up or
    a decaying learning rate are outside the form; at a single batch size S_c and B_star are not separable.

    Source: Su et al. 2024, section 3. Their constants could not be read; the example uses Kaplan's.

    >>> kaplan = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}
    >>> kaplan |= {"B_star": 2e8, "alpha_B": 0.21}
    >>> trajectory(1e9, 1e5, [1e5, 1e6, 1e9], **kaplan).round(4).tolist()
    [2.7875, 2.4881, 2.4006]
    """
    size = alpha_N * jnp.log(N_c / N)
    numbers = (size, S_c, alpha_S, B_star, alpha_B, S, B)
    lower = jnp.logaddexp(size, alpha_S * jnp.log(S_c / S))
    upper = lower - _equation(lower, *numbers)
    return jnp.exp(root(_equation, lower, upper, *numbers, start=lower, steps=14))


@relation
def minimum_loss(N: ArrayLike, *, N_c: float, alpha_N: float) -> Numbers:
    r"""The loss to which N parameters converge.

    $$L_{min} = (N_c/N)^{\alpha_N}$$

    Args:
        N: non-embedding parameters.
        N_c, alpha_N: constants of `trajectory`.

    Returns:
        Loss in nats/token.

    Source: Su et al. 2024, first prediction.

    >>> round(float(minimum_loss(1e9, N_c=6.5e13, alpha_N=0.077)), 4)
    2.3474
    """
    return np.divide(N_c, N) ** alpha_N


@relation
def critical_batch(loss: ArrayLike, *, B_star: float, alpha_B: float) -> np.ndarray:
    r"""The critical batch size at any loss.

    $$B_{crit} = B_*\,L^{-1/\alpha_B}$$

    Args:
        loss: nats/token.
        B_star, alpha_B: constants of `trajectory`.

    Returns:
        Batch size in tokens.

    Source: Su et al. 2024, third prediction.

    >>> round(float(critical_batch(3.0, B_star=2e8, alpha_B=0.21)) / 1e6, 4)
    1.0691
    """
    return B_star * np.asarray(loss, dtype=float) ** (-1 / alpha_B)


@relation
def steps_to_loss(
    loss: ArrayLike,
    N: ArrayLike,
    B: ArrayLike,
    *,
    N_c: float,
    alpha_N: float,
    S_c: float,
    alpha_S: float,
    B_star: float,
    alpha_B: float,
) -> Numbers:
    r"""Updates of B tokens after which N parameters reach a loss.

    $$S = S_c\left(L - L_{min}(N)\right)^{-1/\alpha_S}\left(1 + B_{crit}(L)/B\right)$$

    Args:
        loss: nats/token.
        N: non-embedding parameters.
        B: batch size, tokens.
        N_c, alpha_N, S_c, alpha_S, B_star, alpha_B: constants of `trajectory`.

    Returns:
        Updates; infinite for a loss that this size never reaches.

    Source: Su et al. 2024, second prediction.

    >>> kaplan = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}
    >>> kaplan |= {"B_star": 2e8, "alpha_B": 0.21}
    >>> round(float(steps_to_loss(trajectory(1e9, 1e5, 1e6, **kaplan), 1e9, 1e6, **kaplan)))
    100000
    """
    above = np.asarray(loss, dtype=float) - minimum_loss(N, N_c=N_c, alpha_N=alpha_N)
    with np.errstate(divide="ignore", invalid="ignore"):
        fewest = np.where(above > 0, S_c * np.maximum(above, 0.0) ** (-1 / alpha_S), np.inf)
    critical = critical_batch(loss, B_star=B_star, alpha_B=alpha_B)
    return fewest * (1 + np.divide(critical, B))


@relation
def tokens_to_loss(
    loss: ArrayLike,
    N: ArrayLike,
    B: ArrayLike,
    *,
    N_c: float,
    alpha_N: float,
    S_c: float,
    alpha_S: float,
    B_star: float,
    alpha_B: float,
) -> Numbers:
    r"""Tokens after which N parameters reach a loss at batch size B.

    $$D = B\,S$$

    Args:
        loss: nats/token.
        N: non-embedding parameters.
        B: batch size, tokens.
        N_c, alpha_N, S_c, alpha_S, B_star, alpha_B: constants of `trajectory`.

    Returns:
        Tokens; infinite for a loss that this size never reaches.

    Source: Su et al. 2024, second prediction.

    >>> kaplan = {"N_c": 6.5e13, "alpha_N": 0.077, "S_c": 2.1e3, "alpha_S": 0.76}
    >>> kaplan |= {"B_star": 2e8, "alpha_B": 0.21}
    >>> round(float(tokens_to_loss(2.6, 1e9, 1e6, **kaplan)) / 1e9, 2)
    39.98
    """
    steps = steps_to_loss(
        loss, N, B, N_c=N_c, alpha_N=alpha_N, S_c=S_c, alpha_S=alpha_S, B_star=B_star, alpha_B=alpha_B
    )
    return np.asarray(B, dtype=float) * steps
