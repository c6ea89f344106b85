"""Fits made again with something changed keep what was fixed and tied, and compile nothing new."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.fitting import refits
from scaling_jax.fitting.refits import refit, vary
from scaling_jax.fitting.replicates import search_device, search_solver


def test_corners_are_solved_too(line: sj.FitResult) -> None:
    found = refit([vary(line, objective=sj.AbsoluteError())])[0]
    numbers, values = found.numbers, found.values
    ordinary = sj.fit(
        line.law, {"x": line.data().inputs["x"], "loss": line.data().target}, objective=sj.AbsoluteError()
    )
    assert values[0] == pytest.approx(ordinary.objective_value, rel=1e-5)
    np.testing.assert_allclose(numbers[0], ordinary.numbers, rtol=1e-3)


def test_fixed_and_tied_parameters_stay_so(runs240: pd.DataFrame) -> None:
    fit = sj.fit(sj.laws.chinchilla, runs240, fixed={"E": 1.8}, tied=[("alpha", "beta")])
    draws = fit.bootstrap(20)
    assert (draws.params["E"] == 1.8).all()
    np.testing.assert_allclose(draws.params["alpha"], draws.params["beta"], rtol=1e-12)


def test_a_fixed_vector_parameter_stays_fixed_in_refits() -> None:
    """Its numbers are recorded as `t[0]` and `t[1]`; the specification of a refit names the parameter."""

    @sj.law(shapes={"t": (2,)}, domains={"t": sj.Positive})
    def bent(x, *, A: sj.Positive, t):
        return A * (x ** -t[0] + x ** -t[1])

    x = np.geomspace(1, 100, 12)
    loss = 3 * (x**-0.3 + x**-0.6) * np.exp(np.random.default_rng(0).normal(0, 0.01, 12))
    fit = sj.fit(bent, {"x": x, "loss": loss}, fixed={"t": [0.3, 0.6]}, objective=sj.SquaredError())
    draws = fit.bootstrap(20)
    assert (draws.params["t[0]"] == 0.3).all() and (draws.params["t[1]"] == 0.6).all()
    assert draws.params["A"].std() > 0
    assert fit.backtest() is not None


def test_one_row_fewer_compiles_nothing(line: sj.FitResult, nothing_compiles) -> None:
    """A table of 24 rows and one of 23 are padded to the same length, alone and in a batch."""
    line.bootstrap(50)
    runs = line.data()
    shorter = sj.fit(
        line.law, {"x": runs.inputs["x"][1:], "loss": runs.target[1:]}, objective=sj.SquaredError()
    )
    with nothing_compiles():
        shorter.bootstrap(50)


def test_refits_keep_the_solver_the_starts_and_the_device(
    line: sj.FitResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, points = jax.devices("cpu")[0], np.array([[4.0, 0.2], [6.0, 0.4]])
    runs = line.data()
    table = {"x": runs.inputs["x"], "loss": runs.target}
    mine = sj.LM(max_steps=99)
    fit = sj.fit(line.law, table, objective=sj.SquaredError(), solver=mine, starts=points, device=device)
    asked: list[tuple[object, object]] = []
    begun: list[np.ndarray] = []

    def watched(problem, starts, solver, **how):
        asked.append((solver, how["device"]))
        begun.append(starts)
        return solve(problem, starts, solver, **how)

    solve = refits.solve
    monkeypatch.setattr(refits, "solve", watched)
    found = refit([vary(fit, objective=sj.Huber(0.1))])[0]
    assert asked == [(mine, device)]
    own = np.log(points[:, 0])  # `A` is searched as a logarithm
    assert set(np.round(own, 12)) <= set(np.round(begun[0][0, :, 0], 12))
    assert found.fitted[0].spec.solver == mine and found.fitted[0].spec.device == device
    assert search_solver(fit.spec, 10**6) == mine and search_device(fit.spec, None, 10**6) == device


def test_one_variant_and_many_are_solved_alike(line: sj.FitResult) -> None:
    """Weights, fixed values and objectives of one batch do not mix."""
    weight = line.data().weight.copy()
    weight[-6:] = 0.0
    several = [vary(line, weight=weight), vary(line, fixed={"A": 5.0}), vary(line, objective=sj.Huber(1e-2))]
    together = refit(several)
    for variant, found in zip(several, together, strict=True):
        alone = refit([variant])[0]
        np.testing.assert_allclose(found.numbers, alone.numbers, rtol=1e-9)
        np.testing.assert_allclose(found.values, alone.values, rtol=1e-12)
        assert found.fitted[0].objective_value == found.values[0]
        assert found.fitted[0].converged
