"""Printed constants of pre-training laws repeat the papers' fits, rows and units."""

from __future__ import annotations

import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.published import Entry


def optimal_size(entry: Entry, C: float) -> float:
    """N* under C = 6 N D in closed form."""
    E, A, B, alpha, beta = (entry.params[name] for name in ("E", "A", "B", "alpha", "beta"))
    del E
    return (alpha * A / (beta * B)) ** (1 / (alpha + beta)) * (C / 6) ** (beta / (alpha + beta))


def test_rounding_alone_moves_the_optimum_by_a_fifth():
    assert optimal_size(sj.published["hoffmann2022"], 5.76e23) == pytest.approx(32.2e9, rel=2e-3)
    assert optimal_size(sj.published["hoffmann2022_tex"], 5.76e23) == pytest.approx(40.4e9, rel=2e-3)
    assert optimal_size(sj.published["besiroglu2024_huber"], 5.76e23) == pytest.approx(73.19e9, rel=2e-3)


def test_frontiers_pass_through_the_rows_the_paper_prints():
    """Exponents of two digits meet a row 3.7 decades off to 10^(3.7 x .005) = 4 %, D of N's to twice that."""
    frontier = {name: sj.published[f"hoffmann2022_approach1_{name}"] for name in "ND"}
    assert frontier["N"](5.76e23) == pytest.approx(67e9, rel=0.05)
    assert frontier["D"](5.76e23) == pytest.approx(1.5e12, rel=0.09)
    assert sj.published["hoffmann2022_approach2_N"](6.88e23) == pytest.approx(67e9, rel=0.05)
    assert sj.published["hoffmann2022_approach2_D"](6.88e23) == pytest.approx(1.7e12, rel=0.05)


def test_kaplans_units_are_those_of_the_functions_in_flop():
    allocation = sj.laws.empirical_allocation(3 * sj.laws.kaplan_relations.PF_DAY)
    for name, value in allocation.items():
        assert sj.published[f"kaplan2020_allocation_{name}"](3.0) == pytest.approx(float(value))


@pytest.mark.parametrize("data", ["c4", "redpajama", "refinedweb"])
def test_the_over_training_losses_are_refitted_to_the_printed_digits(overtrained, data: str) -> None:
    entry = sj.published[f"gadre2024_{data}"]
    fit = sj.fit(entry.law, overtrained, **entry.protocol)
    squares = {"c4": 4.1411892e-4, "redpajama": 4.2564769e-4, "refinedweb": 8.2444139e-5}
    assert len(fit.data()) == 5 and fit.objective_value <= squares[data] * (1 + 1e-6)
    assert fit.params["E"] == pytest.approx(entry.params["E"], abs=1e-3)
    assert fit.params["eta"] == pytest.approx(entry.params["eta"], abs=2e-4)
    assert fit.params["a"] == pytest.approx(entry.params["a"], rel=5e-3)
    assert fit.params["b"] == pytest.approx(entry.params["b"], rel=5e-3)


def test_the_described_protocol_does_not_give_the_printed_constants(replication):
    """The described objective and grid lead to besiroglu2024_huber, absolute deviations to besiroglu2024."""
    described, printed = sj.published["besiroglu2024_huber"], sj.published["besiroglu2024_unrounded"]
    protocol = dict(sj.published["hoffmann2022"].protocol) | {
        "where": described.protocol["where"],
        "inputs": described.protocol["inputs"],
    }
    fit = sj.fit(described.law, replication, **(protocol | {"screen": True, "solver": "lm"}))
    assert fit.objective_value <= 1.018274018e-3 * (1 + 1e-7) and len(fit.data()) == 240
    assert fit.params == pytest.approx(dict(described.params), rel=1e-4)
    absolute = sj.fit(printed.law, replication, **printed.protocol)
    assert absolute.objective_value <= 1.12951
    assert absolute.params == pytest.approx(dict(printed.params), rel=2e-3)
    assert fit.params["B"] - absolute.params["B"] > 50


@pytest.fixture(scope="module")
def hitchhikers(shared) -> pd.DataFrame:
    return pd.read_csv(
        shared("hitchhikers/checkpoints.csv.gz"), usecols=["family", "n_params", "tokens_seen", "loss"]
    )


@pytest.mark.parametrize("family", ["gpt3", "chinchilla", "OPT"])
def test_the_thousand_laws_study_is_refitted_to_the_printed_digits(hitchhikers, family: str) -> None:
    entry = sj.published[f"choshen2024_{family}"]
    fit = sj.fit(entry.law, hitchhikers, **entry.protocol)
    assert fit.params["alpha"] == pytest.approx(entry.params["alpha"], abs=1e-3)
    assert fit.params["beta"] == pytest.approx(entry.params["beta"], abs=1e-3)
    assert fit.params["E"] == pytest.approx(entry.params["E"], rel=1e-3)
