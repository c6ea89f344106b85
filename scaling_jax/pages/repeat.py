"""Code and rows from which a reader repeats a fit to the last digit."""

from __future__ import annotations

import inspect
import platform
import textwrap
from collections.abc import Iterator
from importlib.metadata import version

import numpy as np
import pandas as pd

from scaling_jax import laws
from scaling_jax.core.law import Law
from scaling_jax.core.overdispersed import without_scatter
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import SOLVERS

__all__ = ["code_of", "rows_of", "versions"]

TARGET, RUN, WEIGHT, ERROR, TRIALS = "target", "run", "weight", "target_se", "trials"
FILE = "runs.csv"
EXACT_ON_DEMAND = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)  # later ones always are


def rows_of(fit: Fitted) -> pd.DataFrame:
    """The fitted rows as the fit saw them: its inputs by the law's names, target, run, weight.

    Numbers are whole: written as CSV and read again they have the fit's own fingerprint.
    """
    runs = fit.data()
    columns: dict[str, object] = {**runs.inputs, TARGET: runs.target}
    if runs.run is not None:
        columns[RUN] = [str(runs.run_labels[code]) for code in runs.run]
    if np.ptp(runs.weight) != 0:
        columns[WEIGHT] = runs.weight
    if runs.target_se is not None and fit.objective.counts is not None:
        trials = np.round(runs.target_se**-2)
        columns |= {TARGET: np.round(runs.target * trials), TRIALS: trials}
    elif runs.target_se is not None:
        columns[ERROR] = runs.target_se
    return pd.DataFrame(columns)


def code_of(fit: Fitted) -> str:
    """The program that fits the same rows again, and says whether it found the same."""
    lines = [
        "import pandas as pd",
        "import scaling_jax as sj",
        "",
        *_law_lines(without_scatter(fit.law)),
        "# the fitted rows, as this report holds them",
        f'runs = pd.read_csv("{FILE}"{_reading(fit)})',
        "fit = sj.fit(",
        "    law,",
        "    runs,",
        *(f"    {name}={value}," for name, value in _options(fit)),
        ")",
        f'assert fit.fingerprint == "{fit.fingerprint}"  # the same rows',
        f"assert abs(fit.objective_value / {fit.objective_value!r} - 1) < 1e-6  # the same optimum",
    ]
    return "\n".join(lines)


def versions() -> str:
    """What made the numbers."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("scaling_jax", "jax", "numpy", "pandas"))
    return f"{packages}, Python {platform.python_version()} on {platform.machine()}"


def _reading(fit: Fitted) -> str:
    """Numbers to the last digit, and names of runs as they are, were one called NA."""
    names = f', dtype={{"{RUN}": str}}, keep_default_na=False' if fit.data().run is not None else ""
    exact = ', float_precision="round_trip"' if EXACT_ON_DEMAND else ""
    return f"{exact}{names}"


def _options(fit: Fitted) -> Iterator[tuple[str, str]]:
    spec, runs = fit.spec, fit.data()
    yield TARGET, repr(TARGET)
    if runs.run is not None:
        yield RUN, repr(RUN)
    if np.ptp(runs.weight) != 0:
        yield "weights", repr(WEIGHT)
    counts = spec.objective.counts is not None
    if runs.target_se is not None and not counts:
        yield ERROR, repr(ERROR)
    yield (
        "objective",
        f"sj.{type(spec.objective).__name__}({TRIALS!r})" if counts else f"sj.{spec.objective!r}",
    )
    if fit.fixed:
        yield "fixed", repr({name: float(value) for name, value in fit.fixed.items()})
    if spec.tied:
        yield "tied", repr(spec.tied)
    if isinstance(spec.starts, int):
        yield "starts", repr(spec.starts)
    elif spec.starts is not None:
        yield "starts", f"pd.DataFrame({spec.starts.tolist()}, columns={list(fit.law.labels)})"
    if fit.solver in SOLVERS and fit.solver != "lm":  # the optimum is the same for a solver object
        yield "solver", repr(fit.solver)
    if fit.units.get("target") != fit.law.units.get("target", ""):
        yield "unit", repr(fit.units.get("target", ""))
    if not spec.screen:
        yield "screen", "False"
    if not spec.polish:
        yield "polish", "False"


def _law_lines(law: Law) -> list[str]:
    """The law by its name, by what it was made to order with, or by its own source."""
    base = law.name.partition("(")[0]
    if base in laws.__all__ and getattr(laws, base) is law:
        return [f"law = sj.laws.{base}"]
    if law.recipe is not None and law.recipe[0].startswith("scaling_jax.laws"):
        _, function, given = law.recipe
        return [f"law = sj.laws.{function}({', '.join(map(repr, given))})"]
    try:
        source = textwrap.dedent(inspect.getsource(law.fn))
    except (OSError, TypeError):
        return [f"law = ...  # your own law '{' '.join(law.name.split())}', whose source is not known here"]
    name = getattr(law.fn, "__name__", "law")
    decorated = source if source.lstrip().startswith("@") else f"@sj.law\n{source}"
    return [*decorated.rstrip().splitlines(), "", f"law = {name}"]
