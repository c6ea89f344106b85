"""scaling_jax: neural scaling laws, fitted in JAX, with a certificate on every optimum.

`import scaling_jax as sj`, then `sj.fit(sj.laws.chinchilla, runs)`. Importing is silent and changes no setting.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from scaling_jax import laws
from scaling_jax.components import components
from scaling_jax.data import DataError, read_runs
from scaling_jax.domains import Domain, Interval, NonNegative, Positive, Real, Unit
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.fit import UnderdeterminedError, certify, fit, fit_groups
from scaling_jax.law import Law, Parameter, law
from scaling_jax.objective import AbsoluteError, Asymmetric, Huber, SquaredError
from scaling_jax.published import published
from scaling_jax.result import FitGroups, FitResult

if TYPE_CHECKING:
    from scaling_jax import datasets, evaluate, plot
    from scaling_jax.approach1 import envelope
    from scaling_jax.approach2 import isoflop
    from scaling_jax.chains import chain
    from scaling_jax.chunked import study
    from scaling_jax.compare import compare_laws
    from scaling_jax.crossing import critical_size
    from scaling_jax.design import v_optimal
    from scaling_jax.inference import inference_optimal
    from scaling_jax.plan import allocation_exponents, compute_optimal
    from scaling_jax.selection import select
    from scaling_jax.wandb import read_wandb

__version__ = "0.1.0"

__all__ = [
    "LBFGS",
    "LM",
    "AbsoluteError",
    "Asymmetric",
    "DataError",
    "Domain",
    "FitGroups",
    "FitResult",
    "Huber",
    "Interval",
    "Law",
    "NonNegative",
    "Parameter",
    "Positive",
    "Real",
    "SquaredError",
    "UnderdeterminedError",
    "Unit",
    "allocation_exponents",
    "certify",
    "chain",
    "compare_laws",
    "components",
    "compute_optimal",
    "critical_size",
    "datasets",
    "envelope",
    "evaluate",
    "fit",
    "fit_groups",
    "inference_optimal",
    "isoflop",
    "law",
    "laws",
    "plot",
    "published",
    "read_runs",
    "read_wandb",
    "select",
    "study",
    "v_optimal",
]

_LAZY = {
    "datasets": ("scaling_jax.datasets", None),
    "plot": ("scaling_jax.plot", None),
    "read_wandb": ("scaling_jax.wandb", "read_wandb"),
    "chain": ("scaling_jax.chains", "chain"),
    "study": ("scaling_jax.chunked", "study"),
    "compare_laws": ("scaling_jax.compare", "compare_laws"),
    "v_optimal": ("scaling_jax.design", "v_optimal"),
    "inference_optimal": ("scaling_jax.inference", "inference_optimal"),
    "critical_size": ("scaling_jax.crossing", "critical_size"),
    "envelope": ("scaling_jax.approach1", "envelope"),
    "isoflop": ("scaling_jax.approach2", "isoflop"),
    "compute_optimal": ("scaling_jax.plan", "compute_optimal"),
    "allocation_exponents": ("scaling_jax.plan", "allocation_exponents"),
    "evaluate": ("scaling_jax.evaluate", None),
    "select": ("scaling_jax.selection", "select"),
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module, attribute = _LAZY[name]
        found = importlib.import_module(module)
        return getattr(found, attribute) if attribute else found
    raise AttributeError(f"module 'scaling_jax' has no attribute '{name}'")
