"""What a run's budget is, which runs are the largest, and where a law will be used next."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.tables.scale import beyond, scale_of, top_rows


def read(law: sj.Law, **columns):
    size = len(next(iter(columns.values())))
    return sj.read_runs(law, {**columns, "loss": np.linspace(3.0, 2.0, size)})


def test_the_budget_is_compute_where_it_is_known() -> None:
    N, D = np.array([1e8, 1e9, 1e9]), np.array([2e9, 2e10, 3e10])
    name, size = scale_of(read(sj.laws.chinchilla, N=N, D=D), sj.laws.chinchilla)
    assert name == "6ND"
    np.testing.assert_allclose(size, 6 * N * D)
    assert scale_of(read(sj.laws.compute_frontier, C=N), sj.laws.compute_frontier)[0] == "C"
    assert scale_of(read(sj.laws.power_law, x=N), sj.laws.power_law)[0] == "x"


def test_the_top_decade_is_dropped_where_enough_is_left() -> None:
    law = sj.laws.power_law
    words, top = top_rows(read(law, x=np.geomspace(1, 1e3, 13)), law, free=2)
    assert words == "top decade of x" and top.sum() == 5  # four runs a decade, and both ends of the last
    words, top = top_rows(read(law, x=np.geomspace(1, 30, 13)), law, free=2)
    assert words == "top half decade of x"  # a decade would leave fewer than 60 %
    assert top_rows(read(law, x=np.array([1.0, 10.0, 100.0])), law, free=2) is None


def test_the_next_run_grows_what_the_table_has_varied() -> None:
    N, D = np.array([1e7, 1e8, 1e9]), np.array([2e10, 2e10, 3e10])
    assert beyond(read(sj.laws.chinchilla, N=N, D=D), sj.laws.chinchilla) == {"N": 1e10, "D": 3e10}


def test_a_law_of_a_loss_is_used_at_lower_ones() -> None:
    """Nobody plans for a worse model: the loss of a larger one is what its metric is asked at."""
    law = sj.laws.error_from_loss
    loss = np.array([20.0, 3.0, 2.5, 2.4, 2.39, 2.0])
    table = {"loss": loss, "error": [0.9, 0.8, 0.7, 0.65, 0.64, 0.5]}
    runs = sj.read_runs(law, table)
    assert scale_of(runs, law)[0] == "1/loss"
    assert beyond(runs, law) == {"loss": pytest.approx(1.8)}
    words, top = top_rows(runs.take(np.arange(1, 6)), law, free=3) or ("", None)
    assert words == "lowest loss" and top.tolist() == [False] * 4 + [True]
    np.testing.assert_allclose(sj.read_runs(law, table, weights="size").weight * loss, 1 / np.mean(1 / loss))


def test_rows_weigh_as_their_budget_or_as_powers_of_inputs() -> None:
    N, D = np.array([1e8, 1e9, 1e9]), np.array([2e9, 2e10, 3e10])
    table = {"N": N, "D": D, "loss": [3.0, 2.5, 2.4]}

    def weight(weights: object) -> np.ndarray:
        return sj.read_runs(sj.laws.chinchilla, table, weights=weights).weight

    np.testing.assert_allclose(weight("size"), N * D / np.mean(N * D), rtol=1e-12)
    np.testing.assert_allclose(weight({"N": 2}), N**2 / np.mean(N**2), rtol=1e-12)
    np.testing.assert_allclose(weight({"N": 0.0}), 1.0)
    with pytest.raises(sj.DataError, match="a power per input of law 'chinchilla', which are N, D, not 'C'"):
        weight({"C": 1.0})
    with pytest.raises(sj.DataError, match="a power per input"):
        weight({})
    with pytest.raises(sj.DataError, match="'D', which must be positive"):
        sj.read_runs(sj.laws.rectified, {"D": [0.0, 1.0], "loss": [1.0, 2.0]}, weights="size")


def test_weights_of_size_are_those_of_the_same_numbers() -> None:
    x = np.geomspace(1, 1e3, 12)
    table = {"x": x, "loss": 2 + 3 * x**-0.4 * np.exp(np.random.default_rng(0).normal(0, 0.02, 12))}
    by_name = sj.fit(sj.laws.power_law_floor, table, weights="size")
    by_hand = sj.fit(sj.laws.power_law_floor, table, weights=x / x.mean())
    assert by_name.numbers == pytest.approx(by_hand.numbers, rel=1e-9)
