"""The summary says what the methods say."""

from __future__ import annotations

import scaling_jax as sj


def test_the_summary_shows_the_intervals_of_conf_int(best: sj.FitResult) -> None:
    ends, text = best.conf_int(), best.summary()
    for label in best.law.labels:
        line = next(line for line in text.splitlines() if line.startswith(f"{label} "))
        assert line.split()[2:4] == [f"{ends.loc[label, end]:.4g}" for end in ("lower", "upper")]


def test_three_lines_stand_first(best: sj.FitResult) -> None:
    best.examine()
    lines = [line for line in best.summary().splitlines() if not line.startswith(" ")]
    assert [line.split(":")[0] for line in lines[1:4]] == ["Verdict", "Found", "Beyond"]


def test_units_are_those_of_the_numbers() -> None:
    """A is a loss times a power of a size, and the table says in what its loss is measured."""
    runs = sj.datasets.load("tiny_sweep").query("arm == 'main' and final")
    columns = {"N": "n_params", "D": "tokens"}
    fit = sj.fit(sj.laws.chinchilla, runs, inputs=columns, target="loss", run="run")
    rows = {line.split()[0]: line.split()[3:] for line in fit.summary().splitlines() if line[:5].strip()}
    assert rows["E"] == ["nats/byte"] and rows["A"] == [] and rows["alpha"] == []
    other = runs.assign(ppl=2.7 ** runs["loss"])
    fit = sj.fit(sj.laws.chinchilla, other, inputs=columns, target="ppl")
    assert "nats" not in fit.summary()


def test_a_summary_that_is_still_growing_has_no_good_word_beside_a_bad_one(line: sj.FitResult) -> None:
    from scaling_jax.diagnosis.told import told
    from scaling_jax.reporting.summary import summary_text

    assert "No warnings." in line.summary()
    missed = [("Backtest", "THE INTERVAL MISSED, trust no narrower one beyond the data")]
    fresh = sj.FitResult.of(line)
    assert "No warnings." not in summary_text(fresh, told(fresh, missed))
