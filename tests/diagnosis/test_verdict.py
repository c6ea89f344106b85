"""One answer: what to do with a fit; the warnings follow from it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.diagnosis.backtest import Backtest
from scaling_jax.diagnosis.examination import Examination
from scaling_jax.diagnosis.sensitivity import Sensitivity

X = np.geomspace(1, 1e4, 40)
NOISE = np.exp(0.005 * np.random.default_rng(3).normal(size=40))


@pytest.fixture(scope="module")
def good() -> sj.FitResult:
    return sj.fit(sj.laws.power_law_floor, {"x": X, "loss": (1 + 3 / X**0.5) * NOISE})


@pytest.fixture(scope="module")
def bent() -> sj.FitResult:
    return sj.fit(sj.laws.power_law, {"x": X, "loss": 3 / X**0.2 * NOISE * np.exp(0.002 * np.log(X) ** 2)})


def first(fit: sj.FitResult) -> str:
    return fit.summary().splitlines()[1]


def test_a_good_fit_is_to_be_used(good: sj.FitResult) -> None:
    assert good.verdict.word == "use" and good.warnings == []
    assert first(good) == "Verdict:     USE IT" and "No warnings." in good.summary()
    assert "not tested yet" in str(good.verdict)
    good.examine()
    assert good.verdict.word == "use" and "its interval held" in str(good.verdict)


def test_a_law_that_bends_away_is_for_the_range_of_the_data(bent: sj.FitResult) -> None:
    assert bent.converged and bent.verdict.word == "inside the range"
    assert first(bent) == "Verdict:     USE IT INSIDE THE RANGE OF THE DATA, NOT BEYOND"
    assert "at both ends" in bent.warnings[0] and "No warnings." not in bent.summary()


def test_a_hopeless_law_is_not_to_be_used() -> None:
    """The optimum of one over size alone is certified, on runs whose loss falls much more slowly."""

    @sj.law
    def hopeless(N, *, E: sj.Positive, A: sj.Positive):
        return E + A / N

    N = np.geomspace(1e7, 1e10, 24)
    fit = sj.fit(hopeless, {"N": N, "loss": 1.7 + 400 / N**0.34}, objective=sj.SquaredError())
    assert fit.converged and fit.verdict.word == "do not use" and fit.warnings
    assert first(fit) == "Verdict:     DO NOT USE IT"


def test_what_is_no_optimum_is_not_to_be_used() -> None:
    short = sj.fit(sj.laws.power_law_floor, {"x": [1.0, 10.0], "loss": [4.0, 2.0]})
    judged = sj.certify(sj.laws.power_law, {"x": X, "loss": 3 / X}, {"A": 4.0, "alpha": 0.9})
    for fit in (short, judged):
        assert fit.verdict.word == "do not use" and fit.verdict.reasons[0] in fit.warnings
        assert fit.summary().count(fit.warnings[0][:40]) == 1


def test_a_missed_backtest_and_far_choices_are_in_the_verdict() -> None:
    fit = sj.fit(sj.laws.power_law_floor, {"x": X, "loss": (1 + 3 / X**0.5) * NOISE})
    assert fit.verdict.word == "use"
    rows = pd.DataFrame({"measured": 1.0, "prediction": 1.1, "inside": [False] * 4 + [True]})
    answers = pd.DataFrame({"prediction": [1.0, 1.01, 1.5]}, index=["as fitted", "near", "far"])
    fit.kept["examination"] = Examination(
        backtest=Backtest("top decade of x", rows, {}, 0.9),
        sensitivity=Sensitivity(answers, {"x": 1e5}, None, (0.95, 1.05), 0.9),
    )
    assert fit.verdict.word == "inside the range" and fit.warnings == fit.verdict.reasons
    assert "10 % too high, and its 90 % interval held 1 of 5" in fit.warnings[0]
    assert "to 1.5 from 1 (far)" in fit.warnings[1]


def test_few_rows_say_little(bent: sj.FitResult) -> None:
    few = sj.fit(sj.laws.power_law, {"x": [1, 10, 100, 1000], "loss": [4, 2, 1.02, 0.49]})
    assert few.verdict.word == "inside the range" and "4 rows for 2 parameters" in few.warnings[0]


def test_a_handful_of_runs_is_for_the_range_of_the_data() -> None:
    """However many rows they have, and however well the law describes them."""
    x, run = np.tile(X, 3), np.repeat([0, 1, 2], 40)
    fit = sj.fit(sj.laws.power_law_floor, {"x": x, "loss": (1 + 3 / x**0.5) * np.tile(NOISE, 3)}, run=run)
    assert fit.converged and fit.verdict.word == "inside the range"
    assert any(reason.startswith("Only 3 training runs") for reason in fit.verdict.reasons)
    assert fit.summary().count("Only 3 training runs") == 1


def test_a_law_that_leaves_out_what_matters_most_is_not_for_forecasts() -> None:
    """Loss hangs on tokens, and the law knows of sizes alone."""
    N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e12, 6)))
    fit = sj.fit(sj.laws.power_law, {"x": N, "loss": 1.7 + 20 / N**0.34 + 2000 / D**0.34})
    assert fit.verdict.word == "inside the range" and "leaves out what matters" in fit.warnings[0]


def test_a_verdict_is_written_and_read(bent: sj.FitResult) -> None:
    again = sj.FitResult.from_json(bent.to_json())
    assert again.verdict == bent.verdict and again.warnings == bent.warnings
    assert first(again) == first(bent)
    assert again.with_data(bent.data()).verdict == bent.verdict
    older = json.loads(bent.to_json())
    del older["verdict"]
    found = sj.FitResult.from_json(json.dumps(older)).verdict
    assert found.word == "inside the range" and "attach them" in found.reasons[0]
    with pytest.raises(ValueError, match="verdict's word"):
        sj.FitResult.from_json(json.dumps(older | {"verdict": {"word": "?", "reasons": [], "new": []}}))


def test_groups_have_a_column_of_verdicts() -> None:
    loss = np.concatenate([3 / X**0.2 * NOISE, 3 / X**0.2 * NOISE * np.exp(0.002 * np.log(X) ** 2)])
    table = {"x": np.tile(X, 2), "loss": loss, "family": np.repeat(["a", "b"], 40)}
    fits = sj.fit_groups(sj.laws.power_law, table, by="family")
    assert fits.table["verdict"].tolist() == ["use", "inside the range"]
    assert "1 to use" in fits.summary()


def test_what_replicates_leave_open_by_decades_is_said() -> None:
    """Kaplan's law on 20 runs: the curvature at the optimum knows D_c to some factor, replicates do not."""
    rng = np.random.default_rng(1)
    N, D = 10 ** rng.uniform(7, 9.5, 20), 10 ** rng.uniform(8.5, 11, 20)
    true = {"N_c": 8.8e13, "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.095}
    loss = np.asarray(sj.laws.kaplan(N, D, **true)) * np.exp(0.02 * rng.normal(size=20))
    fit = sj.fit(sj.laws.kaplan, {"N": N, "D": D, "loss": loss})
    assert fit.warnings == []
    ends = fit.conf_int().loc["D_c"]
    assert ends["upper"] > 1000 * ends["lower"]
    assert (
        "D_c (" in fit.warnings[-1] and "open by decades at 90 %: do not quote the value;" in fit.warnings[-1]
    )
    assert "alpha_D" not in fit.warnings[-1] and "No warnings" not in fit.summary()
