"""The objective's derivatives, against differences and by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.engine.problem import MOST_PAIRED, evaluate, exact_evaluation, second_derivatives
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec
from scaling_jax.tables.read import read_runs
from tests.cases.simulated import FIFTY

AT = np.array([0.6, 6.0, 7.5, 0.34, 0.36])
OBJECTIVES = [
    sj.Huber(1e-2),
    sj.SquaredError(),
    sj.SquaredError(on="raw"),
    sj.Asymmetric(3.0, 1e-2, on="raw"),
]


def problem(objective=OBJECTIVES[0], **options):
    spec = make_spec(sj.laws.chinchilla, objective, **options)
    runs = read_runs(sj.laws.chinchilla, FIFTY, on_log=objective.on == "log")
    return build_problem(Task.of(spec, runs))[0]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: f"{o.kind}-{o.on}")
def test_gradient_and_exact_hessian_against_central_differences(objective) -> None:
    p = problem(objective)
    with jax.enable_x64(True):
        run = jax.jit(lambda z: exact_evaluation(p.law, p.on, z, p.data))
        here = run(jnp.asarray(AT))
        steps = 1e-6 * np.eye(5)
        both = [(run(jnp.asarray(AT + s)), run(jnp.asarray(AT - s))) for s in steps]
    slope = np.array([(float(u.value) - float(d.value)) / 2e-6 for u, d in both])
    bend = np.array([(np.asarray(u.gradient) - np.asarray(d.gradient)) / 2e-6 for u, d in both])
    np.testing.assert_allclose(here.gradient, slope, rtol=1e-5, atol=1e-7 * np.abs(slope).max())
    # a Huber corner crossed inside the difference step changes the second derivative by one row's share
    np.testing.assert_allclose(here.curvature, bend, rtol=1e-4, atol=1e-4 * np.abs(bend).max())


def test_gauss_newton_value_and_gradient_equal_the_exact_ones() -> None:
    p = problem()
    with jax.enable_x64(True):
        quick, exact = (f(p.law, p.on, jnp.asarray(AT), p.data) for f in (evaluate, exact_evaluation))
        value = OBJECTIVES[0].rho(
            np.log(
                sj.laws.chinchilla(
                    FIFTY["N"], FIFTY["D"], E=np.exp(0.6), A=np.exp(6.0), B=np.exp(7.5), alpha=0.34, beta=0.36
                )
                / FIFTY["loss"]
            )
        )
    assert float(quick.value) == pytest.approx(float(value.sum()), rel=1e-12) == float(exact.value)
    np.testing.assert_allclose(quick.gradient, exact.gradient, rtol=1e-12)
    assert np.linalg.eigvalsh(quick.curvature)[0] > 0


def test_a_long_table_is_summed_block_by_block() -> None:
    """Each row 123 times over (and padded to 6,144) gives 123 times the sums of the short one."""
    spec = make_spec(sj.laws.chinchilla, OBJECTIVES[0])
    long = pd.concat([FIFTY] * 123)
    with jax.enable_x64(True):
        for measure in (evaluate, exact_evaluation):
            short, tall = (
                measure(p.law, p.on, jnp.asarray(AT), p.data)
                for p in (
                    build_problem(Task.of(spec, read_runs(sj.laws.chinchilla, table, on_log=True)))[0]
                    for table in (FIFTY, long)
                )
            )
            for once, often in zip(short, tall, strict=True):
                np.testing.assert_allclose(often, 123 * np.asarray(once), rtol=1e-12)


def test_second_derivatives_of_many_coordinates_are_those_taken_pair_by_pair() -> None:
    weights = np.random.default_rng(0).normal(size=(40, MOST_PAIRED + 2))

    def bent(x):
        return jnp.sum(jnp.exp(jnp.tanh(weights[:, : len(x)] @ x)))

    x = np.random.default_rng(1).normal(size=MOST_PAIRED + 2) / 4
    with jax.enable_x64(True):
        many = second_derivatives(bent, jnp.asarray(x))
        few = second_derivatives(lambda part: bent(jnp.append(part, x[-2:])), jnp.asarray(x[:-2]))
    np.testing.assert_allclose(many[:-2, :-2], few, rtol=1e-10, atol=1e-10)
