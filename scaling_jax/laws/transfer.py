"""Fine-tuning and transfer: error of encoders, data transferred, loss in both stages' data."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from scaling_jax.core.domains import NonNegative, Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid, line

__all__ = [
    "barnett",
    "finetuning_line",
    "hernandez_loss",
    "hernandez_transfer",
    "mikami",
    "zhang_additive",
    "zhang_multiplicative",
]

SLOPE = ("normal", 0.2, 0.2)


def _line_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """The least-squares line itself."""
    beta, alpha = line(np.log(inputs["N"]), np.log(np.maximum(target, 1e-300)))
    return {"alpha": np.array([alpha]), "beta": np.array([beta])}


@law(
    cite="Ivgi et al. 2022 (arXiv:2202.06387), section 3",
    starts=_line_starts,
    ranges={"alpha": (-1.0, 0.2), "beta": (-5.0, 10.0)},
    units={"N": "non-embedding parameters", "target": "1 - metric"},
    priors={"alpha": ("normal", -0.1, 0.2), "beta": ("normal", 0.0, 5.0)},
    target="error",
)
def finetuning_line(N, *, alpha: Real, beta: Real):
    r"""Error of fine-tuned encoders of N parameters: a straight line on log-log axes.

    $$\ln y = \alpha \ln N + \beta$$

    Args:
        N: non-embedding parameters, 12 layers times width squared.
        alpha: slope, negative when size helps.
        beta: intercept.

    Returns:
        y = 1 - metric (an error to be minimised).

    Known to go wrong: it has no floor, and below an R2 of .95 (on the linear scale of y) its extrapolation
    does not rank models reliably. The authors fit ordinary least squares on logs, `sj.SquaredError()`.

    Source: Ivgi et al. 2022, section 3 (MNLI slope -.07, SQuAD 1.1 -.22).

    >>> round(finetuning_line(84934656, alpha=-0.22, beta=1.78), 4)
    0.1068
    """
    return jnp.exp(alpha * jnp.log(N) + beta)


@law(
    cite="Hernandez et al. 2021 (arXiv:2102.01293), eq. 1.1",
    ranges={"alpha": (0.02, 1.0), "beta": (0.02, 1.0)},
    units={"D_F": "characters", "N": "non-embedding parameters", "target": "characters"},
    priors={"k": ("normal", 10.0, 4.0), "alpha": SLOPE, "beta": ("normal", 0.4, 0.2)},
    target="D_T",
)
def hernandez_transfer(D_F, N, *, k: Positive, alpha: Real, beta: Real):
    r"""Effective data transferred: how much fine-tuning data the pre-training was worth.

    $$D_T = k\,D_F^{\alpha}\,N^{\beta}$$

    Args:
        D_F: fine-tuning data, characters.
        N: non-embedding parameters.
        k, alpha, beta: scale and exponents.

    Returns:
        D_T in characters; D_F + D_T from scratch gives the same loss at the same size.

    Known to go wrong: low-data regime only (D_F at most a tenth of what the model can use); with more data
    pre-training may hurt. D_T itself needs the inverse of a from-scratch L(D) at each size.

    Source: Hernandez et al. 2021, eq. 1.1 (text to Python: k 1.9e4, alpha .18, beta .38).

    >>> round(hernandez_transfer(3e5, 4e7, k=1.9e4, alpha=0.18, beta=0.38) / 1e8, 3)
    1.424
    """
    return k * D_F**alpha * N**beta


def _joint_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Kaplan's exponents and the transfer's from a grid; the two terms share the bracket at the median."""
    axes = grid(
        alpha_N=[0.05, 0.1, 0.2], alpha_D=[0.06, 0.12, 0.25], alpha=[0.1, 0.3, 0.6], share=[0.2, 0.5, 0.8]
    )
    level = np.median(target) ** (1 / axes["alpha_D"])
    beta = 2 * axes["alpha"]
    transferred = np.median(inputs["D_F"]) ** axes["alpha"] * np.median(inputs["N"]) ** beta
    return {
        "alpha_N": axes["alpha_N"],
        "alpha_D": axes["alpha_D"],
        "alpha": axes["alpha"],
        "beta": beta,
        "N_c": np.median(inputs["N"]) * (axes["share"] * level) ** (axes["alpha_D"] / axes["alpha_N"]),
        "D_k": (1 - axes["share"]) * level * transferred,
    }


