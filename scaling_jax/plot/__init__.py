"""Pictures: every plot takes `ax=None`, returns the axes, and has a function or a table of its numbers."""

from scaling_jax.plot.fits import curve_data, curves, profile, residual_data, residuals, sensitivity
from scaling_jax.plot.plans import allocation, envelope, isoflop, plan

__all__ = [
    "allocation",
    "curve_data",
    "curves",
    "envelope",
    "isoflop",
    "plan",
    "profile",
    "residual_data",
    "residuals",
    "sensitivity",
]
