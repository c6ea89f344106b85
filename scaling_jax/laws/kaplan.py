"""Kaplan et al. 2020: power laws in non-embedding parameters, tokens, compute and steps, without a floor."""

from __future__ import annotations

import numpy as np

from scaling_jax.core.domains import Positive
from scaling_jax.core.law import law
from scaling_jax.laws._starts import grid, scale_of_power

__all__ = [
    "kaplan",
    "kaplan_compute",
    "kaplan_critical_batch",
    "kaplan_data",
    "kaplan_min_compute",
    "kaplan_size",
    "kaplan_steps",
]

CITE = "Kaplan et al. 2020 (arXiv:2001.08361)"
EXPONENT = (0.02, 0.5)
SCALE = (1e8, 1e18)


@law(
    cite=f"{CITE}, eq. 1.1",
    starts=scale_of_power("N", "N_c", "alpha_N"),
    ranges={"N_c": SCALE, "alpha_N": EXPONENT},
    units={"N": "non-embedding parameters", "N_c": "parameters", "target": "nats/token"},
    priors={"N_c": ("normal", 32.0, 5.0), "alpha_N": ("normal", -2.5, 0.7)},
)
def kaplan_size(N, *, N_c: Positive, alpha_N: Positive):
    r"""Converged loss of N non-embedding parameters on unlimited data.

    $$L(N) = \left(\frac{N_c}{N}\right)^{\alpha_N}$$

    Args:
        N: non-embedding parameters.
        N_c: size at which the loss would be 1 nat/token; depends on the tokenizer.
        alpha_N: exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: counted with embeddings the smallest models leave the line (Pearce and Song 2024);
    there is no floor.

    Source: Kaplan et al. 2020, eq. 1.1 (N_c 8.8e13, alpha_N .076).

    >>> round(kaplan_size(1e9, N_c=8.8e13, alpha_N=0.076), 4)
    2.3756
    """
    return (N_c / N) ** alpha_N


@law(
    cite=f"{CITE}, eq. 1.2",
    starts=scale_of_power("D", "D_c", "alpha_D"),
    ranges={"D_c": SCALE, "alpha_D": EXPONENT},
    units={"D": "tokens", "D_c": "tokens", "target": "nats/token"},
    priors={"D_c": ("normal", 31.0, 5.0), "alpha_D": ("normal", -2.3, 0.7)},
)
def kaplan_data(D, *, D_c: Positive, alpha_D: Positive):
    r"""Early-stopped loss of a large model on D tokens.

    $$L(D) = \left(\frac{D_c}{D}\right)^{\alpha_D}$$

    Args:
        D: tokens of the data set.
        D_c: tokens at which the loss would be 1 nat/token.
        alpha_D: exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: it holds for models large enough to overfit and stopped early; runs of one epoch are
    another matter.

    Source: Kaplan et al. 2020, eq. 1.2 (D_c 5.4e13 tokens, alpha_D .095).

    >>> round(kaplan_data(1e10, D_c=5.4e13, alpha_D=0.095), 4)
    2.2624
    """
    return (D_c / D) ** alpha_D


@law(
    cite=f"{CITE}, section 1.2",
    starts=scale_of_power("C", "C_c", "alpha_C"),
    ranges={"C_c": (1e20, 1e30), "alpha_C": EXPONENT},
    units={"C": "FLOP", "C_c": "FLOP", "target": "nats/token"},
    priors={"C_c": ("normal", 62.0, 6.0), "alpha_C": ("normal", -2.9, 0.7)},
)
def kaplan_compute(C, *, C_c: Positive, alpha_C: Positive):
    r"""Lowest loss reachable with compute C at a fixed batch size.

    $$L(C) = \left(\frac{C_c}{C}\right)^{\alpha_C}$$

    Args:
        C: compute 6NBS, in FLOP, or in PF-days (8.64e19 FLOP) throughout, as the paper has it.
        C_c: compute at which the loss would be 1 nat/token, same unit.
        alpha_C: exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: the fixed batch is too small for large and too large for small runs, so the exponent is
    no property of compute alone; see `kaplan_min_compute`.

    Source: Kaplan et al. 2020, section 1.2 (C_c 1.6e7 PF-days, alpha_C .057).

    >>> round(kaplan_compute(1.0, C_c=1.6e7, alpha_C=0.057), 4)
    2.5742
    """
    return (C_c / C) ** alpha_C