@law(
    cite="Hernandez et al. 2021 (arXiv:2102.01293), section 2, "
    "in Kaplan et al. 2020 (arXiv:2001.08361), eq. 1.5",
    starts=_joint_starts,
    ranges={
        "N_c": (1e6, 1e18),
        "D_k": (1e-2, 1e14),
        "alpha_N": (0.02, 0.5),
        "alpha_D": (0.02, 0.5),
        "alpha": (0.02, 1.0),
        "beta": (0.02, 1.0),
    },
    units={
        "D_F": "characters",
        "N": "non-embedding parameters",
        "N_c": "parameters",
        "target": "nats/character",
    },
    priors={
        "N_c": ("normal", 32.0, 5.0),
        "D_k": ("normal", 15.0, 8.0),
        "alpha_N": ("normal", -2.5, 0.7),
        "alpha_D": ("normal", -2.3, 0.7),
        "alpha": SLOPE,
        "beta": ("normal", 0.4, 0.2),
    },
)
def hernandez_loss(
    D_F, N, *, N_c: Positive, D_k: Positive, alpha_N: Positive, alpha_D: Positive, alpha: Real, beta: Real
):
    r"""Fine-tuned loss: Kaplan's law with the transferred data in place of the data.

    $$L = \left[\left(\frac{N_c}{N}\right)^{\alpha_N/\alpha_D}
      + \frac{D_k}{D_F^{\alpha} N^{\beta}}\right]^{\alpha_D}, \quad D_k = D_c / k$$

    Args:
        D_F: fine-tuning data, characters.
        N: non-embedding parameters.
        N_c, alpha_N, alpha_D: constants of `kaplan`.
        D_k: D_c / k; only this quotient of Kaplan's D_c and Hernandez's k is identified.
        alpha, beta: exponents of `hernandez_transfer`.

    Returns:
        Loss in nats/character.

    Known to go wrong: valid where D_T is much larger than D_F, that is for little fine-tuning data. D_k,
    alpha_D and beta trade off over eight decades of D_k: a posterior needs a prior on D_k (within a factor of
    3, say), or its chains diverge.

    Source: Hernandez et al. 2021, section 2.

    >>> kaplan = {"N_c": 6.4e13, "alpha_N": 0.076, "alpha_D": 0.103}
    >>> round(hernandez_loss(3e5, 4e7, D_k=1.8e13 / 1.9e4, alpha=0.18, beta=0.38, **kaplan), 3)
    3.445
    """
    return ((N_c / N) ** (alpha_N / alpha_D) + D_k / (D_F**alpha * N**beta)) ** alpha_D


ZHANG_UNITS = {"X": "parameters, tokens or tuned parameters", "D_f": "examples", "target": "loss"}
ZHANG = "Zhang et al. 2024 (arXiv:2402.17193)"


@law(
    cite=f"{ZHANG}, eq. 1",
    ranges={"alpha": (0.01, 1.0), "beta": (0.01, 0.6)},
    units=ZHANG_UNITS,
    priors={
        "E": ("normal", 0.0, 1.0),
        "A": ("normal", 5.0, 4.0),
        "alpha": SLOPE,
        "beta": ("normal", 0.1, 0.1),
    },
    neighbours=("zhang_additive",),
)
def zhang_multiplicative(X, D_f, *, E: NonNegative, A: Positive, alpha: Real, beta: Real):
    r"""Fine-tuned loss as a floor plus one product of powers.

    $$L(X, D_f) = A\,X^{-\alpha} D_f^{-\beta} + E$$

    Args:
        X: model size, pre-training tokens, or the number of tuned parameters.
        D_f: fine-tuning examples.
        E: irreducible loss.
        A, alpha, beta: scale and exponents.

    Returns:
        Loss, in the unit of the target.

    Known to go wrong: with beta around .03 the floor is not identified (E goes to zero); share beta and E
    across factors, as the authors do: `sj.fit_groups(..., shared=["beta", "E"])`.

    Source: Zhang et al. 2024, eq. 1.

    >>> round(zhang_multiplicative(1e9, 1e6, E=0.75, A=1.2e5, alpha=0.52, beta=0.15), 4)
    1.0656
    """
    return A * X**-alpha * D_f**-beta + E


