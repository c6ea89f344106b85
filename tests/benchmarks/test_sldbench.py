"""SLDBench: what the blind choice may see. `test_catalogue` holds the scorer at published scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from benchmarks.sldbench import LEAST, MOST_HELD, TASKS, Candidate, blended, counts, held_out, within


def task(name: str):
    return next(one for one in TASKS if one.name == name)


@pytest.mark.parametrize("name", [one.name for one in TASKS])
def test_no_candidate_has_more_parameters_than_the_task_allows(name: str) -> None:
    one = task(name)
    assert one.named.parameters <= one.most
    assert all(candidate.parameters <= one.most for candidate in one.candidates(positive=True))


def test_the_largest_values_of_each_group_are_held_out():
    x = np.arange(1.0, 21.0)
    table = pd.DataFrame({"flops": np.r_[x, 10 * x], "group": ["a"] * 20 + ["b"] * 20})
    cuts = held_out(table, task("easy_question"))
    assert [int(held.sum()) for held in cuts.values()] == [4, 10]
    assert all(held.mean() <= MOST_HELD and held[19] and held[39] and not held[20] for held in cuts.values())


def test_predictions_count_by_the_inverse_of_their_squared_errors():
    """Ten times the best's error counts a hundredth; more than that does not, nor what is not finite."""
    laws = [Candidate(sj.laws.power_law, power=float(power)) for power in range(4)]
    share = counts(dict(zip(laws, (0.1, 0.2, 0.999, 1.01), strict=True)))
    assert list(share.values()) == pytest.approx([1.0, 0.25, LEAST], rel=5e-3) and laws[3] not in share
    said = {one: np.full((1, 2), value) for one, value in zip(laws, (2.0, 7.0, np.inf), strict=False)}
    assert blended(said, share) == pytest.approx(np.full((1, 2), 3.0))


def test_a_mean_within_the_cap_holds_what_fits_beside_the_best():
    """Two and two of four; a third of three parameters does not fit, nor any beside a best one of four."""
    small = [Candidate(sj.laws.power_law, power=power) for power in (0.0, 1.0)]
    large = Candidate(sj.laws.power_law_floor)
    share = {small[0]: 1.0, large: 0.9, small[1]: 0.5}
    assert list(within(share, 4)) == small and list(within(share, 3)) == [small[0]]
    assert list(within(share, np.inf)) == [small[0], large, small[1]]


def test_the_rows_held_out_inside_are_like_those_of_the_test():
    """Most streams, largest size, the largest size's longest run, the upper quarter of each group."""
    size, tokens = np.meshgrid([1e9, 2e9, 3e9], [4e9, 8e9])
    cells = pd.DataFrame({"non_embedding_param_size": size.ravel(), "data_size": tokens.ravel()})
    cells = cells.assign(dense_parameter_count=size.ravel(), parallel_size=[1, 2, 4] * 2)
    x = np.arange(1.0, 9.0)
    scores = pd.DataFrame({"flops": np.r_[x, 10 * x], "group": ["a"] * 8 + ["b"] * 8})
    tables = {"parallel": cells, "moe": cells, "lr_bsz": cells, "easy_question": scores}
    held = {name: np.flatnonzero(task(name).alike(table)).tolist() for name, table in tables.items()}
    assert held == {"parallel": [2, 5], "moe": [2, 5], "lr_bsz": [5], "easy_question": [6, 7, 14, 15]}
