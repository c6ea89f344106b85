"""Training curves read at any compute: exact where straight in logs, absent where they have not been."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.tables.curves import columns_of, read_curves

NAMES = {"run": "run", "N": "N", "D": "D", "loss": "loss", "flops": None}


def table(rows: int = 6) -> pd.DataFrame:
    """Two runs whose losses are power laws of their tokens, rows in no order."""
    D = np.geomspace(1e9, 1e11, rows)
    runs = [pd.DataFrame({"run": n, "N": n, "D": D, "loss": 5 * D**-0.05 * n**-0.01}) for n in (1e8, 1e9)]
    return pd.concat(runs).sample(frac=1, random_state=0)


def test_power_laws_are_read_exactly_between_checkpoints_and_nowhere_else() -> None:
    curves = read_curves(table(), **NAMES)
    flops = np.array([3e18, 3e19, 2e20])
    tokens, loss = curves.at(flops)
    expected = flops / (6 * np.asarray(curves.N)[:, None])
    outside = (expected < 1e9) | (expected > 1e11)
    np.testing.assert_array_equal(np.isnan(tokens), outside)
    np.testing.assert_allclose(np.exp(tokens)[~outside], expected[~outside], rtol=1e-12)
    straight = 5 * expected**-0.05 * np.asarray(curves.N)[:, None] ** -0.01
    np.testing.assert_allclose(np.exp(loss)[~outside], straight[~outside], rtol=1e-12)


def test_smoothing_leaves_a_constant_and_takes_noise() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 400)
    one = pd.DataFrame({"run": 1, "N": 1e8, "D": np.geomspace(1e9, 1e11, 400), "loss": 3.0})
    flat = read_curves(one, **NAMES, smooth=4.0).rows[0][2]
    np.testing.assert_allclose(flat, np.log(3.0), rtol=1e-12)
    rough = read_curves(one.assign(loss=3.0 * np.exp(noise)), **NAMES, smooth=4.0).rows[0][2]
    # a Gaussian of standard deviation 4 averages 2 sqrt(pi) 4 = 14 neighbours
    assert np.std(rough) == pytest.approx(0.01 / np.sqrt(14.2), rel=0.3)


def test_a_run_is_one_model_and_columns_are_positive_numbers() -> None:
    with pytest.raises(sj.DataError, match="a run is one model"):
        read_curves(table().assign(run=1), **NAMES)
    with pytest.raises(sj.DataError, match="positive and finite"):
        columns_of({"a": [1.0, -1.0]}, {"N": "a"}, {})
    with pytest.raises(sj.DataError, match="no column 'b'"):
        columns_of({"a": [1.0]}, {"N": "b"}, {})
