"""Linear numbers solved for at every point of the others: the projected objective, its slopes, its bounds."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

import scaling_jax as sj
from scaling_jax.engine.problem import evaluate
from scaling_jax.engine.separable import evaluate_projected, reduced, solved_numbers
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec
from scaling_jax.tables.read import read_runs
from tests.cases.simulated import FIFTY

RAW, LINEAR = sj.SquaredError(on="raw"), (0, 1, 2)
AT = np.array([0.30, 0.40])  # alpha and beta, off the optimum


def problem(table=FIFTY, **options):
    spec = make_spec(sj.laws.chinchilla, RAW, **options)
    runs = read_runs(sj.laws.chinchilla, table, on_log=False)
    return reduced(build_problem(Task.of(spec, runs))[0], LINEAR)


def columns(table) -> np.ndarray:
    return np.stack(
        [np.ones(len(table["N"])), np.array(table["N"]) ** -AT[0], np.array(table["D"]) ** -AT[1]], axis=1
    )


def test_linear_numbers_are_the_least_squares_ones_and_the_value_is_theirs() -> None:
    p, X = problem(), columns(FIFTY)
    best, residual = nnls(X, np.array(FIFTY["loss"]))
    with jax.enable_x64(True):
        found = solved_numbers(p.law, LINEAR, jnp.asarray(AT), p.data)
        value = evaluate_projected(p.law, LINEAR, jnp.asarray(AT), p.data).value
        whole = jnp.asarray([*np.log(best), *AT])
        joint = evaluate(p.law, "raw", whole, p.data).value
    np.testing.assert_allclose(found, best, rtol=1e-6)  # the columns' condition number times rounding
    np.testing.assert_allclose(value, residual**2, rtol=1e-9)
    np.testing.assert_allclose(value, joint, rtol=1e-9)


@pytest.mark.parametrize("held", [{}, {"A": 400.0}, {"E": 1.7, "B": 1000.0}], ids=str)
def test_slopes_of_the_projected_objective_against_central_differences(held) -> None:
    p = problem(fixed=held)
    with jax.enable_x64(True):
        measure = jax.jit(partial(evaluate_projected, p.law, LINEAR))
        here = measure(jnp.asarray(AT), p.data)
        steps = 1e-5 * np.eye(2)
        both = [[float(measure(jnp.asarray(AT + s * d), p.data).value) for s in (1, -1)] for d in steps]
    np.testing.assert_allclose(here.gradient, [(up - down) / 2e-5 for up, down in both], rtol=1e-5)
    assert np.linalg.eigvalsh(here.curvature)[0] > 0


def test_a_term_that_would_be_negative_is_gone_and_leaves_next_to_nothing() -> None:
    rising = FIFTY.assign(loss=2.0 - 30.0 * FIFTY["N"] ** -AT[0])
    p = problem(rising)
    with jax.enable_x64(True):
        found = np.asarray(solved_numbers(p.law, LINEAR, jnp.asarray(AT), p.data))
    best, _ = nnls(columns(rising), np.array(rising["loss"]))
    assert best[1] == 0
    assert 0 < found[1] * np.max(np.array(rising["N"]) ** -AT[0]) < 1e-12
    np.testing.assert_allclose(found[best > 0], best[best > 0], rtol=1e-6)


def test_fixed_linear_numbers_stay() -> None:
    p = problem(fixed={"A": 400.0})
    with jax.enable_x64(True):
        found = np.asarray(solved_numbers(p.law, LINEAR, jnp.asarray(AT), p.data))
    np.testing.assert_allclose(found[1], 400.0, rtol=1e-12)
    assert (p.n_coordinates, len(p.data.lower)) == (2, 2)
