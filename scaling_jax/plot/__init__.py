"""Pictures: every plot takes `ax=None`, returns the axes, and has a function or a table of its numbers."""

from scaling_jax.plot.agreement import predicted, predicted_data
from scaling_jax.plot.ahead import forecast, forecast_data, weights
from scaling_jax.plot.contours import contour_data, contours
from scaling_jax.plot.contrasts import contrast, contrast_data, contrast_panels
from scaling_jax.plot.designs import next_runs, precision
from scaling_jax.plot.doubts import profile, sensitivity
from scaling_jax.plot.fan import fan, fan_data
from scaling_jax.plot.fits import curve_data, curves
from scaling_jax.plot.plans import allocation, envelope, isoflop, plan, plan_data
from scaling_jax.plot.residuals import residual_data, residual_panels, residuals
from scaling_jax.plot.style import style
from scaling_jax.plot.watching import monitor

__all__ = [
    "allocation",
    "contour_data",
    "contours",
    "contrast",
    "contrast_data",
    "contrast_panels",
    "curve_data",
    "curves",
    "envelope",
    "fan",
    "fan_data",
    "forecast",
    "forecast_data",
    "isoflop",
    "monitor",
    "next_runs",
    "plan",
    "plan_data",
    "precision",
    "predicted",
    "predicted_data",
    "profile",
    "residual_data",
    "residual_panels",
    "residuals",
    "sensitivity",
    "style",
    "weights",
]
