"""The Bayesian layer: a NumPyro posterior for any law, flat or with groups that lend each other strength.

`fit.posterior()` and `fits.posterior(pool=[...])` are the doors. NumPyro is imported when a posterior is
asked for, ArviZ when its container is. Sampling is done on the CPU in double precision, whatever JAX's
default device.
"""

from scaling_jax.posterior.result import Posterior, PosteriorGroups
from scaling_jax.posterior.sample import sample_fit, sample_groups

__all__ = ["Posterior", "PosteriorGroups", "sample_fit", "sample_groups"]
