"""An examination is computed when asked for, and kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.core.memory import DEFAULT
from scaling_jax.diagnosis import examination
from scaling_jax.fitting import refits
from scaling_jax.fitting.refits import refit


def test_the_summary_says_it_and_json_needs_no_refit(line: sj.FitResult) -> None:
    line.examine()
    text = " ".join(line.summary().split())
    for words in (
        "Influence: row",
        "Backtest: fitted without the top decade of x",
        "Choices:",
        "what moves it most",
    ):
        assert words in text
    fresh = sj.FitResult.from_json(line.to_json())
    assert fresh.examination == [] and "Backtest" not in fresh.summary()


def test_an_examination_is_two_batches_and_what_its_parts_say_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.geomspace(1, 1e3, 24)
    table = {"x": x, "loss": 5 * x**-0.3 * np.exp(np.random.default_rng(5).normal(0, 0.02, 24))}
    alone, together = (sj.fit(sj.laws.power_law, table, objective=sj.SquaredError()) for _ in range(2))
    batches = []

    def watched(variants, **how):
        batches.append(how)
        return refit(variants, **how)

    monkeypatch.setattr(examination, "refit", watched)
    told: list[str] = []
    found = together.examine(lambda name, words: told.append(name))
    assert batches == [{}, {"careful": False}]
    assert told == [name for name, _ in found.findings] == ["Influence", "Backtest", "Choices"]
    tested, others = alone.backtest(), alone.sensitivity()
    pd.testing.assert_frame_equal(found.backtest.table, tested.table, rtol=1e-6)
    np.testing.assert_allclose(found.draws.numbers, alone.bootstrap(1000).numbers, rtol=1e-6)
    monkeypatch.setattr(refits, "BYTES_PER_CELL", DEFAULT / (300 * 24))  # 300 replicates at a time, not 2,000
    small = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError()).examine()
    np.testing.assert_allclose(small.draws.numbers, found.draws.numbers, rtol=1e-6)
    pd.testing.assert_frame_equal(small.backtest.table, tested.table, rtol=1e-6)
    shared = found.sensitivity.table
    np.testing.assert_allclose(shared["prediction"], others.table.loc[shared.index, "prediction"], rtol=1e-6)
    assert together.examine() is found and together.draws is found.draws


def test_what_is_not_to_be_used_is_not_examined() -> None:
    short = sj.fit(sj.laws.power_law_floor, {"x": [1.0, 10.0], "loss": [4.0, 2.0]})
    assert short.status == "underdetermined"
    assert short.examine().findings == [] and short.examine().draws is None
    assert str(short.examine()) == "Nothing to examine."
