"""Mixtures of experts (Clark et al. 2022 and after): what experts, their granularity and sparsity are worth.

`routed` is Clark's law at one amount of data, `joint_moe` is Chinchilla whose constants depend on the number
of experts, `granular_moe` and `efficiency_leverage` ask how finely experts are cut, `expert_share` and
`interaction` are plainer forms that extrapolate well. `joint_moe_at` reads a `chinchilla` off `joint_moe`.
"""

from __future__ import annotations

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.domains import Interval, NonNegative, Positive, Real
from scaling_jax.core.law import law
from scaling_jax.laws._numbers import Numbers, relation
from scaling_jax.laws._starts import grid

__all__ = [
    "efficiency_leverage",
    "expert_share",
    "granular_moe",
    "interaction",
    "joint_moe",
    "joint_moe_at",
    "routed",
    "saturated_experts",
    "sparse_autoencoder",
]

Experts = Annotated[jax.Array, Interval(1.0, np.inf)]
Share = Annotated[jax.Array, Interval(1e-6, 1.0)]
FEWEST_APART = 1e-9
"""Least of 1 / E_start - 1 / E_max: an E_max below E_start would turn the count of experts round."""


def _saturated(E: jax.Array, E_start: jax.Array, E_max: jax.Array) -> jax.Array:
    begin = 1 / jnp.maximum(1 / E_start - 1 / E_max, FEWEST_APART)
    return 1 / (1 / (E - 1 + begin) + 1 / E_max)


@relation
def saturated_experts(E: ArrayLike, E_start: float, E_max: float) -> Numbers:
    r"""The number of experts as the laws count it: E_start for one expert, never more than E_max.

    $$\frac{1}{\hat E} = \frac{1}{E - 1 + \left(1/E_{start} - 1/E_{max}\right)^{-1}} + \frac{1}{E_{max}}$$

    Args:
        E: experts.
        E_start: what one expert counts as.
        E_max: what infinitely many count as.

    Returns:
        The saturated count.

    Source: Clark et al. 2022 (arXiv:2202.01169).

    >>> saturated_experts([1, 1e9], 2.0, 300.0).round(3).tolist()
    [2.0, 300.0]
    """
    begin = 1 / (1 / E_start - 1 / E_max)
    return 1 / (1 / (np.asarray(E, dtype=float) - 1 + begin) + 1 / E_max)


def _routed_starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
    """The least-squares plane of the logarithms for each way in which experts saturate."""
    axes = grid(E_start=[1.2, 2.0, 4.0], E_max=[100.0, 400.0, 2000.0])
    x = np.log10(inputs["N"])
    y = np.log10(np.maximum(target, 1e-300))
    planes = []
    for start, most in zip(axes["E_start"], axes["E_max"], strict=True):
        z = np.log10(saturated_experts(inputs["E"], start, most))
        planes.append(np.linalg.lstsq(np.stack([x, z, x * z, np.ones_like(x)], axis=1), y, rcond=None)[0])
    return axes | dict(zip("abcd", np.transpose(planes), strict=True))


@law(
    cite="Clark et al. 2022 (arXiv:2202.01169)",
    starts=_routed_starts,
    ranges={"a": (-0.2, 0.0), "b": (-0.3, 0.0), "c": (0.0, 0.03), "d": (0.5, 2.0)}
    | {"E_start": (1.0, 6.0), "E_max": (50.0, 1000.0)},
    units={"N": "parameters that one token meets", "E": "experts", "target": "nats/token"},
    priors={
        "a": ("normal", -0.08, 0.05),
        "b": ("normal", -0.1, 0.1),
        "c": ("normal", 0.01, 0.02),
        "d": ("normal", 1.1, 0.5),
        "E_start": ("normal", 0.7, 0.5),
        "E_max": ("normal", 5.7, 0.7),
    },
)
def routed(N, E: Experts, *, a: Real, b: Real, c: Real, d: Real, E_start: Positive, E_max: Positive):
    r"""Loss of a routed model of N parameters per token and E experts, at one amount of data.

    $$\log_{10} L = a \log_{10} N + b \log_{10} \hat E + c \log_{10} N \log_{10} \hat E + d$$

    with $\hat E$ the saturated count of experts, `saturated_experts`.

    Args:
        N: parameters that one token meets (of the dense model that is routed).
        E: experts, 1 for a dense model.
        a: exponent of size at one (saturated) expert.
        b: exponent of experts at one parameter.
        c: by how much experts help less per decade of size; they stop helping at N = 10^(-b/c).
        d: level.
        E_start, E_max: what one and infinitely many experts count as.

    Returns:
        Loss in nats/token.

    Known to go wrong: it has no floor and no data, so it holds at the tokens it was fitted at (130e9 in the
    paper); E_max is barely identified; N at which experts stop helping follows from rounded constants only to
    an order of magnitude. The authors fit squared errors, `sj.SquaredError()`.

    Source: Clark et al. 2022 (S-BASE: a -.082, b -.108, c .009, d 1.104, E_start 1.847, E_max
    314.5).

    >>> constants = {"a": -0.082, "b": -0.108, "c": 0.009, "d": 1.104, "E_start": 1.847, "E_max": 314.5}
    >>> routed(1e9, [1, 64], **constants).round(3).tolist()
    [2.285, 2.086]
    """
    size = jnp.log(N) / np.log(10)
    experts = jnp.log(_saturated(E, E_start, E_max)) / np.log(10)
    return jnp.exp(np.log(10) * (a * size + b * experts + c * size * experts + d))


