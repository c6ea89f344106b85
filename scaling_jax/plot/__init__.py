"""Pictures: every plot takes `ax=None`, returns the axes, and has a function or a table of its numbers."""

from scaling_jax.plot.agreement import predicted, predicted_data
from scaling_jax.plot.ahead import forecast, forecast_data, weights
from scaling_jax.plot.chains import posterior, posterior_data
from scaling_jax.plot.contours import contour_data, contours
from scaling_jax.plot.contrasts import contrast, contrast_data, contrast_panels
from scaling_jax.plot.designs import next_runs, precision
from scaling_jax.plot.doubts import profile, sensitivity
from scaling_jax.plot.fan import fan, fan_data
from scaling_jax.plot.fits import curve_data, curves
from scaling_jax.plot.judging import backtest, backtest_data, comparison, influence, influence_data
from scaling_jax.plot.many import forest, forest_data, groups, heat
from scaling_jax.plot.parameters import pair_data, pairs
from scaling_jax.plot.plans import allocation, envelope, isoflop, plan, plan_data
from scaling_jax.plot.residuals import residual_data, residual_panels, residuals
from scaling_jax.plot.schedules import schedule_data, schedules
from scaling_jax.plot.style import style
from scaling_jax.plot.surfaces import mixture, mixture_data, surface, surface_data
from scaling_jax.plot.three import approaches
from scaling_jax.plot.watching import monitor

__all__ = [
    "allocation",
    "approaches",
    "backtest",
    "backtest_data",
    "comparison",
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
    "forest",
    "forest_data",
    "groups",
    "heat",
    "influence",
    "influence_data",
    "isoflop",
    "mixture",
    "mixture_data",
    "monitor",
    "next_runs",
    "pair_data",
    "pairs",
    "plan",
    "plan_data",
    "posterior",
    "posterior_data",
    "precision",
    "predicted",
    "predicted_data",
    "profile",
    "residual_data",
    "residual_panels",
    "residuals",
    "schedule_data",
    "schedules",
    "sensitivity",
    "style",
    "surface",
    "surface_data",
    "weights",
]
