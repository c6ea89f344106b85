"""Which lanes go on and which are one: the same by NumPy as JAX traces it."""

from __future__ import annotations

import jax
import numpy as np

from scaling_jax.engine.ranks import Finished, best_first, ends_first, first, leaders, promising, survivors


def test_the_best_a_spread_and_no_lane_twice() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(3, 64, 2))
    value = rng.uniform(1, 2, (3, 64))
    z[:, 40], value[:, 40] = z[:, 7], value[:, 7]  # one lane
    value[0, 5] = np.nan
    kept = survivors(value, z, 16)
    assert kept.shape == (3, 16)
    for f in range(3):
        order = [int(i) for i in np.argsort(value[f], kind="stable") if i != 40]
        assert kept[f, :12].tolist() == order[:12]  # three quarters by value
        assert len(set(kept[f].tolist())) == 16
    with jax.enable_x64(True):
        np.testing.assert_array_equal(jax.jit(survivors, static_argnums=2)(value, z, 16), kept)


def test_of_ranks_the_best_a_spread_and_the_last() -> None:
    assert promising(64, 8).tolist() == [0, 1, 2, 3, 4, 14, 24, 63]


def test_lanes_that_ended_together_have_one_leader() -> None:
    z = np.array([[[0.0], [1e-4], [0.5], [0.5]]])
    value = np.array([[1.0, 1.0 + 1e-9, 1.0, 2.0]])
    lanes = Finished(z, value, np.ones((1, 4), int), np.ones((1, 4), int))
    assert leaders(lanes).tolist() == [[0, 0, 2, 3]]
    with jax.enable_x64(True):
        assert jax.jit(leaders)(lanes).tolist() == [[0, 0, 2, 3]]
    back = Finished(*(part[:, ::-1] for part in lanes))
    assert first(best_first(back), 2).value.tolist() == [[1.0, 1.0]]


def test_the_first_lane_of_every_end_comes_first() -> None:
    value = np.array([[1.0, 1.0 + 1e-9, 2.0, 2.0, 3.0, np.inf]])
    lanes = Finished(np.arange(6.0).reshape(1, 6, 1), value, np.ones((1, 6), int), np.ones((1, 6), int))
    found, end = ends_first(lanes, 2)
    assert found.z.ravel().tolist() == [0, 2, 1, 3, 4, 5]
    assert end.tolist() == [[0, 1, 0, 1, -1, -1]]
    assert leaders(first(found, 3), end).tolist() == [[0, 1, 0]]
    with jax.enable_x64(True):
        again, ends = jax.jit(ends_first, static_argnums=1)(lanes, 2)
        np.testing.assert_array_equal(ends, end)
        np.testing.assert_array_equal(again.z, found.z)