JOINT = "Ludziejewski et al. 2025 (arXiv:2502.05172)"


@law(
    cite=JOINT,
    ranges={
        "alpha": (-0.6, -0.1),
        "beta": (-0.6, -0.1),
        "delta": (-0.6, 0.3),
        "omega": (-0.3, 0.9),
        "gamma": (-0.02, 0.04),
        "zeta": (-0.05, 0.02),
        "E_start": (1.1, 5.0),
        "E_max": (30.0, 1000.0),
    },
    units={"N": "active parameters, embeddings included", "D": "tokens", "E": "experts"}
    | {"c": "nats/token", "target": "nats/token"},
    priors={
        "a": ("normal", 4.5, 2.0),
        "b": ("normal", 4.5, 2.0),
        "c": ("normal", 0.3, 0.5),
        "alpha": ("normal", -0.25, 0.1),
        "beta": ("normal", -0.25, 0.1),
        "delta": ("normal", -0.2, 0.3),
        "omega": ("normal", 0.3, 0.4),
        "gamma": ("normal", 0.0, 0.02),
        "zeta": ("normal", 0.0, 0.03),
        "E_start": ("normal", 0.7, 0.5),
        "E_max": ("normal", 5.5, 0.8),
    },
)
def joint_moe(
    N, D, E: Experts, *,
    a: Positive, alpha: Real, delta: Real, gamma: Real,
    b: Positive, beta: Real, omega: Real, zeta: Real,
    c: Positive, E_start: Positive, E_max: Positive,
):  # fmt: skip
    r"""Loss of a model of E experts with N active parameters trained on D tokens.

    $$L = a\,\hat E^{\delta} N^{\alpha + \gamma \ln \hat E}
      + b\,\hat E^{\omega} D^{\beta + \zeta \ln \hat E} + c$$

    with $\hat E$ the saturated count of experts, `saturated_experts`. For each E it is a `chinchilla`,
    `joint_moe_at`.

    Args:
        N: active parameters, embeddings included; one of E experts is active.
        D: training tokens.
        E: experts, 1 for a dense model.
        a, alpha: scale and exponent of size, negative as printed.
        delta, gamma: how scale and exponent of size change with experts.
        b, beta: scale and exponent of data, negative as printed.
        omega, zeta: how scale and exponent of data change with experts.
        c: irreducible loss, nats/token.
        E_start, E_max: what one and infinitely many experts count as.

    Returns:
        Loss in nats/token.

    Known to go wrong: eleven parameters ask for several sizes, amounts of data and numbers of experts each; a
    dense model is no special value (it counts as E_start experts), so a table without E = 1 says little of
    it. Compute 6ND leaves out what routing costs.

    Source: Ludziejewski et al. 2025.

    >>> constants = {"a": 35.91, "alpha": -0.1889, "delta": -0.2285, "gamma": 0.0098,
    ...              "b": 35.98, "beta": -0.1775, "omega": 0.5529, "zeta": -0.0259,
    ...              "c": 1.3637, "E_start": 2.0732, "E_max": 290.4521}
    >>> joint_moe(1e9, 2e10, [1, 8, 32], **constants).round(3).tolist()
    [2.578, 2.509, 2.455]
    """
    log_E = jnp.log(_saturated(E, E_start, E_max))
    size = a * jnp.exp(delta * log_E + (alpha + gamma * log_E) * jnp.log(N))
    data = b * jnp.exp(omega * log_E + (beta + zeta * log_E) * jnp.log(D))
    return size + data + c


