"""Where lanes begin: linear parameters solved for, what is fixed in place, and all inside their domains."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.starts import default_starts
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec, tied_index
from scaling_jax.tables.read import read_runs

LAW = sj.laws.power_law_floor
X = np.geomspace(1, 1e4, 20)
TRUTH = {"E": 1.5, "A": 5.0, "alpha": 0.3}


def seeds(**options: object) -> np.ndarray:
    """(seeds, numbers) for one table without noise."""
    task = Task.of(
        make_spec(LAW, sj.SquaredError(), **options), read_runs(LAW, {"x": X, "loss": LAW(X, **TRUTH)})
    )
    problem = build_problem(task)[0]
    return default_starts(problem, task.fixed, tied_index(task.spec), n=8, nodes=64)[0]


def test_given_the_exponent_the_linear_parameters_are_the_least_squares() -> None:
    for E, A, alpha in seeds(fixed={"alpha": 0.25}):
        design = np.stack([np.ones_like(X), X**-alpha], axis=1) / LAW(X, **TRUTH)[:, None]
        best = np.linalg.lstsq(design, np.ones_like(X), rcond=None)[0]
        np.testing.assert_allclose([E, A], best, rtol=1e-8)


def test_what_is_fixed_stays_and_positive_parameters_are_positive() -> None:
    found = seeds(fixed={"E": 1.4})
    assert np.all(found[:, 0] == 1.4) and np.all(found[:, 1] > 0)
    # the best of 64 exponents is near the true one
    assert abs(found[0, 2] - TRUTH["alpha"]) < 0.1