@law(
    cite=f"{CITE}, eq. 1.3",
    starts=scale_of_power("C_min", "C_c", "alpha_C"),
    ranges={"C_c": (1e20, 1e30), "alpha_C": EXPONENT},
    units={"C_min": "FLOP", "C_c": "FLOP", "target": "nats/token"},
    priors={"C_c": ("normal", 66.0, 6.0), "alpha_C": ("normal", -3.0, 0.7)},
)
def kaplan_min_compute(C_min, *, C_c: Positive, alpha_C: Positive):
    r"""Lowest loss reachable with compute C_min spent far below the critical batch size.

    $$L(C_{min}) = \left(\frac{C_c}{C_{min}}\right)^{\alpha_C}$$

    Args:
        C_min: compute after the batch correction (`min_compute`), in FLOP or in PF-days throughout.
        C_c: compute at which the loss would be 1 nat/token, same unit.
        alpha_C: exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: the paper's own closed form gives exponent .0525 and 1.5e8 PF-days where its direct fit
    gives .050 and 3.1e8: never expect the two to agree.

    Source: Kaplan et al. 2020, eq. 1.3 (C_c 3.1e8 PF-days, alpha_C .050).

    >>> round(kaplan_min_compute(1.0, C_c=3.1e8, alpha_C=0.050), 4)
    2.6581
    """
    return (C_c / C_min) ** alpha_C


