"""The worth of repeated data on Muennighoff et al. 2023's runs: the published objective, and better ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

FRESH = {"E": np.exp(0.6254804), "A": np.exp(6.255414), "B": np.exp(7.3049974), "alpha": 0.3526596}


@pytest.fixture(scope="module")
def repeated(shared) -> pd.DataFrame:
    """The 182 runs of Muennighoff et al. 2023 that fix the worth of repeats."""
    table = pd.read_csv(shared("data_constrained/runs.csv"))
    return table[table["in_fit_182"] == 1]


def repeats(table: pd.DataFrame, fixed: dict[str, float], **options) -> sj.FitResult:
    columns = {"N": "n_params", "D": "tokens", "U": "unique_tokens"}
    return sj.fit(sj.laws.data_constrained, table, inputs=columns, fixed=FRESH | fixed, **options)


def test_the_published_worth_of_repeats_has_its_published_objective(repeated):
    found = sj.certify(
        sj.laws.data_constrained,
        repeated,
        FRESH | {"R_D": 15.387756, "R_N": 5.309743},
        inputs={"N": "n_params", "D": "tokens", "U": "unique_tokens"},
    )
    assert found.objective_value == pytest.approx(0.015825935258, rel=1e-8)


def test_the_published_worth_of_repeats_is_a_local_minimum_beside_a_better_one(repeated):
    best = repeats(repeated, {})
    assert best.objective_value == pytest.approx(0.015804662474, rel=1e-6)
    assert best.params["R_D"] == pytest.approx(95.365, rel=5e-3)
    assert best.params["R_N"] == pytest.approx(1.7059, rel=5e-3)
    start = [[*FRESH.values(), 15.387756, 5.309743]]
    beside = repeats(repeated, {}, starts=np.array(start))
    assert beside.objective_value == pytest.approx(0.015825932069, rel=1e-8)
    assert best.n_basins > 1


def test_decay_of_parameters_alone_has_a_better_optimum_than_published(repeated):
    """Published: R_N = 713 at .0241, a failed optimisation; data that never wear out are R_D -> infinity."""
    found = repeats(repeated, {"R_D": 1e12})
    assert found.objective_value == pytest.approx(0.015923515747, rel=1e-7)
    assert found.params["R_N"] == pytest.approx(0.74211, rel=1e-3)


def test_repeats_have_no_upper_limit_to_their_worth(repeated):
    """Epochs as good as new a thousand times over cost under 1 % of the objective: the data do not say."""
    best = repeats(repeated, {})
    for R_D in (1e3, 1e5):
        assert repeats(repeated, {"R_D": R_D}).objective_value < 1.01 * best.objective_value


SHOWN = {"data_constrained": 0.00623214, "data_constrained_overfit": 0.00477532, "power_sum": 0.00655891}
SHOWN |= {"data_constrained_saturated": 0.00620127, "chinchilla": 0.00865038}
"""Law -> Huber objective on 161 of those runs, by many starts of another optimiser, to six digits."""


@pytest.mark.parametrize("name", SHOWN)
def test_five_laws_of_repeats_reach_their_optima(shared, name: str) -> None:
    runs = pd.read_csv(shared("sldbench/data_constrained.csv.gz"))
    law = sj.laws.power_sum("N", "D", "U") if name == "power_sum" else getattr(sj.laws, name)
    columns = {"N": "params", "D": "tokens", "U": "unique_tokens"}
    fit = sj.fit(
        law,
        runs[runs["split"] == "train"],
        inputs={key: columns[key] for key in law.inputs},
        fixed={"L_0": np.log(50257)} if "L_0" in law.params else None,
    )
    assert fit.objective_value <= SHOWN[name] * (1 + 1e-6)


def test_without_repeats_or_penalty_the_laws_that_may_rise_are_chinchilla():
    fresh = {"E": 1.87, "A": 520.0, "B": 1490.0, "alpha": 0.35, "beta": 0.37}
    N, D = np.geomspace(1e7, 1e10, 4), 1e11
    plain = sj.laws.chinchilla(N, D, **fresh)
    worst = fresh | {"P": 0.5, "delta": 1.0, "kappa": 0.5}
    np.testing.assert_allclose(sj.laws.data_constrained_overfit(N, D, D, **worst), plain, rtol=1e-14)
    none = worst | {"P": 0.0}
    np.testing.assert_allclose(sj.laws.data_constrained_overfit(N, D, D / 50, **none), plain, rtol=1e-14)


def test_between_the_best_loss_and_knowing_nothing():
    """Small costs are Chinchilla's with scales times (L_0 - E); endless ones end at L_0."""
    constants = {"E": 1.8, "L_0": 10.82, "c": 0.0, "alpha": 0.35, "beta": 0.37, "gamma": 0.5, "delta": 0.8}
    near = {"a": 1e-6, "b": 1e-6}
    scale = {"A": 9.02e-6, "B": 9.02e-6}
    expected = sj.laws.chinchilla(1e3, 1e3, E=1.8, alpha=0.35, beta=0.37, **scale)
    law = sj.laws.data_constrained_saturated
    # the next term of h / (1 + h) is h times the first
    assert law(1e3, 1e3, 1e3, **constants, **near) - 1.8 == pytest.approx(expected - 1.8, rel=1e-6)
    assert law(1e3, 1e3, 1e3, **constants, a=1e12, b=1.0) == pytest.approx(10.82, rel=1e-6)