@relation
def joint_moe_at(
    E: ArrayLike, *,
    a: float, alpha: float, delta: float, gamma: float,
    b: float, beta: float, omega: float, zeta: float,
    c: float, E_start: float, E_max: float,
) -> dict[str, Numbers]:  # fmt: skip
    r"""The `chinchilla` that `joint_moe` is at a number of experts: what plans for a given E are made from.

    $$A = a\,\hat E^{\delta},\quad \alpha_E = -\alpha - \gamma \ln \hat E,\quad
      B = b\,\hat E^{\omega},\quad \beta_E = -\beta - \zeta \ln \hat E$$

    Args:
        E: experts.
        a, alpha, delta, gamma, b, beta, omega, zeta, c, E_start, E_max: constants of `joint_moe`.

    Returns:
        E (the floor), A, B, alpha and beta of `chinchilla`, exponents positive there.

    Source: Ludziejewski et al. 2025, table 4.

    >>> constants = {"a": 35.91, "alpha": -0.1889, "delta": -0.2285, "gamma": 0.0098,
    ...              "b": 35.98, "beta": -0.1775, "omega": 0.5529, "zeta": -0.0259,
    ...              "c": 1.3637, "E_start": 2.0732, "E_max": 290.4521}
    >>> {name: round(float(value), 4) for name, value in joint_moe_at(8, **constants).items()}
    {'E': 1.3637, 'A': 21.8405, 'B': 119.8403, 'alpha': 0.1676, 'beta': 0.2339}
    """
    log_E = np.log(saturated_experts(E, E_start, E_max))
    return {
        "E": c,
        "A": a * np.exp(delta * log_E),
        "B": b * np.exp(omega * log_E),
        "alpha": -(alpha + gamma * log_E),
        "beta": -(beta + zeta * log_E),
    }


@law(
    cite="Krajewski et al. 2024 (arXiv:2402.07871)",
    ranges={"alpha": (0.05, 0.6), "beta": (0.05, 0.6), "gamma": (0.1, 1.5)},
    units={"N": "parameters", "D": "tokens", "G": "granularity"}
    | {"c": "nats/token", "target": "nats/token"},
    priors={
        "a": ("normal", 4.0, 2.0),
        "g": ("normal", 1.0, 2.0),
        "b": ("normal", 4.0, 2.0),
        "c": ("normal", 0.3, 0.7),
        "alpha": ("normal", 0.2, 0.1),
        "beta": ("normal", 0.2, 0.1),
        "gamma": ("normal", 0.6, 0.3),
    },
)
def granular_moe(
    N, D, G, *, a: Positive, g: Positive, gamma: Real, alpha: Real, b: Positive, beta: Real, c: Positive
):
    r"""Loss of a mixture of experts that are cut G times finer than a dense layer, at a fixed expansion.

    $$L = c + \left(\frac{g}{G^{\gamma}} + a\right) N^{-\alpha} + b\,D^{-\beta}$$

    Args:
        N: parameters.
        D: training tokens.
        G: granularity, hidden size of a dense layer over that of an expert; 1 is the usual one.
        a, alpha: scale and exponent of size at infinitely fine experts.
        g, gamma: what coarse experts add, and the exponent at which it goes.
        b, beta: scale and exponent of data.
        c: irreducible loss, nats/token.

    Returns:
        Loss in nats/token.

    Known to go wrong: at a fixed number of experts (64 in the paper); a floor as low as the printed .47 with
    exponents near .12 is not identified; the law gains from finer experts forever, routing does not. Whether
    the paper's N is active or total parameters reads differently in different places: check before use.

    Source: Krajewski et al. 2024 (a 18.1, alpha .115, b 30.8, beta .147, g 2.1, gamma .58,
    c .47).

    >>> constants = {"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47}
    >>> granular_moe(1e9, 16e9, [1, 8], **constants).round(3).tolist()
    [3.308, 3.172]
    """
    return c + (g / G**gamma + a) / N**alpha + b / D**beta


