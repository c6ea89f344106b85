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
