"""Natural units and search coordinates, and back."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.coordinates import natural_numbers, search_points
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
    back = natural_numbers(law, problem, z[:, 0])
    np.testing.assert_allclose(back, [[1.7, 480.0, 2100.0, 0.35, 0.35]], rtol=1e-14)
