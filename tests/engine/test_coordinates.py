"""Natural units and search coordinates, and back."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.coordinates import held, moved, search_points, slope_of_numbers, to_natural, to_search
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec
from scaling_jax.tables.read import read_runs
from tests.cases.simulated import TABLE, TRUTH


def test_a_point_comes_back_with_what_is_fixed_and_tied_in_place() -> None:
    law = sj.laws.chinchilla
    spec = make_spec(law, sj.Huber(), fixed={"E": 1.7}, tied=[("alpha", "beta")])
    problem = build_problem(Task.of(spec, read_runs(law, TABLE)))[0]
    free = np.array([[False, True, True, True, False]])
    z = search_points(law, law.flatten(TRUTH)[None, None], free)
    np.testing.assert_allclose(z, [[[0.0, np.log(480.0), np.log(2100.0), 0.35, 0.0]]])
    back = problem.natural_numbers(z[:, 0])
    np.testing.assert_allclose(back, [[1.7, 480.0, 2100.0, 0.35, 0.35]], rtol=1e-14)


def test_all_numbers_of_a_law_cross_and_come_back_in_double_precision() -> None:
    domains = sj.laws.chinchilla.label_domains
    numbers = np.random.default_rng(0).uniform(0.1, 3.0, (4, 3, len(domains)))
    back = to_natural(domains, to_search(domains, numbers))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, numbers, rtol=1e-15)


def test_a_small_step_moves_numbers_by_their_slope() -> None:
    domains = sj.laws.chinchilla.label_domains
    numbers, step = np.array([1.7, 480.0, 2100.0, 0.35, 0.37]), np.full(5, 1e-6)
    change = moved(domains, numbers, step) - numbers
    np.testing.assert_allclose(change, slope_of_numbers(domains, numbers) * step, rtol=1e-6)


def test_a_bound_holds_what_descent_would_push_through_it() -> None:
    z, lower, upper = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.5]), np.zeros(6), np.ones(6)
    gradient = np.array([1.0, -1.0, 0.0, -1.0, 1.0, 1.0])
    assert held(z, gradient, lower, upper).tolist() == [True, False, False, True, False, False]
    assert held(z, gradient, lower, upper, level=True).tolist() == [True, False, True, True, False, False]