def _starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a small grid; scales so that the two terms share the bracket at the median run."""
    axes = grid(alpha_N=np.geomspace(0.03, 0.4, 8), alpha_D=np.geomspace(0.03, 0.4, 8), share=[0.2, 0.5, 0.8])
    a_n, a_d, shares = axes["alpha_N"], axes["alpha_D"], axes["share"]
    with np.errstate(over="ignore"):
        bracket = np.median(target) ** (1.0 / a_d)
        N_c = np.median(inputs["N"]) * (shares * bracket) ** (a_d / a_n)
        D_c = np.median(inputs["D"]) * (1.0 - shares) * bracket
    good = np.isfinite(N_c) & np.isfinite(D_c) & (N_c > 0) & (D_c > 0)
    return {"N_c": N_c[good], "D_c": D_c[good], "alpha_N": a_n[good], "alpha_D": a_d[good]}


@law(
    cite=f"{CITE}, eq. 1.5",
    starts=_starts,
    ranges={"alpha_N": EXPONENT, "alpha_D": EXPONENT, "N_c": SCALE, "D_c": SCALE},
    units={
        "N": "non-embedding parameters",
        "D": "tokens",
        "N_c": "parameters",
        "D_c": "tokens",
        "target": "nats/token",
    },
    priors={
        "N_c": ("normal", 32.0, 5.0),
        "D_c": ("normal", 31.0, 5.0),
        "alpha_N": ("normal", -2.5, 0.7),
        "alpha_D": ("normal", -2.3, 0.7),
    },
    neighbours=("chinchilla", "bracket"),
)
def kaplan(N, D, *, N_c: Positive, D_c: Positive, alpha_N: Positive, alpha_D: Positive):
    r"""Early-stopped loss of N non-embedding parameters on D tokens.

    $$L(N, D) = \left[\left(\frac{N_c}{N}\right)^{\alpha_N/\alpha_D} + \frac{D_c}{D}\right]^{\alpha_D}$$

    Args:
        N: non-embedding parameters.
        D: training tokens.
        N_c, alpha_N: size at which the size-limited loss is 1, and its exponent.
        D_c, alpha_D: tokens at which the data-limited loss is 1, and its exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: it has no floor, so the loss tends to zero; N_c and D_c depend on the tokenizer and
    extrapolate by ten decades, so only their combination with the exponents is identified.

    Source: Kaplan et al. 2020, eq. 1.5 (N_c 6.4e13, D_c 1.8e13, alpha_N .076, alpha_D .103).

    >>> round(kaplan(1.5e9, 2.3e10, N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103), 3)
    2.31
    """
    return ((N_c / N) ** (alpha_N / alpha_D) + D_c / D) ** alpha_D


def _starts_steps(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """Exponents from a small grid; scales so that the two terms share the median loss at the median run."""
    axes = grid(alpha_N=np.geomspace(0.04, 0.4, 6), alpha_S=np.geomspace(0.2, 1.2, 5), share=[0.3, 0.6, 0.9])
    a_n, a_s, level = axes["alpha_N"], axes["alpha_S"], np.median(target)
    return {
        "alpha_N": a_n,
        "alpha_S": a_s,
        "N_c": np.median(inputs["N"]) * (axes["share"] * level) ** (1 / a_n),
        "S_c": np.median(inputs["S_min"]) * ((1 - axes["share"]) * level) ** (1 / a_s),
    }


@law(
    cite=f"{CITE}, eq. 1.6",
    starts=_starts_steps,
    ranges={"N_c": SCALE, "alpha_N": EXPONENT, "S_c": (1.0, 1e6), "alpha_S": (0.2, 1.5)},
    units={
        "N": "non-embedding parameters",
        "S_min": "updates",
        "N_c": "parameters",
        "S_c": "updates",
        "target": "nats/token",
    },
    priors={
        "N_c": ("normal", 32.0, 5.0),
        "alpha_N": ("normal", -2.5, 0.7),
        "S_c": ("normal", 7.6, 2.0),
        "alpha_S": ("normal", -0.3, 0.4),
    },
)
def kaplan_steps(N, S_min, *, N_c: Positive, alpha_N: Positive, S_c: Positive, alpha_S: Positive):
    r"""Loss of N parameters after S_min updates far above the critical batch size, on unlimited data.

    $$L(N, S_{min}) = \left(\frac{N_c}{N}\right)^{\alpha_N} + \left(\frac{S_c}{S_{min}}\right)^{\alpha_S}$$

    Args:
        N: non-embedding parameters.
        S_min: updates after the batch correction (`min_steps`).
        N_c, alpha_N: size at which the converged loss is 1, and its exponent.
        S_c, alpha_S: updates at which the unconverged part is 1, and its exponent.

    Returns:
        Loss in nats/token.

    Known to go wrong: it describes training after warm-up, at a learning rate that does not decay.

    Source: Kaplan et al. 2020, eq. 1.6 (N_c 6.5e13, alpha_N .077, S_c 2.1e3, alpha_S .76).

    >>> round(kaplan_steps(1e9, 1e5, N_c=6.5e13, alpha_N=0.077, S_c=2.1e3, alpha_S=0.76), 4)
    2.4005
    """
    return (N_c / N) ** alpha_N + (S_c / S_min) ** alpha_S


@law(
    cite=f"{CITE}, eq. 1.4",
    ranges={"alpha_B": (0.1, 1.0)},
    units={"L": "nats/token", "B_star": "tokens", "target": "tokens"},
    priors={"B_star": ("normal", 19.0, 3.0), "alpha_B": ("normal", -1.6, 0.5)},
    target="B_crit",
)
def kaplan_critical_batch(L, *, B_star: Positive, alpha_B: Positive):
    r"""Critical batch size at loss L: below it steps are saved, above it tokens are wasted.

    $$B_{crit}(L) = B_*\,L^{-1/\alpha_B}$$

    Args:
        L: loss in nats/token.
        B_star: critical batch at a loss of 1, tokens.
        alpha_B: exponent.

    Returns:
        Batch size in tokens.

    Known to go wrong: it was measured on one data set and tokenizer, and depends on neither size nor learning
    rate only there.

    Source: Kaplan et al. 2020, eq. 1.4 (B_star 2e8 in the text, 2.1e8 in the appendix table, alpha_B .21).

    >>> round(kaplan_critical_batch(3.0, B_star=2e8, alpha_B=0.21) / 1e6, 4)
    1.0691
    """
    return B_star * L ** (-1.0 / alpha_B)
