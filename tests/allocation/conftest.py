"""What both approaches say of our own sweep."""

from __future__ import annotations

import pytest

import scaling_jax as sj


@pytest.fixture(scope="session")
def read(our_sweep):
    return sj.isoflop(our_sweep, budget="budget", N="n_params", D="tokens", run="run")
