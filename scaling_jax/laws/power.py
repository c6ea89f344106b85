"""Power laws in one input, with and without a floor, and products and sums of powers in several."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from scaling_jax.core.checked import checked
from scaling_jax.core.domains import POSITIVE, REAL, Positive, Real
from scaling_jax.core.law import Law, Parameter, law

__all__ = ["compute_frontier", "compute_only", "power_law", "power_law_floor", "power_product", "power_sum"]

EXPONENT = (0.02, 1.5)


@law(
    cite="Hestness et al. 2017 (arXiv:1712.00409); M1 of Alabdulmohsin et al. 2022 (arXiv:2209.06640)",
    ranges={"alpha": EXPONENT},
    priors={"A": ("normal", 0.0, 5.0), "alpha": ("normal", 0.3, 0.5)},
    neighbours=("power_law_floor", "shifted_power_law"),
)
def power_law(x, *, A: Positive, alpha: Real):
    r"""Loss as a pure power of one resource: a straight line on log-log axes.

    $$L(x) = A\,x^{-\alpha}$$

    Args:
        x: the resource (parameters, tokens, FLOP, examples).
        A: loss at x = 1.
        alpha: exponent; positive when more helps.

    Returns:
        The loss, in the unit of the target.

    Known to go wrong: near a floor the line bends, and extrapolation is too optimistic; use
    `power_law_floor`.

    Source: Hestness et al. 2017, section 3; estimator M1 of Alabdulmohsin et al. 2022.

    >>> power_law(100.0, A=5.0, alpha=0.5)
    0.5
    """
    return A * x**-alpha


@law(
    cite="Hestness et al. 2017 (arXiv:1712.00409); M2 of Alabdulmohsin et al. 2022 (arXiv:2209.06640)",
    ranges={"alpha": EXPONENT},
    priors={"E": ("normal", 0.0, 2.0), "A": ("normal", 0.0, 5.0), "alpha": ("normal", 0.3, 0.5)},
    neighbours=("shifted_power_law", "ceiling_power_law"),
)
def power_law_floor(x, *, E: Positive, A: Positive, alpha: Real):
    r"""Loss falling as a power of one resource towards an irreducible floor.

    $$L(x) = E + A\,x^{-\alpha}$$

    Args:
        x: the resource (parameters, tokens, FLOP, examples).
        E: floor, in the unit of the loss.
        A: reducible loss at x = 1.
        alpha: exponent of the reducible part.

    Returns:
        The loss, in the unit of the target.

    Known to go wrong: with less than about a decade of x, or an exponent below 0.05, floor and exponent trade
    off and E may go to zero; the certificate says so.

    Source: Hestness et al. 2017, section 3; estimator M2 of Alabdulmohsin et al. 2022.

    >>> power_law_floor(100.0, E=1.0, A=5.0, alpha=0.5)
    1.5
    """
    return E + A * x**-alpha


@law(
    cite="Porian et al. 2024 (arXiv:2406.19146), section 3; Hoffmann et al. 2022 (arXiv:2203.15556)",
    ranges={"gamma": (0.02, 0.5)},
    units={"C": "FLOP", "E": "nats/token", "target": "nats/token"},
    priors={"E": ("normal", 0.5, 0.5), "A": ("normal", 5.0, 4.0), "gamma": ("normal", 0.15, 0.08)},
)
def compute_frontier(C, *, E: Positive, A: Positive, gamma: Real):
    r"""Lowest loss reachable with compute C: the saturating frontier.

    $$L^*(C) = E + A\,C^{-\gamma}$$

    Args:
        C: compute, FLOP.
        E: irreducible loss, nats/token.
        A: reducible loss at one FLOP.
        gamma: exponent; alpha beta / (alpha + beta) of a Chinchilla law.

    Returns:
        Loss in nats/token.

    Known to go wrong: over the few decades of compute that anybody has, E is barely identified.

    Source: Porian et al. 2024, section 3.

    >>> round(compute_frontier(1e21, E=1.8, A=1000.0, gamma=0.15), 4)
    2.5079
    """
    return E + A * C**-gamma


@law(
    cite="Guo 2024 (arXiv:2404.19484)",
    units={"C": "FLOP", "target": "bits/character"},
    priors={"a": ("normal", 3.0, 3.0), "b": ("normal", 0.05, 0.1)},
    neighbours=("compute_frontier",),
)
def compute_only(C, *, a: Real, b: Real):
    r"""Bits per character as a line in log compute, however it is split between size and data.

    $$L(C) = a - b\,\ln C$$

    Args:
        C: training compute, FLOP.
        a: value at one FLOP, in the unit of the target.
        b: gain per factor e of compute.

    Returns:
        The target, bits per character in the paper.

    Known to go wrong: it goes through zero, so it is a description inside the data and a baseline to beat,
    not a law to extrapolate. The published equation could not be checked; this is its claim, that the split
    hardly matters.

    Source: Guo 2024, abstract.

    >>> round(compute_only(1e24, a=3.0, b=0.045), 4)
    0.5132
    """
    return a - b * jnp.log(C)


@checked
def power_product(*inputs: str) -> Law:
    r"""A product of powers in any number of named inputs: the form of hyper-parameter laws and of N*(C).

    $$y = A \prod_i x_i^{p_i}$$

    Learning rate or batch size against N and D (Kaplan et al. 2020; DeepSeek 2024; Li et al. 2025,
    arXiv:2503.04715), optimal size against compute (Hoffmann et al. 2022). Exponents are called `p_` and the
    input's name; the target is called `y`.

    Args:
        inputs: names of the inputs, at least one.

    Returns:
        The law; it pickles and compares by the names.

    Raises:
        TypeError: without inputs, or with a name that occurs twice or is a parameter's.

    Source: Kaplan et al. 2020, section 6; Hoffmann et al. 2022, section 3.

    >>> power_product("N", "D")
    <law power_product(N, D; A, p_N, p_D)>
    >>> power_product("C")(100.0, A=3.0, p_C=0.5)
    30.0
    """

    def product(*values: jax.Array, A: jax.Array, **powers: jax.Array) -> jax.Array:
        out = A
        for name, value in zip(inputs, values, strict=True):
            out = out * value ** powers[f"p_{name}"]
        return out

    product.__doc__ = "A product of powers of its inputs.\n\n" + r"$$y = A \prod_i x_i^{p_i}$$"
    exponents = tuple(f"p_{name}" for name in inputs)
    return Law(
        product,
        name="power_product",
        inputs=dict.fromkeys(inputs, POSITIVE),
        params=(
            Parameter("A", POSITIVE, prior=("normal", 0.0, 10.0)),
            *(Parameter(e, REAL, prior=("normal", 0.0, 1.0)) for e in exponents),
        ),
        ranges=dict.fromkeys(exponents, (-1.5, 1.5)),
        target="y",
        cite="Kaplan et al. 2020 (arXiv:2001.08361), section 6; "
        "Hoffmann et al. 2022 (arXiv:2203.15556), section 3",
        recipe=(__name__, "power_product", inputs),
    )


@checked
def power_sum(*inputs: str) -> Law:
    r"""A floor plus one power term per named input: Chinchilla's form over any set of resources.

    $$L = E + \sum_i A_i\,x_i^{-\alpha_i}$$

    Width, depth and tokens (McLeish et al. 2025, Gemstones), parameters, tokens and batch size, and so on.
    Parameters are called `A_` and `alpha_` and the input's name.

    Args:
        inputs: names of the inputs, at least one.

    Returns:
        The law; it pickles and compares by the names.

    Raises:
        TypeError: without inputs, or with a name that occurs twice or is a parameter's.

    Known to go wrong: a term that the table does not vary is confused with the floor; with three terms and
    more the floor may vanish, which the certificate flags.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), eq. 2, extended as in McLeish et al. 2025
    (arXiv:2502.06857).

    >>> power_sum("N", "D")
    <law power_sum(N, D; E, A_N, alpha_N, A_D, alpha_D)>
    >>> round(power_sum("N", "D")(70e9, 1.4e12, E=1.69, A_N=406.4, alpha_N=0.34, A_D=410.7, alpha_D=0.28), 3)
    1.937
    """

    def total(*values: jax.Array, E: jax.Array, **terms: jax.Array) -> jax.Array:
        out = E
        for name, value in zip(inputs, values, strict=True):
            out = out + terms[f"A_{name}"] * value ** -terms[f"alpha_{name}"]
        return out

    total.__doc__ = "A floor plus one power term per input.\n\n" + r"$$L = E + \sum_i A_i\,x_i^{-\alpha_i}$$"
    terms = [
        parameter
        for name in inputs
        for parameter in (
            Parameter(f"A_{name}", POSITIVE, prior=("normal", 3.0, 4.0)),
            Parameter(f"alpha_{name}", REAL, prior=("normal", 0.3, 0.3)),
        )
    ]
    return Law(
        total,
        name="power_sum",
        inputs=dict.fromkeys(inputs, POSITIVE),
        params=(Parameter("E", POSITIVE, prior=("normal", 0.5, 0.5)), *terms),
        ranges={f"alpha_{name}": (0.05, 1.2) for name in inputs},
        cite="Hoffmann et al. 2022 (arXiv:2203.15556), eq. 2; McLeish et al. 2025 (arXiv:2502.06857)",
        recipe=(__name__, "power_sum", inputs),
    )
