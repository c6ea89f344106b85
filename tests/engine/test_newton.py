"""Newton's polish: from nearby to the optimum, to machine precision, and no further."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.newton import polish
from scaling_jax.engine.status import Status
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec
from scaling_jax.tables.read import read_runs


def line_problem():
    """A power law under squares of logs: a quadratic in log A and alpha, with its optimum in closed form."""
    rng = np.random.default_rng(2)
    x = np.geomspace(1, 100, 12)
    loss = 5 * x**-0.3 * np.exp(rng.normal(0, 0.02, 12))
    spec = make_spec(sj.laws.power_law, sj.SquaredError())
    problem = build_problem(Task.of(spec, read_runs(sj.laws.power_law, {"x": x, "loss": loss})))[0]
    slope, level = np.polyfit(np.log(x), np.log(loss), 1)
    return problem, np.array([level, -slope]), np.stack([np.ones(12), -np.log(x)], axis=1)


def test_a_quadratic_is_solved_from_anywhere_with_its_exact_hessian() -> None:
    problem, optimum, design = line_problem()
    starts = optimum + np.array([[0.5, 0.2], [-3.0, 1.0]])
    done = polish(problem, starts, np.zeros(2, dtype=int))
    assert (done.status == Status.CONVERGED).all()
    np.testing.assert_allclose(done.z, np.tile(optimum, (2, 1)), rtol=1e-9)
    np.testing.assert_allclose(done.hessian[0], 2 * design.T @ design, rtol=1e-9)


def test_no_steps_leave_the_point_and_give_its_derivatives() -> None:
    problem, optimum, design = line_problem()
    here = optimum + np.array([[0.1, 0.0]])
    done = polish(problem, here, np.zeros(1, dtype=int), most_steps=0)
    np.testing.assert_array_equal(done.z, here)
    np.testing.assert_allclose(done.gradient[0], 2 * design.T @ design @ [0.1, 0.0], rtol=1e-9)
