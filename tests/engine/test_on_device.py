"""The accelerator's way, forced on the processor: the host's optimum and certificate, in a few calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from benchmarks import throughput
from scaling_jax.core.objective import Objective
from scaling_jax.engine import on_device
from scaling_jax.engine.compiled import Program
from scaling_jax.engine.devices import as_an_accelerator
from scaling_jax.engine.traffic import Traffic, watched

SAME = 1e-12  # of an objective: both ways polish to its rounding, 1e-13 where hundreds of rows are summed


def there(work: Callable[[], object]) -> tuple[object, Traffic]:
    """What work gives the accelerator's way, and what went over the second time, when all is compiled."""
    with as_an_accelerator():
        work()
        with watched() as traffic:
            return work(), traffic


def test_one_fit_from_4500_starts_is_one_call(
    runs240: pd.DataFrame, fit240: sj.FitResult, monkeypatch
) -> None:
    """JAX itself is told to refuse any transfer that is not asked for while the program runs."""
    call = Program.__call__

    def guarded(self: Program, *given: object) -> object:
        if self.name != "on_device" or not self._ready:
            return call(self, *given)
        with jax.transfer_guard("disallow"):
            return call(self, *given)

    monkeypatch.setattr(Program, "__call__", guarded)

    fit, traffic = there(lambda: sj.fit(sj.laws.chinchilla, runs240, starts="grid"))
    assert isinstance(fit, sj.FitResult) and fit.converged
    assert fit.objective_value == pytest.approx(fit240.objective_value, rel=SAME)
    assert fit.certificate.relative_decrement < 1e-12
    assert (fit.n_starts, fit.n_polished) == (4500, 32) and fit.n_agree > 30
    assert traffic.calls == {"on_device": 1} and traffic.transfers == 2


def mixed_lengths() -> pd.DataFrame:
    """Laws of 4 to 20 rows."""
    return throughput.simulate(60)


def long_groups() -> pd.DataFrame:
    """Laws of so many rows that they are searched on fewer."""
    rng = np.random.default_rng(0)
    x = 10 ** rng.uniform(6, 10, 8 * 240)
    loss = 9 * x**-0.08 * np.exp(0.01 * rng.normal(size=len(x)))
    return pd.DataFrame({"group": np.arange(len(x)) // 240, "x": x, "loss": loss})


@pytest.mark.parametrize(
    ("table", "objective"),
    [
        (mixed_lengths, sj.Huber()),
        (mixed_lengths, sj.AbsoluteError()),  # a corner, rounded off eight times
        (long_groups, sj.SquaredError(on="raw")),  # the amplitude solved for at every point
    ],
    ids=["smooth", "a corner", "projected and thinned"],
)
def test_a_batch_of_laws_is_one_call(table: Callable[[], pd.DataFrame], objective: Objective) -> None:
    rows = table()

    def work() -> sj.FitGroups:
        return sj.fit_groups(sj.laws.power_law, rows, by="group", objective=objective)

    here, (fits, traffic) = work(), there(work)
    assert isinstance(fits, sj.FitGroups)
    values, expected = (np.array([fit.objective_value for fit in each.values()]) for each in (fits, here))
    np.testing.assert_allclose(values, expected, rtol=SAME)
    for name in ("status", "n_agree", "n_basins", "n_starts", "n_polished"):
        assert [getattr(fit, name) for fit in fits.values()] == [getattr(fit, name) for fit in here.values()]
    assert traffic.calls["on_device"] == 1 and traffic.dispatches <= 12


def test_a_study_calls_once_per_chunk(tmp_path: Path) -> None:
    """However many chunks there are, each costs what the first did."""
    table = throughput.simulate(180)
    folders = iter(("first", "second"))

    def work() -> pd.DataFrame:
        folder = tmp_path / next(folders)
        return sj.study(sj.laws.power_law, table, by="group", folder=folder, chunk=60)

    laws, traffic = there(work)
    assert isinstance(laws, pd.DataFrame) and (laws["status"] == "converged").mean() > 0.9
    assert traffic.calls == {"on_device": 3} and traffic.transfers == 6


def test_a_long_table_is_searched_on_few_rows_in_the_same_call(monkeypatch) -> None:
    """5,000 rows searched on 2,048, whose ends go on on all of them, block by block; 31 starts in slices of
    8, the last of which is filled up with a lane that never runs."""
    rng = np.random.default_rng(0)
    x = 10 ** rng.uniform(6, 10, 5000)
    table = {"x": x, "loss": (1.7 + 400 * x**-0.34) * np.exp(0.01 * rng.normal(size=5000))}

    def work() -> sj.FitResult:
        return sj.fit(sj.laws.power_law_floor, table, starts=31)

    here = work()
    monkeypatch.setattr(on_device, "CELLS", 2048 * 8)
    fit, traffic = there(work)
    assert isinstance(fit, sj.FitResult) and fit.converged
    assert fit.objective_value == pytest.approx(here.objective_value, rel=SAME)
    assert (fit.n_agree, fit.n_polished) == (here.n_agree, here.n_polished)
    assert traffic.dispatches <= 5 and traffic.transfers <= 3


def test_bounds_ties_and_fixed_numbers_hold_there() -> None:
    @sj.law
    def line(x, *, a: sj.NonNegative, b: sj.Unit, c: sj.Unit):
        return 1.0 + a + b * x + c * x**2

    x = np.linspace(0.1, 1, 15)
    options = {
        "fixed": {"c": 0.25},
        "objective": sj.Huber(0.05, on="raw"),
        "solver": "lbfgs",
        "starts": {"a": [0.1, 1.0], "b": [0.5]},
    }
    here = sj.fit(line, {"x": x, "loss": 0.8 + 0.5 * x + 0.3 * x**2}, **options)
    with as_an_accelerator():
        fit = sj.fit(line, {"x": x, "loss": 0.8 + 0.5 * x + 0.3 * x**2}, **options)
    assert fit.params["a"] == here.params["a"] == 0.0 and fit.certificate.at_bound == ["a"]
    assert fit.params["b"] == pytest.approx(here.params["b"], rel=1e-9) and fit.params["c"] == 0.25
    assert fit.objective_value == pytest.approx(here.objective_value, rel=SAME)
