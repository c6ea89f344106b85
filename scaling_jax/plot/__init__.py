"""Pictures: every plot takes `ax=None`, returns the axes, and has a function or a table of its numbers."""

from scaling_jax.plot.agreement import predicted, predicted_data
from scaling_jax.plot.contours import contour_data, contours
from scaling_jax.plot.fan import fan, fan_data
from scaling_jax.plot.fits import curve_data, curves, profile, residual_data, residuals, sensitivity
from scaling_jax.plot.plans import allocation, envelope, isoflop, plan
from scaling_jax.plot.style import style

__all__ = [
    "allocation",
    "contour_data",
    "contours",
    "curve_data",
    "curves",
    "envelope",
    "fan",
    "fan_data",
    "isoflop",
    "plan",
    "predicted",
    "predicted_data",
    "profile",
    "residual_data",
    "residuals",
    "sensitivity",
    "style",
]
