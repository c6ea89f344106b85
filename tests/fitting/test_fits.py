"""Fits held as arrays say what their records say, whatever is asked first."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.api.fit import read_groups
from scaling_jax.api.groups import FitGroups
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.fits import Fits, Solved
from scaling_jax.fitting.members import solve_members


def uneven() -> pd.DataFrame:
    """Groups of 2 to 40 rows, some of which cannot be read, or determine nothing, or hold a typing error."""
    rng, parts = np.random.default_rng(3), []
    for g, n in enumerate([20, 16, 12, 7, 12, 2, 12, 12, 16, 5, 16]):
        x = np.exp(rng.uniform(10, 20, n))
        loss = (1.7 + 300 * x**-0.33) * np.exp(rng.normal(0, 0.01, n))
        parts.append(
            pd.DataFrame(
                {
                    "group": f"g{g}",
                    "x": x,
                    "loss": loss,
                    "w": rng.uniform(0.5, 2, n),
                    "run": np.arange(n) // 2,
                }
            )
        )
    parts[2]["x"] = 5e5
    parts[4].loc[0, "loss"] *= 3
    parts[6].loc[1, "loss"] = np.nan
    parts[7]["loss"] = 2.5
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("words", [{"weights": "w"}, {"run": "run"}])
def test_arrays_and_records_give_the_same_bytes(words: dict[str, str]) -> None:
    lazy = sj.fit_groups(sj.laws.power_law_floor, uneven(), by="group", **words)
    before = lazy.certificates.to_json(double_precision=15), lazy.params.to_json(double_precision=15)
    again = pickle.loads(pickle.dumps(lazy))
    eager = FitGroups(dict(again.items()))
    assert before == (
        eager.certificates.to_json(double_precision=15),
        eager.params.to_json(double_precision=15),
    )
    assert lazy.certificates.dtypes.equals(eager.certificates.dtypes)
    assert (lazy["g6"].status, lazy["g5"].status) == ("failed", "underdetermined")
    assert lazy.table.equals(eager.table) and lazy.summary() == eager.summary()
    assert [fit.to_json() for fit in lazy.values()] == [fit.to_json() for fit in eager.values()]
    assert list(lazy) == list(eager) and lazy["g3"] is lazy["g3"]
    with pytest.raises(KeyError, match="There is no group 'g99': there are 'g0'"):
        lazy["g99"]
    fits = lazy._fits
    assert fits.objective_values.tolist()[:-1] == [fit.objective_value for fit in lazy.values()][:-1]
    assert fits.warnings() == [fit.certificate.warnings for fit in lazy.values()]
    assert fits.reasons.tolist() == [fit.reason for fit in lazy.values()]


@pytest.fixture(scope="module")
def held() -> Fits:
    table = uneven()
    words = {"weights": "w"}  # whose programs the test above has
    spec, runs, values, _ = read_groups(
        sj.laws.power_law_floor, table[table["group"] != "g6"], "group", words
    )
    return solve_members(Task(spec, runs, runs.members(), values, runs.group_labels))


def test_nothing_is_made_of_a_fit_until_somebody_asks(held: Fits) -> None:
    assert held.keys == [f"g{g}" for g in range(11) if g != 6] and not held._made
    assert held[-1] is held[9] and list(held._made) == [9]
    assert [fit.key for fit in held[2:4]] == held.keys[2:4]
    with pytest.raises(IndexError):
        held[10]


def test_what_was_found_again_is_kept_where_it_is_no_higher(held: Fits) -> None:
    which = np.array([1, 4, 8])
    again = [
        replace(held[i], evidence=replace(held[i].evidence, value=held[i].evidence.value * by))
        for i, by in zip(which.tolist(), (0.9, 1.0, 1.1), strict=True)
    ]
    mixed = held.with_better(which, Fits.of(again))
    assert [mixed[i] is one for i, one in zip(which.tolist(), again, strict=True)] == [True, True, False]
    assert mixed.values[8] == held.values[8] and mixed.values[1] == 0.9 * held.values[1]
    assert mixed.keys == held.keys


def test_with_a_corner_the_objective_is_the_exact_one(held: Fits) -> None:
    (solved,) = held.batches
    assert isinstance(solved, Solved)
    spec = replace(solved.task.spec, objective=sj.AbsoluteError())
    corner = replace(solved, task=replace(solved.task, spec=spec))
    values = [corner.record(f).objective_value for f in range(len(held))]
    assert corner.objective_values.tolist() == values
