"""What may be said to `fit`: every form of starts and weights, and that each does what its sentence says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from tests.cases.simulated import ROWS, TABLE, fit, same

START = {"E": 1.5, "A": 300.0, "B": 1000.0, "alpha": 0.3, "beta": 0.3}
POINT = np.array(list(START.values()))
STARTS = {
    "the law's own": (None, 32),
    "the classical grid": ("grid", 4500),
    "a number": (50, 50),
    "axes of a product": (
        {"E": [1.0, 2.0], "A": [100, 1000.0], "B": [100.0, 1e3, 1e4], "alpha": 0.3, "beta": [0.3, 0.5]},
        24,
    ),
    "points": (np.array([POINT, 2 * POINT]), 2),
    "one point": (POINT, 1),
    "a frame in any order": (pd.DataFrame([START])[["beta", "alpha", "B", "A", "E"]], 1),
    "a list": ([list(POINT)], 1),
}


@pytest.mark.parametrize("name", STARTS)
def test_every_form_of_starts(name: str, best: sj.FitResult) -> None:
    starts, count = STARTS[name]
    found = fit(starts=starts)
    same(found, best)
    assert found.n_starts == count and found.converged


def test_unscreened_starts_all_finish(best: sj.FitResult) -> None:
    found = fit(starts=150, screen=False)
    same(found, best)
    assert found.n_starts == found.certificate.n_finished == 150


def test_the_same_call_gives_the_same_bits(best: sj.FitResult) -> None:
    again = fit()
    assert (again.numbers == best.numbers).all() and again.objective_value == best.objective_value


def test_whole_weights_are_repeated_rows(best: sj.FitResult) -> None:
    times = np.tile([1, 2, 1, 0], 10)
    weighted = fit(weights=times.astype(float))
    repeated = fit(TABLE.loc[TABLE.index.repeat(times)])
    assert weighted.objective_value == pytest.approx(repeated.objective_value, rel=1e-10)
    np.testing.assert_allclose(weighted.numbers, repeated.numbers, rtol=1e-5)
    assert weighted.objective_value != pytest.approx(best.objective_value, rel=1e-3)
    same(fit(TABLE.assign(w=times), weights="w"), weighted)


def test_weights_by_run_give_every_run_the_same_total() -> None:
    by_run = fit(run="run_id", weights="runs")
    weight = by_run.data().weight
    np.testing.assert_allclose(np.bincount(TABLE.run_id, weight), ROWS / 10)
    same(by_run, fit(weights=weight))
    assert by_run.record["n_runs"] == 10


def test_known_errors_move_the_threshold_and_weights_do_not() -> None:
    """Huber_d(r / s) = Huber_ds(r) / s^2, while a weight only multiplies."""
    s = 0.02
    scaled = fit(target_se=np.full(ROWS, s), objective=sj.Huber(0.25))
    moved = fit(objective=sj.Huber(0.25 * s))
    np.testing.assert_allclose(scaled.numbers, moved.numbers, rtol=1e-6)
    assert scaled.objective_value == pytest.approx(moved.objective_value / s**2, rel=1e-9)
    np.testing.assert_allclose(scaled.residuals, moved.residuals / s, rtol=1e-5, atol=1e-9)
    weighted = fit(objective=sj.Huber(0.25), weights=np.full(ROWS, 1 / s**2))
    assert weighted.objective_value == pytest.approx(
        fit(objective=sj.Huber(0.25)).objective_value / s**2, rel=1e-9
    )
    assert np.abs(weighted.numbers - scaled.numbers).max() > 1e-3


def test_refits_of_what_was_judged_search_as_a_fit_would() -> None:
    judged = sj.certify(sj.laws.chinchilla, TABLE, fit().params)
    assert judged.spec.solver == sj.LM() and judged.spec.starts is None
    own, theirs = judged.bootstrap(3).objective_values, fit().bootstrap(3).objective_values
    assert own == pytest.approx(theirs, rel=1e-9)


JUDGED = {"E": 1.7, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}
CONTRADICTED = {
    "a fixed value": (
        {"fixed": {"E": 1.0}},
        {},
        r"^E=1\.7 is to be judged and fixed says 1: give one value, or leave E out of fixed\.$",
    ),
    "a tie": (
        {"tied": [("alpha", "beta")]},
        {},
        r"^alpha=0\.35 and beta=0\.37 are to be judged and tied says that they are equal: give one value",
    ),
    "an unknown parameter": ({}, {"gamma": 1.0}, r"given are E, A, B, alpha, beta, gamma\.$"),
    "a word": ({}, {"A": "x"}, r"^A='x' is not a number\.$"),
    "a value outside its domain": (
        {},
        {"A": -1.0},
        r"^A=-1\.0 is outside its domain: it must be positive\.$",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTED)
def test_parameters_that_cannot_be_judged_are_one_sentence(name: str, nothing_compiles) -> None:
    options, others, sentence = CONTRADICTED[name]
    with nothing_compiles(), pytest.raises(ValueError, match=sentence):
        sj.certify(sj.laws.chinchilla, TABLE, JUDGED | others, **options)


def test_every_parameter_must_be_there_to_be_judged() -> None:
    with pytest.raises(ValueError, match=r"^Law 'chinchilla' has the parameters .*; given are E\.$"):
        sj.certify(sj.laws.chinchilla, TABLE, {"E": 1.7})
    with pytest.raises(TypeError, match=r"^certify has no argument \['stats'\]; it takes those of fit\.$"):
        sj.certify(sj.laws.chinchilla, TABLE, JUDGED, stats=1)


def test_judged_parameters_stay_where_they_are_under_fixed_and_tied() -> None:
    params = JUDGED | {"beta": 0.35}
    judged = sj.certify(
        sj.laws.chinchilla, TABLE, params, fixed={"E": 1.7}, tied=[("alpha", "beta")], strict=True
    )
    assert judged.params == pytest.approx(params, rel=1e-12)
    assert judged.status == "not_converged"
