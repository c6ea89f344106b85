"""The summary says what the methods say."""

from __future__ import annotations

import scaling_jax as sj


def test_the_summary_shows_the_intervals_of_conf_int(best: sj.FitResult) -> None:
    ends, text = best.conf_int(), best.summary()
    for label in best.law.labels:
        line = next(line for line in text.splitlines() if line.startswith(f"{label} "))
        assert line.split()[2:4] == [f"{ends.loc[label, end]:.4g}" for end in ("lower", "upper")]
