"""Tables with several targets: whose rows are whose, what was not measured, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.tables.outputs import outputs_named, read_outputs
from scaling_jax.tables.read import Reading

TABLE = pd.DataFrame(
    {"x": [1.0, 2, 4, 8], "a": [4.0, 3, 2, 1], "b": [2.0, np.nan, 1.5, 1], "job": ["p", "p", "q", "q"]},
    index=[10, 11, 12, 13],
)
BOTH = {"a": "a", "b": "b"}


def read(reading: Reading | None = None, weights: dict[str, float] | None = None, outputs=None):
    return read_outputs(reading or Reading(), sj.laws.power_law, TABLE, outputs or BOTH, weights or {}, True)


def test_rows_come_output_by_output_and_know_their_run():
    runs = read()
    assert runs.group_labels == ["a", "b"] and runs.group.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert runs.rows.tolist() == [10, 11, 12, 13, 10, 12, 13]
    assert [runs.run_labels[code] for code in runs.run] == runs.rows.tolist()
    assert runs.target.tolist() == [4.0, 3, 2, 1, 2.0, 1.5, 1]
    assert runs.record["not_measured"] == {"a": 0, "b": 1}


def test_named_runs_are_the_same_in_every_output():
    runs = read(Reading(run="job", where="x > 1"))
    assert [runs.run_labels[code] for code in runs.run] == ["p", "q", "q", "q", "q"]
    assert runs.record["dropped_where"] == 1


def test_weights_of_outputs_multiply_their_rows():
    assert read(weights={"b": 3.0}).weight.tolist() == [1.0] * 4 + [3.0] * 3


def test_what_counts_as_several_outputs():
    assert outputs_named("loss") is None and outputs_named([1.0, 2.0]) is None and outputs_named(None) is None
    assert outputs_named(["a", "b"]) == BOTH == outputs_named({"a": "a", "b": "b"})


def test_bad_outputs_are_refused_in_a_sentence():
    with pytest.raises(sj.DataError, match="twice"):
        outputs_named(["a", "a"])
    for nothing in ([], ["a", 3], [None, "a"], {"a", "b"}, [TABLE["a"], TABLE["b"]]):
        with pytest.raises(sj.DataError, match="give a column, a list of columns"):
            outputs_named(nothing)
    with pytest.raises(sj.DataError, match="give a mapping of outputs"):
        outputs_named({})
    with pytest.raises(sj.DataError, match="no column 'q' for output 'q'"):
        read(outputs={"a": "a", "q": "q"})
    with pytest.raises(sj.DataError, match="Output 'b' is measured in no row"):
        read(Reading(where=np.array([False, True, False, False])))
    with pytest.raises(ValueError, match="output_weights names"):
        read(weights={"q": 1.0})
    with pytest.raises(ValueError, match="give a positive number"):
        read(weights={"a": -1.0})


def test_outputs_of_laws_of_curves_keep_their_schedules():
    """Each output's rows see what the same table with that output alone does."""
    rates = {"p": np.linspace(1.0, 0.1, 8), "q": np.full(8, 0.5)}
    table = TABLE.assign(step=[2, 4, 6, 8])
    words = Reading(inputs={"lr": rates}, run="job")
    both = read_outputs(words, sj.laws.tissue, table, BOTH, {}, True)
    alone = sj.read_runs(sj.laws.tissue, table.dropna(), inputs={"lr": rates}, run="job", target="b")
    lr = both.inputs["lr"]
    assert lr[both.group == 1].tobytes() == alone.inputs["lr"].tobytes() and set(lr.named) == set(rates)
