"""Priors: what a law carries, what it gets where it carries none, and how a user's own replace them by name.

A law's prior is (family, location, scale) on the search coordinate; NumPyro's distributions here are on
natural units, which is also where a user states theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from scaling_jax.core.checked import shown
from scaling_jax.core.domains import Domain
from scaling_jax.core.law import Parameter

if TYPE_CHECKING:
    from jax.typing import ArrayLike
    from numpyro.distributions import Distribution
    from numpyro.distributions.transforms import Transform

__all__ = [
    "NOISE_PRIORS",
    "coordinate_of",
    "default_prior",
    "noise_prior",
    "population_priors",
    "read_priors",
]

WIDE_LOG = 3.0  # natural logs: a factor of 20 either way per standard deviation
WIDE_REAL = 1.0
NOISE_PRIORS = ("sigma", "nu", "run_sd")
PROBES = (np.arange(2000) + 0.5) / 2000


def default_prior(parameter: Parameter, fitted: np.ndarray) -> Distribution:
    """The law's own prior on natural units, else a wide one around the fitted values, by domain.

    Positive: log-normal around the fit, three natural logs wide. Real: normal around the fit, as wide as its
    size and at least 1. Non-negative: half-normal of twice the fit's size. Bounded: uniform.
    """
    import numpyro.distributions as dist

    domain = parameter.domain
    if parameter.prior is not None:
        return _from_family(parameter.name, domain, *parameter.prior)
    known = fitted[np.isfinite(fitted)]
    centre = float(np.median(known)) if len(known) else 1.0
    if domain.log:
        return dist.LogNormal(np.clip(np.log(max(centre, 1e-300)), -50.0, 50.0), WIDE_LOG)
    if np.isfinite(domain.lower) and np.isfinite(domain.upper):
        return dist.Uniform(domain.lower, domain.upper)
    if np.isfinite(domain.lower) or np.isfinite(domain.upper):
        edge, side = (domain.lower, 1.0) if np.isfinite(domain.lower) else (domain.upper, -1.0)
        half = dist.HalfNormal(2 * max(abs(centre - edge), 0.5 * WIDE_REAL))
        return (
            half
            if (edge, side) == (0.0, 1.0)
            else dist.TransformedDistribution(half, dist.transforms.AffineTransform(edge, side))
        )
    return dist.Normal(centre, max(abs(centre), WIDE_REAL))


def _from_family(name: str, domain: Domain, family: str, location: float, scale: float) -> Distribution:
    import numpyro.distributions as dist

    low, high = domain.search_bounds
    bounded = np.isfinite(low) or np.isfinite(high)
    if family == "normal":
        if domain.log:
            return dist.LogNormal(location, scale)
        if not bounded:
            return dist.Normal(location, scale)
        edges = {k: v for k, v in (("low", low), ("high", high)) if np.isfinite(v)}
        return dist.TruncatedNormal(location, scale, **edges)
    if family == "halfnormal" and location == 0.0 and not domain.log:
        return dist.HalfNormal(scale)
    if family == "beta" and not domain.log:
        unit = dist.Beta(location, scale)
        if (low, high) == (0.0, 1.0):
            return unit
        return dist.TransformedDistribution(unit, dist.transforms.AffineTransform(low, high - low))
    if family == "uniform" and not domain.log:
        return dist.Uniform(location, scale)
    raise ValueError(
        f"The prior of {name}, {(family, location, scale)}, is not one this library knows: pass "
        f"priors={{{shown(name)}: ...}}."
    )


def noise_prior(name: str, unit: float) -> Distribution:
    """Of the scatter sigma, the degrees of freedom nu, and the scale run_sd of a run's own offset.

    sigma: log-normal around 2 % of the target (0.02 on logs), a factor of 4.5 per standard deviation. nu:
    gamma(2, 0.1) (Juárez and Steel 2010). run_sd: half-normal, 10 %.
    """
    import numpyro.distributions as dist

    if name == "sigma":
        return dist.LogNormal(np.log(0.02 * unit), 1.5)
    return dist.Gamma(2.0, 0.1) if name == "nu" else dist.HalfNormal(0.1 * unit)


def coordinate_of(prior: Distribution, domain: Domain) -> tuple[float, float]:
    """Centre and spread of a prior where a population is normal: on the log, the logit, or as it is."""
    import numpyro.distributions as dist

    if isinstance(prior, dist.LogNormal) and domain.log:
        return float(prior.loc), float(prior.scale)
    if isinstance(prior, dist.Normal) and domain.search_bounds == (-np.inf, np.inf) and not domain.log:
        return float(prior.loc), float(prior.scale)
    values = np.asarray(bijection(domain).inv(probes(prior)))
    lower, middle, upper = np.nanquantile(values, [0.16, 0.5, 0.84])
    return float(middle), float(max((upper - lower) / 2, 1e-12))


def probes(prior: Distribution) -> ArrayLike:
    """Values spread over the prior: its quantiles where known, else draws under a fixed key."""
    import jax

    try:
        return prior.icdf(PROBES)
    except (NotImplementedError, ImportError):  # the beta's needs TensorFlow Probability
        return prior.sample(jax.random.key(0), (len(PROBES),))


def bijection(domain: Domain) -> Transform:
    """From the real line to a domain."""
    import numpyro.distributions as dist

    low, high = (0.0, np.inf) if domain.log else (domain.lower, domain.upper)
    constraints = dist.constraints
    if np.isfinite(low) and np.isfinite(high):
        return dist.biject_to(constraints.interval(low, high))
    if np.isfinite(low):
        return dist.biject_to(constraints.greater_than(low) if low else constraints.positive)
    return dist.biject_to(constraints.less_than(high) if np.isfinite(high) else constraints.real)


def population_priors(name: str, prior: Distribution, domain: Domain) -> dict[str, Distribution]:
    """Hyperpriors of a pooled parameter: a mean as uncertain as one value was, a spread at most as wide."""
    import numpyro.distributions as dist

    centre, spread = coordinate_of(prior, domain)
    return {f"{name}_mean": dist.Normal(centre, spread), f"{name}_sd": dist.HalfNormal(spread)}


def read_priors(
    given: Mapping[str, Distribution | float] | None, known: Mapping[str, Domain]
) -> tuple[dict[str, Distribution], dict[str, float]]:
    """A user's priors, checked: distributions by name, and numbers at which quantities are held.

    Raises:
        ValueError: for an unknown name, or a prior that reaches outside the parameter's domain.
        TypeError: for something that is neither a NumPyro distribution nor a number.
    """
    import numpyro.distributions as dist

    distributions: dict[str, Distribution] = {}
    held: dict[str, float] = {}
    for name, prior in (given or {}).items():
        if name not in known:
            raise ValueError(f"priors names '{name}'; this model has {', '.join(known)}.")
        if isinstance(prior, dist.Distribution):
            if prior.event_shape or prior.batch_shape:
                raise ValueError(
                    f"The prior of {name} has shape {prior.shape()}: give the distribution of one number."
                )
            reached = np.asarray(probes(prior))
            outside = ~known[name].contains(reached)
            if outside.any():
                raise ValueError(
                    f"The prior of {name} reaches {reached[outside][0]:.3g}, but {name} must be "
                    f"{known[name].name}: priors are on natural "
                    "units, so a positive parameter takes LogNormal, HalfNormal, Gamma and the like."
                )
            distributions[name] = prior
        elif isinstance(prior, int | float | np.number) and known[name].contains(prior):
            held[name] = float(prior)
        else:
            raise TypeError(
                f"priors[{shown(name)}]={shown(prior)}: give a NumPyro distribution, or a number "
                "inside the domain to "
                "hold it at."
            )
    return distributions, held
