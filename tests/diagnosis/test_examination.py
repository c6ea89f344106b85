"""An examination is computed when asked for, and kept."""

from __future__ import annotations

import scaling_jax as sj


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
