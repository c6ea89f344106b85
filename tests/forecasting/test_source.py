"""A forecast as a source: its draws show its calibrated band."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine.predict import predict


@pytest.mark.parametrize(("floor", "rows", "sizes"), [(0.0, 10, 1.0), (1.5, 10, 2.0), (1.5, 24, 1.0)])
def test_draws_of_a_source_have_the_ends_of_the_band(floor, rows, sizes):
    """At the decades where the band is known, to the error of 1,000 draws; their middle, too, is near."""
    x = np.geomspace(1e18, 1e20, rows)
    loss = (floor + 3.0 * (x / 1e18) ** -0.1) * np.exp(0.003 * np.random.default_rng(rows).normal(size=rows))
    at = {"x": 1e20 * 10 ** np.arange(0.0, sizes + 1)}
    ahead = sj.forecast({"x": x, "loss": loss}, target="loss", at=at)
    source = ahead.as_source()
    said = np.log(predict(source.law, source.draws, at))
    band = np.log(ahead.interval()[["lower", "upper", "prediction"]].to_numpy()).T
    half = 0.5 * (band[1] - band[0])
    assert source.draws[:, len(ahead.weights) :].std(axis=0).max() > 0.01, "parameters stay open"
    # a quantile at .05 of 1,000 draws errs by a tenth of the half-width
    np.testing.assert_array_less(np.abs(np.quantile(said, [0.05, 0.95], axis=0) - band[:2]) / half, 0.1)
    np.testing.assert_array_less(np.abs(np.median(said, axis=0) - band[2]) / half, 0.2)
