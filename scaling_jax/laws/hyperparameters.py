"""Learning rate, batch and weight decay (Li et al. 2025, Bergsma et al. 2025): optima and losses around them.

An optimum against sizes is `power_product`; here are the laws that are more than that. What published laws
say is `sj.hyperparameters`.
"""

from __future__ import annotations

import jax.numpy as jnp

from scaling_jax.core.domains import NonNegative, Positive, Real
from scaling_jax.core.law import law

__all__ = ["adamw_timescale", "batch_tradeoff", "lr_batch_surface"]

POWER_LINES = "Bergsma et al. 2025 (arXiv:2505.13738)"
STEP = "Li et al. 2025 (arXiv:2503.04715)"
USUAL_BATCH = 256.0


@law(
    cite=f"{POWER_LINES}, timescale of AdamW",
    ranges={"m": (-1.5, 0.5)},
    units={"N": "parameters", "D": "tokens", "B": "tokens per batch", "lr": "peak learning rate"}
    | {"target": "weight decay"},
    priors={"c": ("normal", 0.0, 2.0), "m": ("normal", -0.5, 0.5)},
    target="weight_decay",
)
def adamw_timescale(N, D, B, lr, *, c: Positive, m: Real):
    r"""Best weight decay of AdamW, from a best share of the run that its weights average over.

    $$\lambda^* = \frac{B}{\eta\,D\,\tau^*}, \qquad \tau^* = c \left(\frac{D}{N}\right)^{m}$$

    Args:
        N: parameters.
        D: training tokens.
        B: batch, tokens.
        lr: peak learning rate.
        c: best timescale at one token per parameter, as a share of the run.
        m: its exponent in tokens per parameter.

    Returns:
        Weight decay, as AdamW multiplies it by the learning rate.

    Known to go wrong: D and N on one ray (D = 20 N) say nothing of m. The printed exponent is certain, the
    scale is not.

    Source: Bergsma et al. 2025 (m -.527).

    >>> adamw_timescale(1e8, 2e9, [1e5, 2e5], 1e-3, c=1.0, m=-0.527).round(4).tolist()
    [0.2424, 0.4849]
    """
    return B / (lr * D * c) * (D / N) ** -m


@law(
    cite="McCandlish et al. 2018 (arXiv:1812.06162), eq. 2.11; Zhang et al. 2024 (arXiv:2410.21676)",
    units={"B": "batch, tokens or sequences", "S_min": "updates", "target": "updates"},
    priors={"S_min": ("normal", 9.0, 3.0), "B_crit": ("normal", 12.0, 4.0)},
    ranges={"B_crit": (1.0, 1e8)},
    target="steps",
)
def batch_tradeoff(B, *, S_min: Positive, B_crit: Positive):
    r"""Updates to a given loss at batch B: no fewer than S_min, and twice as many at the critical batch.

    $$S(B) = S_{min} \left(1 + \frac{B_{crit}}{B}\right)$$

    Args:
        B: batch, in the unit in which B_crit is wanted.
        S_min: updates at an endless batch.
        B_crit: critical batch. Zhang et al. call critical what needs a fifth more updates than linear scaling
            would, B_crit / 5 here.

    Returns:
        Updates.

    Known to go wrong: it needs runs to one and the same loss, each at the best learning rate of its batch.

    Source: McCandlish et al. 2018, eq. 2.11; `min_steps` is its inverse.

    >>> batch_tradeoff([1e6, 1e12], S_min=1000.0, B_crit=1e6).round().tolist()
    [2000.0, 1000.0]
    """
    return S_min * (1 + B_crit / B)


@law(
    cite=f"{STEP}, with the loss around the optimum",
    ranges={
        "alpha": (0.1, 0.7),
        "beta": (0.1, 0.7),
        "q1": (0.0, 0.05),
        "q2": (0.0, 0.05),
        "kappa": (0.0, 1.0),
        "lr_0": (0.2, 20.0),
        "lr_N": (-1.0, -0.3),
        "lr_D": (0.0, 0.6),
        "B_0": (0.05, 10.0),
        "B_D": (0.3, 0.8),
    },
    units={"lr": "peak learning rate", "B": "sequences", "N": "non-embedding parameters", "D": "tokens"}
    | {"E": "nats/token", "target": "nats/token"},
    priors={
        "E": ("halfnormal", 0.0, 2.0),
        "A": ("normal", 5.0, 3.0),
        "B_loss": ("normal", 5.0, 3.0),
        "alpha": ("normal", 0.3, 0.15),
        "beta": ("normal", 0.3, 0.15),
        "q1": ("halfnormal", 0.0, 0.05),
        "q2": ("halfnormal", 0.0, 0.05),
        "kappa": ("normal", 0.4, 0.3),
        "lr_0": ("normal", 0.0, 4.0),
        "lr_N": ("normal", -0.5, 0.3),
        "lr_D": ("normal", 0.2, 0.3),
        "B_0": ("normal", -6.0, 4.0),
        "B_D": ("normal", 0.5, 0.2),
    },
)
def lr_batch_surface(
    lr, B, N, D, *,
    E: NonNegative, A: Positive, alpha: Real, B_loss: Positive, beta: Real,
    q1: NonNegative, q2: NonNegative, kappa: Real,
    lr_0: Positive, lr_N: Real, lr_D: Real, B_0: Positive, B_D: Real,
):  # fmt: skip
    r"""Loss at any learning rate and batch: Chinchilla at the best ones, and parabolas in logarithms around.

    $$L = \left(E + A\,N^{-\alpha} + B_L\,D^{-\beta}\right)\left(1 + q_1 x^2 + q_2 v^2\right)$$
    $$x = \ln\frac{\eta}{\eta_0 N^{\eta_N} D^{\eta_D}} - \kappa \ln\frac{B}{256}, \qquad
      v = \ln\frac{B}{B_0 D^{B_D}}$$

    Args:
        lr: peak learning rate.
        B: batch, sequences.
        N: non-embedding parameters.
        D: training tokens.
        E, A, alpha, B_loss, beta: `chinchilla` at the best learning rate and batch.
        q1, q2: relative cost of a factor e from the best learning rate, and from the best batch.
        kappa: by how much the best learning rate grows with the batch.
        lr_0, lr_N, lr_D: best learning rate at 256 sequences.
        B_0, B_D: best batch.

    Returns:
        Loss in nats/token.

    Known to go wrong: far from the best learning rate losses grow faster than a parabola; E runs to zero
    unless large runs weigh more (`weights="size"`). The best rate is confused with the schedule it decays by.

    Source: the optima are Li et al. 2025's forms; the surface is ours.

    >>> constants = {"E": 1.6, "A": 400.0, "alpha": 0.34, "B_loss": 2000.0, "beta": 0.37,
    ...              "q1": 0.01, "q2": 0.01, "kappa": 0.4,
    ...              "lr_0": 1.79, "lr_N": -0.713, "lr_D": 0.307, "B_0": 2.8e-4, "B_D": 0.571}
    >>> lr_batch_surface([2e-4, 2e-3, 2e-2], 512, 1e9, 1e11, **constants).round(3).tolist()
    [2.238, 2.119, 2.224]
    """
    log_N, log_D, log_B = jnp.log(N), jnp.log(D), jnp.log(B)
    x = jnp.log(lr / lr_0) - lr_N * log_N - lr_D * log_D - kappa * (log_B - jnp.log(USUAL_BATCH))
    v = log_B - jnp.log(B_0) - B_D * log_D
    return (E + A / N**alpha + B_loss / D**beta) * (1 + q1 * x**2 + q2 * v**2)
