"""scaling_jax: neural scaling laws, fitted in JAX, with a certificate on every optimum.

`import scaling_jax as sj`, then `sj.fit(sj.laws.chinchilla, runs)`. Importing is silent and changes no
setting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scaling_jax import laws
from scaling_jax.api.fit import UnderdeterminedError, certify, fit, fit_groups
from scaling_jax.api.groups import FitGroups
from scaling_jax.api.outputs import FitOutputs
from scaling_jax.api.result import FitResult
from scaling_jax.core.curves import Curve
from scaling_jax.core.domains import Domain, Interval, NonNegative, Positive, Real, Unit
from scaling_jax.core.law import Law, Parameter, law
from scaling_jax.core.objective import (
    AbsoluteError,
    Asymmetric,
    BetaBinomial,
    Binomial,
    Huber,
    SquaredError,
)
from scaling_jax.engine.descent import Optax
from scaling_jax.engine.kept import clear_caches
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.published import published
from scaling_jax.reporting.shown import hand_down
from scaling_jax.tables.components import components
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.tracked import read_runs

if TYPE_CHECKING:
    from scaling_jax import datasets, evaluate, plot, schedules
    from scaling_jax.allocation.envelope import envelope
    from scaling_jax.allocation.family import approaches
    from scaling_jax.allocation.hyperparameters import hyperparameters, sweep_optima
    from scaling_jax.allocation.isoflop import isoflop
    from scaling_jax.api.study import study
    from scaling_jax.api.warm import warm
    from scaling_jax.datasets.wandb import read_wandb
    from scaling_jax.evaluate.compare import compare_laws
    from scaling_jax.evaluate.repeated import repeated_sampling
    from scaling_jax.evaluate.selection import select
    from scaling_jax.forecasting.calibrate import calibrate
    from scaling_jax.forecasting.calibration import Calibration
    from scaling_jax.forecasting.forecast import forecast
    from scaling_jax.forecasting.result import Forecast
    from scaling_jax.pages.report import report
    from scaling_jax.planning import cost
    from scaling_jax.planning.budget import allocation_exponents, compute_optimal, inference_optimal
    from scaling_jax.planning.contrast import contrast
    from scaling_jax.planning.crossing import critical_size
    from scaling_jax.planning.design import v_optimal
    from scaling_jax.planning.next_runs import next_runs, precision_for
    from scaling_jax.planning.plan import plan
    from scaling_jax.uncertainty.chain import chain

__version__ = "0.1.0"

__all__ = [
    "LBFGS",
    "LM",
    "AbsoluteError",
    "Asymmetric",
    "BetaBinomial",
    "Binomial",
    "Calibration",
    "Curve",
    "DataError",
    "Domain",
    "FitGroups",
    "FitOutputs",
    "FitResult",
    "Forecast",
    "Huber",
    "Interval",
    "Law",
    "NonNegative",
    "Optax",
    "Parameter",
    "Positive",
    "Real",
    "SquaredError",
    "UnderdeterminedError",
    "Unit",
    "allocation_exponents",
    "approaches",
    "calibrate",
    "certify",
    "chain",
    "clear_caches",
    "compare_laws",
    "components",
    "compute_optimal",
    "contrast",
    "cost",
    "critical_size",
    "datasets",
    "envelope",
    "evaluate",
    "fit",
    "fit_groups",
    "forecast",
    "hyperparameters",
    "inference_optimal",
    "isoflop",
    "law",
    "laws",
    "next_runs",
    "plan",
    "plot",
    "precision_for",
    "published",
    "read_runs",
    "read_wandb",
    "repeated_sampling",
    "report",
    "schedules",
    "select",
    "study",
    "sweep_optima",
    "v_optimal",
    "warm",
]

_MODULES = {
    "cost": "scaling_jax.planning.cost",
    **{name: f"scaling_jax.{name}" for name in ("datasets", "evaluate", "plot", "schedules")},
}
_LAZY = {  # what few scripts use is imported on first use
    "study": "scaling_jax.api.study",
    "warm": "scaling_jax.api.warm",
    "hyperparameters": "scaling_jax.allocation.hyperparameters",
    "sweep_optima": "scaling_jax.allocation.hyperparameters",
    "envelope": "scaling_jax.allocation.envelope",
    "isoflop": "scaling_jax.allocation.isoflop",
    "approaches": "scaling_jax.allocation.family",
    "read_wandb": "scaling_jax.datasets.wandb",
    "compare_laws": "scaling_jax.evaluate.compare",
    "repeated_sampling": "scaling_jax.evaluate.repeated",
    "select": "scaling_jax.evaluate.selection",
    "calibrate": "scaling_jax.forecasting.calibrate",
    "Calibration": "scaling_jax.forecasting.calibration",
    "Forecast": "scaling_jax.forecasting.result",
    "forecast": "scaling_jax.forecasting.forecast",
    "report": "scaling_jax.pages.report",
    "allocation_exponents": "scaling_jax.planning.budget",
    "compute_optimal": "scaling_jax.planning.budget",
    "inference_optimal": "scaling_jax.planning.budget",
    "contrast": "scaling_jax.planning.contrast",
    "critical_size": "scaling_jax.planning.crossing",
    "next_runs": "scaling_jax.planning.next_runs",
    "precision_for": "scaling_jax.planning.next_runs",
    "v_optimal": "scaling_jax.planning.design",
    "plan": "scaling_jax.planning.plan",
    "chain": "scaling_jax.uncertainty.chain",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'scaling_jax' has no attribute '{name}'")


hand_down(lambda: __getattr__("report"))
