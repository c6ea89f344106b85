"""The rows of a fit as arrays: restricted, counted, weighed and told apart."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.tables.runs import Part, run_weights

TABLE = {
    "x": np.arange(1.0, 7.0),
    "loss": np.linspace(3.0, 2.0, 6),
    "run": list("aabbbc"),
    "family": list("uvuvuv"),
}


def read(**changes):
    return sj.read_runs(sj.laws.power_law, TABLE | changes, run="run", by="family")


def test_rows_are_taken_with_all_that_belongs_to_them() -> None:
    some = read().take(np.array([5, 0]))
    assert some.inputs["x"].tolist() == [6.0, 1.0] and some.rows.tolist() == [5, 0]
    assert [some.run_labels[code] for code in some.run] == ["c", "a"]
    assert [some.group_labels[code] for code in some.group] == ["v", "u"]


def test_members_are_each_groups_rows_in_order() -> None:
    assert [rows.tolist() for rows in read().members()] == [[0, 2, 4], [1, 3, 5]]


def test_runs_without_weight_do_not_count() -> None:
    runs = read()
    assert runs.n_runs == 3
    assert Part(runs, np.arange(6), np.array([1.0, 1, 1, 1, 1, 0])).read().n_runs == 2
    points = sj.read_runs(sj.laws.power_law, {"x": [1.0, 1.0, 2.0], "loss": [3.0, 3.1, 2.0]})
    assert points.n_runs == 2  # distinct inputs, where runs are not named


def test_weights_give_every_run_the_same_and_a_mean_of_one() -> None:
    weight = run_weights(np.array([0, 0, 1, 1, 1, 2]))
    np.testing.assert_allclose(np.bincount([0, 0, 1, 1, 1, 2], weight), 2.0)
    assert weight.mean() == 1.0


def test_a_fingerprint_knows_the_numbers_and_not_the_names() -> None:
    mark = read().fingerprint
    assert read(run=list("ttuuuv")).fingerprint == mark
    assert read(loss=np.linspace(3.0, 2.0 + 1e-15, 6)).fingerprint != mark
    assert read(run=list("aabbbb")).fingerprint != mark
