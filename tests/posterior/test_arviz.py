"""Everything is handed to ArviZ."""

from __future__ import annotations

import pytest


# a corner of 25 rows under six parameters is influential, as leave-one-out rightly says
@pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto:UserWarning")
def test_arviz_gets_everything_and_loo_works(posterior):
    arviz = pytest.importorskip("arviz")
    data = posterior.to_arviz()
    for group in (
        "posterior",
        "posterior_predictive",
        "log_likelihood",
        "observed_data",
        "constant_data",
        "sample_stats",
    ):
        assert hasattr(data, group) or group in data.children
    assert data.attrs["law"] == "chinchilla"
    assert data.attrs["data_fingerprint"] == posterior.fit.fingerprint
    assert {"seed", "numpyro_version", "jax_version", "scaling_jax_version"} <= set(data.attrs)
    loo = arviz.loo(data)
    p_loo = getattr(loo, "p_loo", None) or getattr(loo, "p", None)
    assert 3 < p_loo < 12  # six parameters
