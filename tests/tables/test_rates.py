"""Curves come by names of runs, in a column, or as one for all rows; what is none is told in a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj

LAW = sj.laws.tissue
FALLING = np.r_[np.full(60, 1e-3), np.full(60, 1e-4)]
CURVES = {"a": np.full(120, 1e-3), "b": FALLING}


def table() -> pd.DataFrame:
    rows = pd.DataFrame({"run": np.repeat(["a", "b"], 10), "step": np.tile(np.arange(12, 121, 12), 2)})
    return rows.assign(loss=3.0 + 1.0 / rows["step"])


def read(rows, **words):
    return sj.read_runs(LAW, rows, run="run", **words)


def test_every_way_to_give_curves_gives_the_same_rows():
    rows = table()
    named = read(rows, inputs={"lr": CURVES})
    assert len(named.inputs["lr"].views.total) == 20
    columns = [
        rows.assign(lr=rows["run"].map(CURVES)),
        rows.assign(lr=rows["run"].map({name: sj.schedules.curve(c) for name, c in CURVES.items()})),
        {name: rows[name].to_numpy() for name in rows} | {"lr": [CURVES[run] for run in rows["run"]]},
    ]
    for other in columns:
        assert read(other).fingerprint == named.fingerprint
    by_function = read(rows, inputs={"lr": lambda t: t["run"].map(CURVES)})
    assert by_function.fingerprint == named.fingerprint
    alone = rows[rows["run"] == "b"]
    assert read(alone, inputs={"lr": FALLING}).fingerprint == read(alone, inputs={"lr": CURVES}).fingerprint


def test_checkpoints_that_runs_share_are_seen_once():
    rows = table().assign(run=lambda t: t["run"] + "2")
    both = pd.concat([table(), rows], ignore_index=True)
    curves = CURVES | {"a2": CURVES["a"], "b2": CURVES["b"]}
    column = read(both, inputs={"lr": curves}).inputs["lr"]
    assert len(column) == 40 and len(column.views.total) == 20


@pytest.mark.parametrize(
    ("rows", "words", "said"),
    [
        (table(), {}, r"needs the input lr, .* inputs=\{'lr': \{run: one rate per update\}\}"),
        (table(), {"inputs": {"lr": None}}, "'lr' is None, .* give .run: one rate per update. with run="),
        (table(), {"inputs": {"lr": CURVES, "step": 5}}, "'step' is 5: give the name of a column"),
        (table(), {"inputs": {"lr": {"a": FALLING}}}, "no curve for 'b', in row 10; there are"),
        (table(), {"inputs": {"lr": CURVES | {"b": FALLING[:50]}}}, "step is 60 in row 14.* updates 1 to 50"),
        (table(), {"inputs": {"lr": CURVES | {"b": [1.0, np.nan]}}}, "run 'b': the rate is nan at update 2"),
        (table(), {"inputs": {"lr": CURVES | {"b": [1.0, -1.0]}}}, "run 'b': the rate is -1.0 at update 2"),
        (table(), {"inputs": {"lr": CURVES | {"b": [[1.0, 2.0], [1.0]]}}}, "the curve of run 'b'"),
        (table(), {"inputs": {"lr": CURVES | {"b": "fast"}}}, "no curve for 'fast'"),
        (table(), {"inputs": {"rate": CURVES}}, r"inputs names \['rate'\]"),
        (table().assign(lr=1e-3), {}, "the table has one number per row.*from_table"),
        (table().assign(step=0.5), {"inputs": {"lr": CURVES}}, "step is 0.5 in row 0.*whole updates"),
        (table().assign(lr=[FALLING] * 19 + [None]), {}, "input lr is missing in row 19"),
    ],
)
def test_what_is_no_curve_is_one_sentence(rows, words, said):
    with pytest.raises(sj.DataError, match=said):
        read(rows, **words)


def test_names_need_a_column_of_names():
    with pytest.raises(sj.DataError, match="by the names of runs: say run="):
        sj.read_runs(LAW, table(), inputs={"lr": CURVES})


def test_a_bad_curve_of_a_run_that_is_left_out_is_nobody_s_concern():
    kept = read(table(), where="run == 'a'", inputs={"lr": CURVES | {"b": [np.nan]}})
    assert len(kept) == 10 and list(kept.inputs["lr"].named) == ["a"]
    dropped = read(table().assign(lr=[FALLING] * 19 + [None]), missing="drop")
    assert dropped.record["dropped_missing"] == 1
