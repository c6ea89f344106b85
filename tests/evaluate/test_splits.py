"""Splits of a table, held to hand counts."""

from __future__ import annotations

import numpy as np

from scaling_jax import evaluate

SIZES = np.array([4.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0])
TOKENS = np.array([8.0, 1.0, 2.0, 1.0, 4.0, 2.0, 6.0, 2.0])


def rows(split: evaluate.Split) -> tuple[list[int], list[int]]:
    return split.train.tolist(), split.test.tolist()


def test_by_size_takes_the_smallest_for_the_largest():
    splits = evaluate.by_size(SIZES)
    assert [s.label for s in splits] == [2, 3]
    assert rows(splits[0]) == ([1, 2, 3, 4], [0, 7])
    assert rows(evaluate.by_size(SIZES, 2, reverse=True)[0]) == ([0, 5, 6, 7], [1, 2])


def test_narrowing_measures_against_the_longest_or_each_run():
    split = evaluate.by_size(SIZES, 3)[0]
    # below half of the longest training run, which is 6
    assert rows(split.first(TOKENS, 0.5)) == ([1, 2, 3, 5], [0, 7])
    assert split.first(TOKENS, 0.5, SIZES).train.tolist() == [3, 5]
    assert split.first(TOKENS, 0.5, SIZES, inclusive=True).train.tolist() == [1, 3, 5]
    assert rows(split.after(TOKENS, 1.0).last(TOKENS, 0.3)) == ([2, 4, 5, 6], [0])
    assert split.first(TOKENS, 0.5).last(TOKENS, 0.3).label == (3, 0.5, 0.3)
    assert split.first(TOKENS, 0.5).info == {"n": 3, "first": 0.5}


def test_windows_compute_fraction_and_runs_left_out():
    assert [rows(s) for s in evaluate.windows(SIZES, 2)] == [([1, 2, 3, 4], [0, 7]), ([3, 4, 5, 6], [0, 7])]
    assert [len(s.train) for s in evaluate.by_compute(SIZES * TOKENS, [4.0, 8.0])] == [3, 6]
    assert rows(evaluate.by_fraction(TOKENS, 0.5)[0]) == ([1, 2, 3, 4, 5, 7], [0, 6])
    assert rows(evaluate.by_fraction(TOKENS, 0.5, SIZES)[0]) == ([1, 3, 5, 7], [0, 2, 4, 6])
    assert [s.test.tolist() for s in evaluate.leave_one_out(SIZES)][1] == [1, 2]
