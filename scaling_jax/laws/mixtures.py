"""Data mixtures (Ye et al. 2024, Ge et al. 2024, Shukor et al. 2025): loss on one domain against shares.

Factories over the names of the domains, whose inputs are their shares, which add up to one; and a law of one
share. Losses on several domains are as many fits of one table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.checked import checked
from scaling_jax.core.domains import (
    NON_NEGATIVE,
    POSITIVE,
    REAL,
    UNIT,
    Domain,
    Interval,
    NonNegative,
    Positive,
    Real,
)
from scaling_jax.core.law import Law, Parameter, law
from scaling_jax.laws._shares import power_of_share
from scaling_jax.laws._starts import non_negative_scales

__all__ = ["mixing_bivariate", "mixing_exponential", "mixing_power", "mixture_additive", "mixture_joint"]

YE = "Ye et al. 2024 (arXiv:2403.16952)"
SHUKOR = "Shukor et al. 2025 (arXiv:2507.09404)"
LOG_WORTH = Interval(-8.0, 12.0)
"""Beyond these a term has died or is all there is: unbounded, fits of real tables end there."""
BEND = Interval(0.02, 6.0)
EXPONENT = (0.05, 1.0)
LEAST_WORTH = 1e-12
Part = Annotated[jax.Array, Interval(1e-6, 1.0)]


def _made(
    factory: str, domains: tuple[str, ...], fn: Callable[..., jax.Array], doc: str, shared: list[Parameter],
    each: dict[str, tuple[Domain, tuple[str, float, float], tuple[float, float] | None]], cite: str,
    extra: tuple[str, ...] = (), starts: Callable[..., dict[str, np.ndarray]] | None = None,
    ranges: dict[str, tuple[float, float]] | None = None,
) -> Law:  # fmt: skip
    """A law of the shares of some domains, with the parameters `each` domain has and those `shared`."""
    if len(domains) < 2:
        raise TypeError(f"{factory}{domains}: a mixture needs the names of two or more domains.")
    fn.__doc__ = doc
    own = [
        Parameter(f"{name}_{domain}", kind, prior=prior)
        for name, (kind, prior, _) in each.items()
        for domain in domains
    ]
    spread = {
        f"{name}_{domain}": limits for name, (_, _, limits) in each.items() if limits for domain in domains
    }
    return Law(
        fn,
        name=factory,
        inputs=dict.fromkeys(domains, UNIT) | dict.fromkeys(extra, POSITIVE),
        params=[*shared, *own],
        starts=starts,
        ranges=(ranges or {}) | spread,
        units=dict.fromkeys(domains, "share") | {"target": "nats/token"},
        cite=cite,
        simplex=domains,
        recipe=(__name__, factory, domains),
    )


@checked
def mixing_exponential(*domains: str) -> Law:
    r"""Loss on one domain as an exponential of the shares of all: the data mixing law.

    $$L = c + \exp\Big(\sum_j t_j r_j\Big)$$

    Args:
        domains: names of the domains; the inputs are their shares r, and each has a parameter t_.

    Returns:
        The law; it pickles and compares by the names.

    Raises:
        TypeError: with fewer than two domains, or names that occur twice or are a parameter's.

    Known to go wrong: the paper writes k exp(t.r), but shares add up to one, so k is the same as ln k added
    to every t, and is left out: its k and t are these with t + ln k. Rank deficient where shares do not vary
    freely; at one size and number of steps. The authors fit raw losses, `sj.Huber(0.01, on="raw")`.

    Source: Ye et al. 2024, eq. 1.

    >>> law = mixing_exponential("code", "books")
    >>> law
    <law mixing_exponential(code, books; c, t_code, t_books)>
    >>> law([0.2, 0.8], [0.8, 0.2], c=1.0, t_code=-1.0, t_books=0.5).round(4).tolist()
    [2.2214, 1.4966]
    """

    def mixed(*shares: jax.Array, c: jax.Array, **t: jax.Array) -> jax.Array:
        return c + jnp.exp(_weighted(t, "t", domains, shares))

    def starts(inputs: dict[str, np.ndarray], target: np.ndarray) -> dict[str, np.ndarray]:
        """The least-squares exponent for floors from far below the lowest loss to just under it."""
        shares = np.stack([inputs[name] for name in domains], axis=1)
        low, spread = np.min(target), max(float(np.ptp(target)), 1e-9)
        floors = np.clip(low - spread * np.geomspace(0.03, 30.0, 10), 0.0, None)
        fits = [np.linalg.lstsq(shares, np.log(target - floor), rcond=None)[0] for floor in floors]
        return {"c": floors} | {f"t_{name}": np.array(fits)[:, j] for j, name in enumerate(domains)}

    return _made(
        "mixing_exponential", domains, mixed,
        "A floor and an exponential of shares.\n\n" + r"$$L = c + \exp(\sum_j t_j r_j)$$",
        [Parameter("c", NON_NEGATIVE, prior=("halfnormal", 0.0, 2.0))],
        {"t": (REAL, ("normal", 0.0, 3.0), None)}, f"{YE}, eq. 1", starts=starts,
    )  # fmt: skip


@checked
def mixing_power(*domains: str) -> Law:
    r"""Loss on one domain as a weighted sum of one power of all shares.

    $$L = b + \sum_j w_j r_j^{a}$$

    Args:
        domains: names of the domains; the inputs are their shares r, and each has a parameter w_.

    Returns:
        The law; it pickles and compares by the names.

    Raises:
        TypeError: with fewer than two domains, or names that occur twice or are a parameter's.

    Known to go wrong: at a = 1 it is linear, and b is then the same as b added to every w. Small shares are
    where a power below one bends: a table without them does not determine a.

    Source: Lin et al. 2025, SLDBench (arXiv:2507.21184), best form found for Ye et al.'s mixtures.

    >>> law = mixing_power("code", "books")
    >>> law([0.0, 0.8], [1.0, 0.2], b=2.0, w_code=-1.0, w_books=0.5, a=0.5).round(4).tolist()
    [2.5, 1.3292]
    """

    def mixed(*shares: jax.Array, b: jax.Array, a: jax.Array, **w: jax.Array) -> jax.Array:
        return b + _weighted(w, "w", domains, [power_of_share(share, a) for share in shares])

    return _made(
        "mixing_power", domains, mixed,
        "A weighted sum of powers of shares.\n\n" + r"$$L = b + \sum_j w_j r_j^{a}$$",
        [
            Parameter("b", REAL, prior=("normal", 2.0, 2.0)),
            Parameter("a", POSITIVE, prior=("normal", -0.7, 0.7)),
        ],
        {"w": (REAL, ("normal", 0.0, 2.0), None)},
        "Lin et al. 2025, SLDBench (arXiv:2507.21184)", ranges={"a": (0.05, 1.5)},
    )  # fmt: skip


@checked
def mixture_additive(*domains: str) -> Law:
    r"""Loss on one domain of a model of size N after D tokens of a mixture: Chinchilla and a term of shares.

    $$L = E + \frac{1}{\sum_i C_i h_i^{g_i}} + A\Big(\frac{N}{10^9}\Big)^{-\alpha}
      + B\Big(\frac{D}{10^{10}}\Big)^{-\beta}$$

    Args:
        domains: names of the domains; the inputs are their shares h, then N and D. Each domain has the
            parameters logC_, the logarithm of its worth C (within e^-8 and e^12), and g_. A and B are what
            1e9 parameters and 1e10 tokens lack, in the loss's unit: Chinchilla's are A 1e9^alpha and
            B 1e10^beta.

    Returns:
        The law; it pickles and compares by the names.

    Raises:
        TypeError: with fewer than two domains, or names that occur twice or are a parameter's.

    Known to go wrong: a large C removes the mixture from the law, and many starts that begin there agree on
    it; hence the bounds, at which a warning is said. A domain that is worth nothing ends at e^-8, with no g.
    Checkpoints of one run are not independent, `run=`. The authors fit `sj.Huber(1e-3, on="raw")`.

    Source: Shukor et al. 2025, additive law.

    >>> mixture_additive("code", "books").params
    ('E', 'A', 'alpha', 'B', 'beta', 'logC_code', 'logC_books', 'g_code', 'g_books')
    """

    def mixed(*inputs: jax.Array, E, A, alpha, B, beta, **own: jax.Array) -> jax.Array:
        shares, (N, D) = inputs[: len(domains)], inputs[len(domains) :]
        of_size = A * (N / AT_SIZE) ** -alpha + B * (D / AT_TOKENS) ** -beta
        return E + 1 / _worth(own, domains, shares) + of_size

    return _made(
        "mixture_additive", domains, mixed,
        "Chinchilla and a term of shares.\n\n"
        + r"$$L = E + 1/\sum_i C_i h_i^{g_i} + A\,(N/10^9)^{-\alpha} + B\,(D/10^{10})^{-\beta}$$",
        CHINCHILLA, OF_SHARES, f"{SHUKOR}, additive law", ("N", "D"), starts=partial(_staged, domains, False),
        ranges={"alpha": EXPONENT, "beta": EXPONENT},
    )  # fmt: skip


@checked
def mixture_joint(*domains: str) -> Law:
    r"""Loss on one domain of a model of size N after D tokens, where the mixture changes what both are worth.

    $$L = E + \frac{1}{\sum_i C_i h_i^{g_i}} + A_h\Big(\frac{N}{10^9}\Big)^{-\alpha}
      + B_h\Big(\frac{D}{10^{10}}\Big)^{-\beta}, \quad
      A_h = \Big(\sum_i h_i A_i^{1/g_A}\Big)^{g_A}, \quad B_h = \Big(\sum_i h_i B_i^{1/g_B}\Big)^{g_B}$$

    Args:
        domains: names of the domains; the inputs are their shares h, then N and D. Each domain has the
            parameters logC_ and g_ of `mixture_additive`, and A_ and B_, what 1e9 parameters and 1e10 tokens
            of this domain alone lack. gA and gB (0.2 to 5) say how they average: 1 plainly, large by logs.

    Returns:
        The law; it pickles and compares by the names. With equal A_ and equal B_ it is `mixture_additive`.

    Raises:
        TypeError: with fewer than two domains, or names that occur twice or are a parameter's.

    Known to go wrong: as `mixture_additive`, with 5 + 4k parameters. The paper writes A_h as (sum of C_i
    h_i)^gA over N in parameters; that is this law with C_i = (A_i 1e9^alpha)^(1/gA), whose C run to 0 or
    infinity with gA while A_ stays. gA and gB hardly matter (.4 % of the objective on seven domains and 2,088
    rows) and often end on a bound.

    Source: Shukor et al. 2025, joint law.

    >>> len(mixture_joint("code", "books").params)
    13
    """

    def mixed(*inputs: jax.Array, E, alpha, beta, gA, gB, **own: jax.Array) -> jax.Array:
        shares, (N, D) = inputs[: len(domains)], inputs[len(domains) :]
        A, B = _mean(own, "A", domains, shares, gA), _mean(own, "B", domains, shares, gB)
        of_size = A * (N / AT_SIZE) ** -alpha + B * (D / AT_TOKENS) ** -beta
        return E + 1 / _worth(own, domains, shares) + of_size

    return _made(
        "mixture_joint", domains, mixed,
        "Chinchilla with scales and a floor that depend on shares.\n\n"
        + r"$$L = E + \frac{1}{\sum_i C_i h_i^{g_i}} "
        r"+ \big(\sum_i h_i A_i^{1/g_A}\big)^{g_A} (N/10^9)^{-\alpha} "
        r"+ \big(\sum_i h_i B_i^{1/g_B}\big)^{g_B} (D/10^{10})^{-\beta}$$",
        [*(p for p in CHINCHILLA if p.name not in "AB"), *AVERAGES],
        OF_SHARES | dict.fromkeys("AB", (POSITIVE, ("normal", -1.0, 1.5), None)),
        f"{SHUKOR}, joint law", ("N", "D"), starts=partial(_staged, domains, True),
        ranges={"alpha": EXPONENT, "beta": EXPONENT},
    )  # fmt: skip


@law(
    cite="Ge et al. 2024, BiMix (arXiv:2405.14908)",
    ranges={"a": (0.01, 0.5), "b": (0.05, 1.5)},
    units={"r": "share", "s": "updates or tokens", "target": "nats/token"},
    priors={
        "a": ("normal", -2.5, 1.0),
        "B": ("normal", 2.0, 3.0),
        "b": ("normal", 0.4, 0.3),
        "C": ("normal", 0.5, 0.6),
    },
)
def mixing_bivariate(r: Part, s, *, a: NonNegative, B: Positive, b: Real, C: Positive):
    r"""Loss on one domain from its own share r and how long was trained: a product of both.

    $$L = r^{-a} \left(\frac{B}{s^{b}} + C\right)$$

    Args:
        r: share of the domain, above 0.
        s: updates, or tokens.
        a: exponent of the share.
        B, b: scale and exponent of training at a share of one.
        C: loss of endless training at a share of one, nats/token.

    Returns:
        Loss in nats/token.

    Known to go wrong: only the domain's own share counts, so domains that help each other are not described;
    at no share the loss is infinite. At one size and one schedule. The paper's fifth constant, a scale of
    the share, is the same as one of B and C.

    Source: Ge et al. 2024.

    >>> mixing_bivariate([0.1, 1.0], 1e4, a=0.1, B=20.0, b=0.4, C=1.5).round(4).tolist()
    [2.5208, 2.0024]
    """
    return r**-a * (B / s**b + C)


AT_SIZE, AT_TOKENS = 1e9, 1e10
"""Where A and B are what the loss lacks: there they do not move with the exponents."""
CHINCHILLA = [
    Parameter("E", NON_NEGATIVE, prior=("halfnormal", 0.0, 2.0)),
    Parameter("A", POSITIVE, prior=("normal", -1.0, 1.5)),
    Parameter("alpha", REAL, prior=("normal", 0.3, 0.2)),
    Parameter("B", POSITIVE, prior=("normal", -1.0, 1.5)),
    Parameter("beta", REAL, prior=("normal", 0.3, 0.2)),
]
AVERAGES = [Parameter(name, Interval(0.2, 5.0), prior=("normal", 1.0, 1.0)) for name in ("gA", "gB")]
OF_SHARES: dict[str, tuple[Domain, tuple[str, float, float], tuple[float, float] | None]] = {
    "logC": (LOG_WORTH, ("normal", 1.0, 3.0), None),
    "g": (BEND, ("normal", 0.8, 0.8), (0.1, 2.0)),
}
EXPONENTS = [(alpha, beta) for alpha in (0.15, 0.3, 0.5) for beta in (0.3, 0.6)]
FLOORS, BENDS = (0.3, 0.7, 0.95), (0.3, 0.8)
LEAST_SCALE = 0.02  # of what is to start as a term of size or data


def _staged(
    domains: tuple[str, ...], joint: bool, inputs: dict[str, np.ndarray], target: np.ndarray
) -> dict[str, np.ndarray]:
    """Size and data by least squares, then the worths C that make up what is left above a floor E.

    Given all else 1/(what is left) is linear in the worths.
    """
    shares = np.stack([inputs[name] for name in domains], axis=1)
    size, tokens = inputs["N"] / AT_SIZE, inputs["D"] / AT_TOKENS
    found: dict[str, list[float]] = {}
    for alpha, beta in EXPONENTS:
        terms = np.stack([size**-alpha, tokens**-beta], axis=1)
        scales = non_negative_scales(np.column_stack([np.ones(len(terms)), terms]), target)
        A, B = np.maximum(scales[1:], LEAST_SCALE)
        left = target - terms @ [A, B]
        for part, bend in product(FLOORS, BENDS):
            E = max(part * left.min(), 0.0)
            above = np.maximum(left - E, 1e-3)
            worth = non_negative_scales(shares**bend, 1 / above)
            worth = np.maximum(worth, 1e-2 * worth.max())
            one = {"E": E, "alpha": alpha, "beta": beta}
            if joint:
                one |= (
                    {"gA": 1.0, "gB": 1.0} | {f"A_{d}": A for d in domains} | {f"B_{d}": B for d in domains}
                )
            else:
                one |= {"A": A, "B": B}
            one |= {f"logC_{d}": np.log(w) for d, w in zip(domains, worth, strict=True)}
            one |= {f"g_{d}": bend for d in domains}
            for name, value in one.items():
                found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def _mean(
    own: dict[str, jax.Array], name: str, domains: tuple[str, ...], shares, bend: jax.Array
) -> jax.Array:
    """The mean of a positive parameter over a mixture, taken of its powers 1/bend."""
    logs = jnp.stack([jnp.log(own[f"{name}_{domain}"]) for domain in domains])
    middle = jnp.mean(logs)
    return jnp.exp(middle) * jnp.sum(jnp.stack(shares) * jnp.exp((logs - middle) / bend)) ** bend


def _weighted(own: dict[str, jax.Array], name: str, domains: tuple[str, ...], values) -> jax.Array:
    """Values of the domains, each times its parameter of that name, added up."""
    first, *others = (own[f"{name}_{domain}"] * value for domain, value in zip(domains, values, strict=True))
    return sum(others, first)


def _worth(own: dict[str, jax.Array], domains: tuple[str, ...], shares) -> jax.Array:
    """Sum over the domains of C h^g, a trace where there is no domain at all."""
    first, *others = (
        jnp.exp(own[f"logC_{domain}"]) * power_of_share(share, own[f"g_{domain}"])
        for domain, share in zip(domains, shares, strict=True)
    )
    return jnp.maximum(sum(others, first), LEAST_WORTH)
