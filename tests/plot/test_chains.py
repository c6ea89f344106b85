"""Chains are drawn as they were sampled, with ranks among all draws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from scaling_jax.plot.chains import posterior, posterior_data
from scaling_jax.posterior.diagnostics import chain_table


class Posterior(SimpleNamespace):
    """What a picture asks of a posterior; sampling one takes longer than all other pictures together."""


@pytest.fixture
def sampled() -> Posterior:
    rng = np.random.default_rng(0)
    sites = {"alpha": rng.normal(size=(2, 200)), "E": rng.normal([[0.0], [3.0]], size=(2, 200))}
    return Posterior(sites=sites, diagnostics=pd.DataFrame(chain_table(sites)).T)


def test_ranks_are_level_for_chains_that_agree(sampled: Posterior) -> None:
    table = posterior_data(sampled)
    np.testing.assert_array_equal(
        table.query("parameter == 'E' and chain == 1")["value"], sampled.sites["E"][1]
    )
    ranks = table.groupby(["parameter", "chain"])["rank"].mean()
    assert abs(ranks["alpha", 0] - 0.5) < 0.05 and ranks["E", 0] < 0.3


def test_chains_that_disagree_are_told(sampled: Posterior) -> None:
    axes = posterior(sampled)
    assert axes.shape == (2, 2)
    said = [ax.texts[0].get_text() for ax in axes[:, 1]]
    assert "sample longer" in said[1] and f"R-hat {sampled.diagnostics.loc['alpha', 'r_hat']:.3f}" in said[0]
    with pytest.raises(ValueError, match="holds alpha, E"):
        posterior(sampled, ["beta"])
