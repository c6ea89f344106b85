"""Replicates that the tests of bootstraps and draws share."""

from __future__ import annotations

import numpy as np
import pytest

import scaling_jax as sj

STRANDED = 3178  # where SciPy's BFGS stops 5.6e-4 above the optimum, at B = 8492


@pytest.fixture(scope="session")
def replicates(fit240: sj.FitResult):
    """The first 500 of the replication's 4,000 resamples, and the one in which its optimiser was stranded."""
    legacy = np.random.RandomState(42)  # the published draws came from this generator
    drawn = np.stack([legacy.choice(240, size=240) for _ in range(STRANDED + 1)])
    return fit240.bootstrap(indices=np.concatenate([drawn[:500], drawn[STRANDED:]]))
