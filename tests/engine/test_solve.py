"""From starts to an optimum: both solvers end at the same one, however the starts are screened and sliced."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.engine import solve
from tests.cases.simulated import FIFTY

BEST = 1.018274017801e-3


@pytest.mark.parametrize(("solver", "share"), [("lm", 0.95), ("lbfgs", 0.44)])
def test_most_classical_starts_reach_it(runs240: pd.DataFrame, solver: str, share: float) -> None:
    """A tenth of Hoffmann's 4,500 starts: SciPy's tight L-BFGS-B brings 44 % home, its defaults 8 %."""
    grid = sj.laws.chinchilla.grid
    tenth = (
        np.array(np.meshgrid(*(grid[n] for n in sj.laws.chinchilla.labels), indexing="ij"))
        .reshape(5, -1)
        .T[3::10]
    )
    fit = sj.fit(sj.laws.chinchilla, runs240, solver=solver, starts=tenth, screen=False)
    assert fit.objective_value == pytest.approx(BEST, rel=1e-9)
    assert fit.certificate.n_finished >= 445
    assert fit.n_agree / len(tenth) >= share


def test_screened_grid_finds_the_same_optimum(runs240: pd.DataFrame, fit240: sj.FitResult) -> None:
    fit = sj.fit(sj.laws.chinchilla, runs240, starts="grid")
    assert fit.n_starts == 4500
    assert fit.objective_value == pytest.approx(fit240.objective_value, rel=1e-9)


def test_starts_of_our_own_are_ranked_before_any_step(runs240: pd.DataFrame, fit240: sj.FitResult) -> None:
    fit = sj.fit(sj.laws.chinchilla, runs240, starts=300)
    assert (fit.n_starts, fit.certificate.n_finished) == (300, 300 // solve.ROUNDS[0][1])
    assert fit.objective_value == pytest.approx(fit240.objective_value, rel=1e-9)
    assert fit.n_agree == fit.certificate.n_finished


@pytest.mark.parametrize(
    "solver", [sj.LM(), sj.LBFGS(), sj.LBFGS(precondition=False), sj.LM(dtype="float32")], ids=str
)
def test_every_solver_ends_at_the_same_optimum(solver) -> None:
    reference = sj.fit(sj.laws.chinchilla, FIFTY)
    fit = sj.fit(sj.laws.chinchilla, FIFTY, solver=solver)
    # a Huber objective has shallow dents along its valley: optima within the 1e-6 of agreement are one
    assert fit.objective_value == pytest.approx(reference.objective_value, rel=1e-6)
    # which moves predictions by up to a thousandth of the 1 % noise per root row
    np.testing.assert_allclose(fit.predict(FIFTY), reference.predict(FIFTY), rtol=1e-4)


def test_a_long_table_is_searched_on_few_rows_and_certified_on_all() -> None:
    """6,000 rows of 40 runs, one row as heavy as all others together: the optimum of the full search."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7, 10, 6000), 10 ** rng.uniform(9, 12, 6000)
    loss = (1.7 + 400 * N**-0.34 + 410 * D**-0.28) * np.exp(0.01 * rng.normal(size=6000))
    weight = np.ones(6000)
    weight[17] = 6000.0
    table = {"N": N, "D": D, "loss": loss, "id": np.arange(6000) % 40, "w": weight}
    options = {"run": "id", "weights": "w"}
    quick = sj.fit(sj.laws.chinchilla, table, **options)
    full = sj.fit(sj.laws.chinchilla, table, **options, screen=False)  # every start on every row
    assert quick.objective_value == pytest.approx(full.objective_value, rel=1e-12)
    assert quick.converged and len(quick.residuals) == 6000
    assert quick.n_polished < full.n_polished  # it was thinned


def test_work_is_cut_to_the_memory_that_is_allowed(monkeypatch) -> None:
    """The same answer whatever the memory, and a setting that is no size is one sentence."""
    whole = sj.fit(sj.laws.chinchilla, FIFTY)
    monkeypatch.setenv("SCALING_JAX_MEMORY", "2MB")
    assert sj.fit(sj.laws.chinchilla, FIFTY).objective_value == pytest.approx(
        whole.objective_value, rel=1e-12
    )
    monkeypatch.setenv("SCALING_JAX_MEMORY", "plenty")
    with pytest.raises(ValueError, match="SCALING_JAX_MEMORY is 'plenty': give a size such as"):
        sj.fit(sj.laws.chinchilla, FIFTY)


def test_slicing_the_starts_changes_nothing(monkeypatch) -> None:
    whole = sj.fit(sj.laws.chinchilla, FIFTY, starts=300, screen=False)
    monkeypatch.setattr(solve, "MOST_LANES", 64)
    sliced = sj.fit(sj.laws.chinchilla, FIFTY, starts=300, screen=False)
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