@law(
    cite=f"{ZHANG}, section 4",
    ranges={"alpha": (0.01, 1.0), "beta": (0.01, 1.0)},
    units=ZHANG_UNITS,
    priors={
        "E": ("normal", 0.0, 1.0),
        "A": ("normal", 5.0, 4.0),
        "B": ("normal", 2.0, 3.0),
        "alpha": SLOPE,
        "beta": SLOPE,
    },
    neighbours=("zhang_multiplicative",),
)
def zhang_additive(X, D_f, *, E: NonNegative, A: Positive, alpha: Real, B: Positive, beta: Real):
    r"""Fine-tuned loss as a floor plus a power of each resource: the rival that the authors reject.

    $$L(X, D_f) = A\,X^{-\alpha} + B\,D_f^{-\beta} + E$$

    Args:
        X: model size, pre-training tokens, or the number of tuned parameters.
        D_f: fine-tuning examples.
        E: irreducible loss.
        A, alpha, B, beta: scale and exponent of each resource.

    Returns:
        Loss, in the unit of the target.

    Known to go wrong: held-out errors are close to the multiplicative form's, and smaller on some tasks: the
    data do not decide. In a posterior E, A and alpha trade off: of 2,000 draws 19 diverged under the default
    priors, 3 under one on A of half a natural log.

    Source: Zhang et al. 2024, section 4.

    >>> round(zhang_additive(1e9, 1e6, E=0.75, A=50.0, alpha=0.3, B=2.0, beta=0.15), 4)
    1.1015
    """
    return A * X**-alpha + B * D_f**-beta + E


def _mikami_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a grid; gaps in shares of the pre-training term at the median."""
    axes = grid(alpha=[0.1, 0.2, 0.4, 0.8], beta=[0.05, 0.15, 0.4, 0.8], share=[0.03, 0.3, 1.0, 3.0])
    return {
        "alpha": axes["alpha"],
        "beta": axes["beta"],
        "gamma": axes["share"] * np.median(inputs["n"]) ** -axes["alpha"],
    }


@law(
    cite="Mikami et al. 2021 (arXiv:2108.11018), eq. 1",
    starts=_mikami_starts,
    ranges={"gamma": (0.0, 1.0), "alpha": (0.05, 1.0), "beta": (0.02, 1.0)},
    units={"n": "pre-training examples", "s": "fine-tuning examples", "target": "error"},
    priors={
        "delta": ("normal", 2.0, 3.0),
        "gamma": ("halfnormal", 0.0, 0.3),
        "alpha": ("normal", 0.4, 0.3),
        "beta": SLOPE,
    },
    target="error",
)
def mikami(n, s, *, delta: Positive, gamma: NonNegative, alpha: Positive, beta: Real):
    r"""Error after fine-tuning on s examples a model pre-trained on n (synthetic) examples.

    $$L(n, s) = \delta\left(\gamma + n^{-\alpha}\right) s^{-\beta}$$

    Args:
        n: pre-training examples.
        s: fine-tuning examples.
        delta: scale.
        gamma: the transfer gap: what no amount of pre-training removes.
        alpha, beta: exponents of pre-training and fine-tuning data.

    Returns:
        Error, in the unit of the target.

    Known to go wrong: at a single s only delta gamma s^-beta and delta s^-beta are identified; gamma needs n
    over decades.

    Source: Mikami et al. 2021, eq. 1.

    >>> round(mikami(1e6, 1e4, delta=5.0, gamma=0.02, alpha=0.3, beta=0.2), 4)
    0.0284
    """
    return delta * (gamma + n**-alpha) * s**-beta


def _barnett_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a grid; E, G and A follow linearly."""
    return grid(alpha=np.geomspace(0.05, 1.2, 9), beta=np.geomspace(0.03, 1.2, 10))


@law(
    cite="Barnett 2024 (arXiv:2408.16947)",
    starts=_barnett_starts,
    ranges={"alpha": (0.05, 1.2), "beta": (0.03, 1.2)},
    units={
        "p": "pre-training tokens",
        "f": "fine-tuning examples",
        "G": "the transfer gap",
        "target": "loss",
    },
    priors={
        "E": ("normal", 0.0, 1.0),
        "A": ("normal", 3.0, 3.0),
        "alpha": SLOPE,
        "G": ("normal", 0.0, 2.0),
        "beta": SLOPE,
    },
)
def barnett(p, f, *, E: Positive, A: Positive, alpha: Real, G: Positive, beta: Real):
    r"""Loss after fine-tuning, with a transfer gap that no amount of pre-training closes.

    $$L(p, f) = \left(A\,p^{-\alpha} + G\right) f^{-\beta} + E$$

    Args:
        p: pre-training data, tokens.
        f: fine-tuning examples.
        E: irreducible loss.
        A, alpha: scale and exponent of the part that pre-training removes.
        G: the transfer gap.
        beta: exponent of fine-tuning data.

    Returns:
        Loss, in the unit of the target; G f^-beta + E for unlimited pre-training.

    Known to go wrong: G and A separate only when p spans decades, E and beta only when f does. The form is
    second-hand and its published constants are not established.

    Source: Barnett 2024; the parent form is `mikami`.

    >>> round(barnett(1e10, 1e4, E=1.0, A=50.0, alpha=0.2, G=0.5, beta=0.1), 4)
    1.3981
    """
    return (A * p**-alpha + G) * f**-beta + E
