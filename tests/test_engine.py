"""The engine: derivatives against differences, both solvers, bounds, float64 without the global flag, chunks
and memory."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine import lanes, solve
from scaling_jax.engine.linear import solve_symmetric
from scaling_jax.engine.padding import bucket
from scaling_jax.engine.problem import evaluate, exact_evaluation
from scaling_jax.engine.sampling import product_grid, spread
from scaling_jax.fitting.batch import Task, build_problem
from scaling_jax.fitting.spec import make_spec
from scaling_jax.tables.read import read_runs

RNG = np.random.default_rng(0)
N, D = (np.exp(RNG.uniform(np.log(low), np.log(high), 50)) for low, high in ((1e7, 1e10), (1e9, 1e12)))
LOSS = sj.laws.chinchilla(N, D, E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37) * np.exp(
    RNG.normal(0, 0.01, 50)
)
TABLE = {"N": N, "D": D, "loss": LOSS}
AT = np.array([0.6, 6.0, 7.5, 0.34, 0.36])

OBJECTIVES = [
    sj.Huber(1e-2),
    sj.SquaredError(),
    sj.SquaredError(on="raw"),
    sj.Asymmetric(3.0, 1e-2, on="raw"),
]


def problem(objective=OBJECTIVES[0], **options):
    spec = make_spec(sj.laws.chinchilla, objective, **options)
    runs = read_runs(sj.laws.chinchilla, TABLE, on_log=objective.on == "log")
    return build_problem(Task.of(spec, runs))[0]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: f"{o.kind}-{o.on}")
def test_gradient_and_exact_hessian_against_central_differences(objective) -> None:
    p = problem(objective)
    with jax.enable_x64(True):
        run = jax.jit(lambda z: exact_evaluation(p.law, p.on_log, z, p.data))
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
        quick, exact = (f(p.law, p.on_log, jnp.asarray(AT), p.data) for f in (evaluate, exact_evaluation))
        value = OBJECTIVES[0].rho(
            np.log(
                sj.laws.chinchilla(N, D, E=np.exp(0.6), A=np.exp(6.0), B=np.exp(7.5), alpha=0.34, beta=0.36)
                / LOSS
            )
        )
    assert float(quick.value) == pytest.approx(float(value.sum()), rel=1e-12) == float(exact.value)
    np.testing.assert_allclose(quick.gradient, exact.gradient, rtol=1e-12)
    assert np.linalg.eigvalsh(quick.curvature)[0] > 0


def test_small_systems_are_solved_and_singular_ones_never_nan() -> None:
    a = RNG.normal(size=(6, 6))
    matrix, right = a @ a.T + 0.1 * np.eye(6), RNG.normal(size=6)
    with jax.enable_x64(True):
        np.testing.assert_allclose(
            solve_symmetric(jnp.asarray(matrix), jnp.asarray(right)),
            np.linalg.solve(matrix, right),
            rtol=1e-9,
        )
        assert np.isfinite(solve_symmetric(jnp.zeros((3, 3)), jnp.ones(3))).all()


@pytest.mark.parametrize(
    "solver", [sj.LM(), sj.LBFGS(), sj.LBFGS(precondition=False), sj.LM(dtype="float32")], ids=str
)
def test_every_solver_ends_at_the_same_optimum(solver) -> None:
    reference = sj.fit(sj.laws.chinchilla, TABLE)
    fit = sj.fit(sj.laws.chinchilla, TABLE, solver=solver)
    # a Huber objective has shallow dents along its valley, apart by up to 1.1e-6 as measured on JAX 0.8 to 0.12
    assert fit.objective_value == pytest.approx(reference.objective_value, rel=2e-6)
    # which moves predictions by up to a thousandth of the 1 % noise per root row
    np.testing.assert_allclose(fit.predict(TABLE), reference.predict(TABLE), rtol=1e-4)


def test_the_global_flag_stays_and_chunks_are_float64() -> None:
    assert jax.config.jax_enable_x64 is False
    seen = []
    original = lanes._dispatch

    def watched(*args):
        state = original(*args)
        seen.append((state.z.dtype, state.value.dtype))
        return state

    lanes._dispatch = watched
    try:
        sj.fit(sj.laws.chinchilla, TABLE, starts="grid")
    finally:
        lanes._dispatch = original
    assert len(seen) > 10 and set(seen) == {(np.dtype("float64"), np.dtype("float64"))}
    assert jax.config.jax_enable_x64 is False and jnp.ones(1).dtype == jnp.float32


def test_near_sizes_share_a_program() -> None:
    sj.fit(sj.laws.chinchilla, {k: v[:48] for k, v in TABLE.items()})
    before = lanes._program.cache_info().currsize
    for rows in (47, 45, 41):
        sj.fit(
            sj.laws.chinchilla,
            {k: v[:rows] for k, v in TABLE.items()},
            objective=sj.Huber(rows * 1e-4),
            fixed={"E": 1.7},
        )
    assert lanes._program.cache_info().currsize == before
    assert [bucket(n) for n in (1, 8, 9, 13, 100, 237, 240)] == [8, 8, 12, 16, 128, 256, 256]


def test_slicing_the_starts_changes_nothing(monkeypatch) -> None:
    whole = sj.fit(sj.laws.chinchilla, TABLE, starts=300, screen=False)
    monkeypatch.setattr(solve, "LANES_IN_MEMORY", 64)
    sliced = sj.fit(sj.laws.chinchilla, TABLE, starts=300, screen=False)
    assert sliced.certificate.n_finished == whole.certificate.n_finished == 300
    assert sliced.objective_value == pytest.approx(whole.objective_value, rel=1e-12)
    np.testing.assert_allclose(
        sliced.evidence.finished_value[:50], whole.evidence.finished_value[:50], rtol=1e-6
    )


def test_bounds_hold_the_optimum() -> None:
    @sj.law
    def line(x, *, a: sj.NonNegative, b: sj.Unit):
        return 1.0 + a + b * x

    x = np.linspace(0.1, 1, 15)
    low = sj.fit(line, {"x": x, "loss": 0.8 + 0.5 * x}, objective=sj.SquaredError(on="raw"))
    assert low.params["a"] == 0.0 and low.certificate.at_bound == ["a"]
    slope = np.sum(x * (0.5 * x - 0.2)) / np.sum(x**2)  # least squares with a at its bound
    assert low.params["b"] == pytest.approx(slope, rel=1e-9)
    high = sj.fit(line, {"x": x, "loss": 1.0 + 2.0 * x}, objective=sj.SquaredError(on="raw"))
    assert high.params["b"] == 1.0 and "b" in high.certificate.at_bound


def test_low_discrepancy_points_fill_the_cube_evenly() -> None:
    points = spread(512, 3)
    assert points.shape == (512, 3) and points.min() >= 0 and points.max() < 1
    counts = np.histogramdd(points, bins=4, range=[(0, 1)] * 3)[0]
    # 8 expected per cell; random points would leave the fullest near 16
    assert counts.min() >= 3 and counts.max() <= 14


def test_product_grids_keep_the_order_of_names() -> None:
    grid = product_grid({"b": [1, 2], "a": [3]}, ("a", "b"))
    assert grid.tolist() == [[3, 1], [3, 2]]
