"""Diagnostics of chains are ArviZ's."""

from __future__ import annotations

import numpy as np
import pytest


def test_rank_diagnostics_are_arviz_s():
    arviz = pytest.importorskip("arviz")
    diagnostics = pytest.importorskip("scaling_jax.posterior.diagnostics")
    rng = np.random.default_rng(0)
    chains = rng.standard_cauchy((4, 600))
    for i in range(1, 600):
        chains[:, i] += 0.6 * chains[:, i - 1]
    ours = diagnostics.chain_table({"x": chains})["x"]
    theirs = {
        kind: np.asarray(arviz.ess(chains, method=kind, **p)).item()
        for kind, p in (("bulk", {}), ("tail", {"prob": (0.05, 0.95)}))
    }
    assert ours["ess_bulk"] == pytest.approx(theirs["bulk"], rel=0.02)
    assert ours["ess_tail"] == pytest.approx(theirs["tail"], rel=0.05)
