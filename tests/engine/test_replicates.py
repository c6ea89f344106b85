"""Replicates as one program are those of the way round by round, in one call."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.engine.devices import as_an_accelerator
from scaling_jax.engine.replicates import ROUGH
from scaling_jax.engine.traffic import watched


def test_replicates_are_one_call() -> None:
    """They are searched in single precision, as hundreds are; some of so few rows are left to double."""
    x = np.geomspace(1, 100, 6)
    table = {"x": x, "loss": 3 * x**-0.3 * np.exp(0.05 * np.sin(9 * x))}
    fit = sj.fit(sj.laws.power_law, table, solver=ROUGH)
    here = fit.bootstrap(60)
    with as_an_accelerator(), watched() as traffic:
        there = fit.bootstrap(60)
    np.testing.assert_allclose(there.objective_values, here.objective_values, rtol=1e-12, atol=1e-28)
    np.testing.assert_allclose(there.params, here.params, rtol=1e-7)
    assert traffic.calls == {"replicates": 1} and traffic.transfers == 2
