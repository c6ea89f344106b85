"""Power laws in one input, with and without a floor, and products of powers in any number of inputs."""

from __future__ import annotations

from typing import Any

from scaling_jax.domains import POSITIVE, REAL, Positive, Real
from scaling_jax.law import Law, Parameter, law

__all__ = ["power_law", "power_law_floor", "power_product"]

EXPONENT = (0.02, 1.5)


@law(
    cite="Hestness et al. 2017 (arXiv:1712.00409); M1 of Alabdulmohsin et al. 2022 (arXiv:2209.06640)",
    ranges={"alpha": EXPONENT},
    priors={"A": ("normal", 0.0, 5.0), "alpha": ("normal", 0.3, 0.5)},
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

    Known to go wrong: near a floor the line bends, and extrapolation is too optimistic; use `power_law_floor`.

    >>> power_law(100.0, A=5.0, alpha=0.5)
    0.5
    """
    return A * x**-alpha


@law(
    cite="Hestness et al. 2017 (arXiv:1712.00409); M2 of Alabdulmohsin et al. 2022 (arXiv:2209.06640)",
    ranges={"alpha": EXPONENT},
    priors={"E": ("normal", 0.0, 2.0), "A": ("normal", 0.0, 5.0), "alpha": ("normal", 0.3, 0.5)},
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

    Known to go wrong: with less than about a decade of x, or an exponent below 0.05, floor and exponent trade off and E
    may go to zero; the certificate says so.

    >>> power_law_floor(100.0, E=1.0, A=5.0, alpha=0.5)
    1.5
    """
    return E + A * x**-alpha


def power_product(*inputs: str) -> Law:
    r"""A product of powers in any number of named inputs: the form of hyper-parameter laws and of N*(C).

    $$y = A \prod_i x_i^{p_i}$$

    Learning rate or batch size against N and D (Kaplan et al. 2020; DeepSeek 2024; Li et al. 2025, arXiv:2503.04715), optimal size
    against compute (Hoffmann et al. 2022). Exponents are called `p_` and the input's name; the target is called `y`.

    Args:
        inputs: names of the inputs, at least one.

    Returns:
        The law; it pickles and compares by the names.

    Raises:
        TypeError: without inputs.

    >>> power_product("N", "D")
    <law power_product(N, D; A, p_N, p_D)>
    >>> power_product("C")(100.0, A=3.0, p_C=0.5)
    30.0
    """

    def product(*values: Any, A: Any, **powers: Any) -> Any:
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
        cite="Kaplan et al. 2020 (arXiv:2001.08361), section 6; Hoffmann et al. 2022 (arXiv:2203.15556), section 3",
        recipe=(__name__, "power_product", inputs),
    )
