"""Printed constants of downstream laws repeat the papers' fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj


def test_observational_sigmoids_keep_their_printed_coefficients():
    entry = sj.published["ruan2024_word_unscrambling"]
    for log10 in (2.0, 3.0):
        assert entry(1e21 * 10**log10) == pytest.approx(1 / (1 + np.exp(-(2.00 * log10 - 6.11))), rel=1e-12)


@pytest.mark.parametrize("data", ["c4", "redpajama", "refinedweb"])
@pytest.mark.parametrize("tasks", [17, 46])
def test_errors_from_losses_are_refitted_to_the_printed_digits(overtrained, data: str, tasks: int) -> None:
    entry = sj.published[f"gadre2024_{data}_error{tasks}"]
    fit = sj.fit(entry.law, overtrained, **entry.protocol)
    assert len(fit.data()) == 6
    assert fit.params["eps"] == pytest.approx(entry.params["eps"], abs=1e-3)
    assert fit.params["gamma"] == pytest.approx(entry.params["gamma"], abs=1e-3)
    assert fit.params["k"] == pytest.approx(entry.params["k"], rel=5e-3)


@pytest.mark.parametrize("task", ["mmlu", "hellaswag", "arc_c", "piqa"])
def test_a_model_ladder_is_refitted_to_the_printed_digits(shared, task: str) -> None:
    entry = sj.published[f"bhagia2024_{task}"]
    names = {
        "mmlu": "mmlu_avg_test_5shot",
        "hellaswag": "hellaswag_val_5shot",
        "arc_c": "arc_challenge_test_5shot",
        "piqa": "piqa_val_5shot",
    }
    where = f"task == '{names[task]}' and mode == 'train'"
    fit = sj.fit(
        entry.law,
        pd.read_csv(shared("model_ladder/final_runs.csv")),
        inputs={"N": "n_params", "D": "tokens"},
        where=where,
        **entry.protocol,
    )
    objective = {
        "mmlu": 6.6526431e-5,
        "hellaswag": 3.4531080e-5,
        "arc_c": 7.0388543e-5,
        "piqa": 4.2686502e-5,
    }[task]
    assert len(fit.data()) == 16 and fit.objective_value <= objective * (1 + 1e-6)
    for name, digits in (("E", 5e-4), ("alpha", 5e-4), ("beta", 5e-4)):
        assert fit.params[name] == pytest.approx(entry.params[name], abs=digits)