@law(
    cite="Ling Team 2025 (arXiv:2507.17702)",
    ranges={"a": (0.0, 2.5), "d": (-0.15, 0.0), "gamma": (0.0, 0.05), "beta": (-0.3, 0.0)}
    | {"A_start": (0.002, 0.1)},
    units={"A": "active over total parameters", "G": "granularity", "C": "FLOP"}
    | {"target": "compute of an equally good dense model, in multiples"},
    priors={
        "a": ("normal", 1.0, 1.0),
        "d": ("normal", -0.06, 0.06),
        "gamma": ("normal", 0.015, 0.015),
        "beta": ("normal", -0.1, 0.1),
        "A_start": ("normal", -4.0, 1.0),
    },
    target="leverage",
)
def efficiency_leverage(A: Share, G, C, *, a: Real, d: Real, gamma: Real, beta: Real, A_start: Positive):
    r"""How many times the compute a dense model needs to be as good as a mixture of experts.

    $$EL = (A + A_{start})^{\,a + d \log_{10} C + \gamma (\log_2 G)^2 + \beta \log_2 G}$$

    Args:
        A: activation ratio, the share of parameters that one token meets.
        G: granularity of the experts.
        C: training compute of the mixture, FLOP.
        a, d: exponent of the activation ratio at one FLOP, and its change per decade.
        gamma, beta: granularity; the best is 2^(-beta / (2 gamma)).
        A_start: ratio below which fewer active parameters bring nothing more.

    Returns:
        Compute of the dense model over that of the mixture.

    Known to go wrong: fitted to leverages below 6. The bases of the logarithms are not stated: with these two
    the printed constants give the printed leverages and best granularity. The paper's saturation has a second
    constant A_max 5e16, which is infinity and is left out.

    Source: Ling Team 2025 (a 1.23, d -.0761, gamma .0167, beta -.117, A_start .0163).

    >>> constants = {"a": 1.23, "d": -0.0761, "gamma": 0.0167, "beta": -0.117, "A_start": 0.0163}
    >>> round(efficiency_leverage(0.031, 12, 1e22, **constants), 3)
    7.245
    """
    grain = jnp.log(G) / np.log(2)
    exponent = a + d * jnp.log(C) / np.log(10) + gamma * grain**2 + beta * grain
    return jnp.exp(exponent * jnp.log(A + A_start))


@law(
    cite="Lin et al. 2025, SLDBench (arXiv:2507.21184), best form found for its routed models",
    ranges={"a": (0.1, 1.0), "b": (0.1, 1.5), "E_0": (10.0, 3000.0)},
    starts=lambda inputs, target: grid(
        a=[0.2, 0.35, 0.5, 0.7], b=[0.3, 0.6, 1.0], g=np.geomspace(1.0, 3e3, 6), E_0=[30.0, 150.0, 1000.0]
    ),
    units={"N": "parameters that one token meets", "E": "experts"}
    | {"L_inf": "nats/token", "target": "nats/token"},
    priors={
        "L_inf": ("normal", 0.4, 0.5),
        "A": ("normal", 5.0, 3.0),
        "a": ("normal", 0.35, 0.2),
        "g": ("normal", 3.0, 3.0),
        "b": ("normal", 0.6, 0.4),
        "E_0": ("normal", 5.0, 1.5),
    },
)
def expert_share(
    N, E: Experts, *, L_inf: Positive, A: Positive, a: Real, g: Positive, b: Real, E_0: Positive
):
    r"""Loss of routed models with a floor, where experts add to the size at a saturating rate.

    $$L = L_\infty + \frac{A}{N^{a} + g\,E^{b} / (1 + E / E_0)}$$

    Args:
        N: parameters that one token meets.
        E: experts, 1 for a dense model.
        L_inf: irreducible loss at the data used, nats/token.
        A, a: scale and exponent of size.
        g, b: what experts add to N^a.
        E_0: experts at which a further one adds half of what it would.

    Returns:
        Loss in nats/token.

    Known to go wrong: found by search over formulas on one table, not derived; at one amount of data; for
    b < 1 many experts take away again what fewer added.

    Source: Lin et al. 2025, SLDBench, task of the routed models.

    >>> expert_share(1e9, [1, 64], L_inf=1.6, A=700.0, a=0.32, g=30.0, b=0.7, E_0=200.0).round(3).tolist()
    [2.488, 2.195]
    """
    return L_inf + A / (N**a + g * E**b / (1 + E / E_0))


