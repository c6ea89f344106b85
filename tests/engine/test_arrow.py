"""The joint Newton step: where the own coordinates are solved for, it is that of the whole joint Hessian."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.arrow import gain_left, polish_jointly
from scaling_jax.engine.problem import Problem
from scaling_jax.engine.status import Status
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec
from scaling_jax.tables.read import read_runs

GROUPS, ROWS = 3, 12


def lines() -> tuple[Problem, np.ndarray, np.ndarray]:
    """Three power laws under squares of logs: lines of their own height and one common slope, whose joint
    optimum is a linear regression. The batch, (groups, 2) the optimum, and the joint sum of squares / 2."""
    rng = np.random.default_rng(2)
    x = np.tile(np.geomspace(1, 100, ROWS), GROUPS)
    group = np.repeat(np.arange(GROUPS), ROWS)
    loss = np.array([5.0, 7.0, 2.0])[group] * x**-0.3 * np.exp(rng.normal(0, 0.02, len(x)))
    runs = read_runs(sj.laws.power_law, {"x": x, "loss": loss})
    spec = make_spec(sj.laws.power_law, sj.SquaredError())
    members = [np.flatnonzero(group == g) for g in range(GROUPS)]
    task = Task(spec, runs, members, np.full((GROUPS, 2), np.nan), list(range(GROUPS)))
    design = np.column_stack([group[:, None] == np.arange(GROUPS), -np.log(x)]).astype(float)
    found, squares, *_ = np.linalg.lstsq(design, np.log(loss), rcond=None)
    optimum = np.column_stack([found[:GROUPS], np.full(GROUPS, found[GROUPS])])
    return build_problem(task)[0], optimum, squares


def test_a_joint_quadratic_is_solved_from_anywhere() -> None:
    problem, optimum, squares = lines()
    begin = optimum + np.array([[[0.5, 0.2]], [[-2.0, 1.0]]])
    fit = np.tile(np.arange(GROUPS), (2, 1))
    done = polish_jointly(problem, begin, fit, np.array([1]))
    assert (done.status == Status.CONVERGED).all()
    np.testing.assert_allclose(done.z, np.stack([optimum] * 2), rtol=1e-9)
    np.testing.assert_allclose(done.value, np.repeat(squares, 2), rtol=1e-9)
    assert (gain_left(problem, done, np.array([1]), fit) < 1e-15).all()
    assert np.ptp(done.z[:, :, 1], axis=1).max() == 0, "one value in all groups"


def test_what_a_step_would_gain_is_the_distance_to_the_optimum() -> None:
    """Of a quadratic, exactly."""
    problem, optimum, squares = lines()
    fit, shared = np.arange(GROUPS)[None], np.array([1])
    here = polish_jointly(problem, optimum[None] + np.array([0.1, 0.05]), fit, shared, most_steps=0)
    left = gain_left(problem, here, shared, fit)
    np.testing.assert_allclose(left, 1 - squares / here.value, rtol=1e-9)
    rounding = here._replace(value=np.array([1e-29]))
    assert gain_left(problem, rounding, shared, fit) == 0, "of a perfect fit there is nothing to gain"
