"""Kaplan's bracket with the floor inside it (Droppo and Elibol 2021, acoustic models)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.domains import Positive
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid

__all__ = ["bracket"]


def _starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Slopes and curvature from a grid; size, data and floor share the bracket at the median run."""
    axes = grid(
        alpha_N=[0.05, 0.12, 0.3],
        alpha_D=[0.05, 0.12, 0.3],
        alpha=[0.1, 0.3, 1.0],
        share=[0.2, 0.5],
        rest=[0.3, 0.7],
    )
    alpha, rest = axes["alpha"], 1 - axes["share"]
    parts = {"floor": axes["share"], "N": rest * axes["rest"], "D": rest * (1 - axes["rest"])}
    level = np.median(target)
    return {
        "L_inf": level * parts["floor"] ** alpha,
        "N_c": np.median(inputs["N"]) * (level * parts["N"] ** alpha) ** (1 / axes["alpha_N"]),
        "D_c": np.median(inputs["D"]) * (level * parts["D"] ** alpha) ** (1 / axes["alpha_D"]),
        "alpha_N": axes["alpha_N"],
        "alpha_D": axes["alpha_D"],
        "alpha": alpha,
    }


@law(
    cite="Droppo and Elibol 2021 (arXiv:2106.09488)",
    starts=_starts,
    ranges={
        "L_inf": (0.1, 10.0),
        "N_c": (1e3, 1e14),
        "D_c": (1e3, 1e14),
        "alpha_N": (0.03, 0.8),
        "alpha_D": (0.03, 0.8),
        "alpha": (0.05, 2.0),
    },
    units={"N": "parameters", "D": "frames or tokens"},
    priors={
        "L_inf": ("normal", 0.0, 1.0),
        "N_c": ("normal", 15.0, 8.0),
        "D_c": ("normal", 15.0, 8.0),
        "alpha_N": ("normal", -1.5, 0.7),
        "alpha_D": ("normal", -1.5, 0.7),
        "alpha": ("normal", -1.0, 0.7),
    },
    neighbours=("chinchilla_gamma",),
)
def bracket(
    N,
    D,
    *,
    L_inf: Positive,
    N_c: Positive,
    alpha_N: Positive,
    D_c: Positive,
    alpha_D: Positive,
    alpha: Positive,
):
    r"""Loss as one bracket of floor, size and data.

    $$L(N, D) = \left[L_\infty^{1/\alpha}
      + \left(\frac{N_c}{N}\right)^{\alpha_N/\alpha}
      + \left(\frac{D_c}{D}\right)^{\alpha_D/\alpha}\right]^{\alpha}$$

    Evaluated as alpha times the logarithm of a sum of exponentials, so that a small alpha (the maximum of the
    three) is exact.

    Args:
        N: parameters.
        D: training data (frames of audio, tokens).
        L_inf: irreducible loss.
        N_c, alpha_N: size at which the size-limited loss is 1, and its exponent.
        D_c, alpha_D: data at which the data-limited loss is 1, and its exponent.
        alpha: how softly the largest of the three hands over; small is sharp.

    Returns:
        The loss, in the unit of the target.

    Known to go wrong: alpha only shapes the corners, so tables without runs near them leave it and the floor
    open. The form is given after the paper's abstract and citations; its constants are not established.

    Source: Droppo and Elibol 2021, section 3.

    >>> round(bracket(1e7, 1e9, L_inf=1.0, N_c=1e6, alpha_N=0.2, D_c=1e8, alpha_D=0.3, alpha=0.5), 4)
    1.2842
    """
    logs = [jnp.log(L_inf), alpha_N * (jnp.log(N_c) - jnp.log(N)), alpha_D * (jnp.log(D_c) - jnp.log(D))]
    largest = jnp.maximum(jnp.maximum(logs[0], logs[1]), logs[2])
    return jnp.exp(largest + alpha * jnp.log(sum(jnp.exp((term - largest) / alpha) for term in logs)))