@law(
    cite="Gao et al. 2024 (arXiv:2406.04093); Liew et al. 2025 (arXiv:2502.03009)",
    ranges={"p_1": (-1.0, 0.3), "p_2": (-1.0, 0.3), "p_12": (-0.05, 0.05)},
    priors={
        "E": ("normal", 0.0, 2.0),
        "A": ("normal", 3.0, 4.0),
        "p_1": ("normal", -0.2, 0.4),
        "p_2": ("normal", -0.2, 0.4),
        "p_12": ("normal", 0.0, 0.05),
    },
)
def interaction(x1, x2, *, E: Positive, A: Positive, p_1: Real, p_2: Real, p_12: Real):
    r"""A floor and a product of powers of two resources, each of which changes the other's exponent.

    $$L = E + A\,x_1^{p_1}\,x_2^{p_2}\,e^{p_{12} \ln x_1 \ln x_2}$$

    Sparsity against active parameters of up-cycled models, latents against active latents of sparse
    autoencoders. Without the last factor it is a product of powers over a floor.

    Args:
        x1, x2: the two resources.
        E: floor.
        A: scale.
        p_1, p_2: exponents where the other resource is 1.
        p_12: change of each exponent per factor e of the other resource.

    Returns:
        The loss, in the unit of the target.

    Known to go wrong: exponents are those at the other resource's unit: with parameters counted one by one
    they are far outside the data and nearly collinear with p_12, so count in units of a typical size. Beyond
    the table an exponent may change its sign.

    Source: Gao et al. 2024 (where a second such term takes the floor's place); Liew et al. 2025.

    >>> interaction([1.0, 8.0], 10.0, E=1.0, A=2.0, p_1=-0.2, p_2=-0.3, p_12=0.02).round(4).tolist()
    [2.0024, 1.7278]
    """
    log_1, log_2 = jnp.log(x1), jnp.log(x2)
    return E + A * jnp.exp(p_1 * log_1 + p_2 * log_2 + p_12 * log_1 * log_2)


@law(
    cite="Gao et al. 2024 (arXiv:2406.04093)",
    ranges={"p_n": (-0.5, 0.0), "p_k": (-0.5, 0.5), "p_nk": (-0.1, 0.1), "q": (-0.5, 0.0)},
    units={"n": "latents", "k": "active latents", "target": "normalised squared error"},
    priors={
        "A": ("normal", 0.0, 2.0),
        "p_n": ("normal", 0.0, 0.3),
        "p_k": ("normal", 0.0, 0.4),
        "p_nk": ("normal", 0.0, 0.05),
        "Z": ("normal", -1.0, 1.5),
        "q": ("normal", -0.1, 0.2),
    },
    target="error",
)
def sparse_autoencoder(n, k, *, A: Positive, p_n: Real, p_k: Real, p_nk: Real, Z: NonNegative, q: Real):
    r"""Error of a sparse autoencoder of n latents, k of them active.

    $$L = A\,n^{p_n}\,k^{p_k}\,e^{p_{nk} \ln n \ln k} + Z\,k^{q}$$

    It is `interaction` above a floor that k active latents leave however many there are.

    Args:
        n: latents.
        k: active latents.
        A: scale.
        p_n, p_k: exponents of latents at one active latent, and of active ones at one latent.
        p_nk: change of each exponent per factor e of the other number.
        Z, q: floor at one active latent, and its exponent.

    Returns:
        Error, in the unit of the target.

    Known to go wrong: exponents at one latent are far outside any table and nearly collinear with p_nk. The
    floor is below what was trained and decides what more latents are worth.

    Source: Gao et al. 2024; the paper writes exponentials of sums of logarithms.

    >>> at = {"A": 0.6, "p_n": -0.017, "p_k": 0.26, "p_nk": -0.042, "Z": 0.27, "q": -0.085}
    >>> sparse_autoencoder([2048.0, 131072.0], 32.0, **at).round(4).tolist()
    [0.6289, 0.4187]
    """
    log_n, log_k = jnp.log(n), jnp.log(k)
    return A * jnp.exp(p_n * log_n + p_k * log_k + p_nk * log_n * log_k) + Z * jnp.exp(q * log_k)
