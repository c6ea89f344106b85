"""A user's JAX settings neither stop a fit nor move it, and are as they were afterwards."""

from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.core.settings import own_settings

X = np.geomspace(1, 1000, 10)
TABLE = {"x": X, "loss": (2 + 3 * X**-0.5) * np.exp(0.01 * np.cos(5 * X))}


def fitted() -> float:
    fit = sj.fit(sj.laws.power_law_floor, TABLE)
    assert fit.converged and fit.predict(TABLE).shape == X.shape
    return fit.objective_value


@pytest.mark.parametrize(
    "setting", [jax.numpy_rank_promotion("raise"), jax.transfer_guard("disallow")], ids=["rank", "guard"]
)
def test_a_strict_setting_changes_nothing(setting: AbstractContextManager[None]) -> None:
    expected = fitted()
    sj.clear_caches()  # so that programs are traced under the setting
    with setting:
        assert fitted() == expected


def test_a_fit_inside_a_traced_function_is_made_at_once() -> None:
    expected = fitted()
    found = jax.jit(lambda factor: factor * jnp.float32(fitted()))(2.0)
    assert float(found) == pytest.approx(2 * expected, rel=1e-6)


def test_a_process_without_jit_fits_all_the_same() -> None:
    """Interpreted operation by operation, four rows took longer than anybody waited."""
    program = "import tests.core.test_settings as here; print(repr(here.fitted()))"
    done = subprocess.run(
        [sys.executable, "-c", "import os; os.environ['JAX_DISABLE_JIT'] = '1'; " + program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) == pytest.approx(fitted(), rel=1e-12)


def test_settings_are_those_of_the_block_alone() -> None:
    with own_settings():
        assert jnp.ones(1).dtype == jnp.float64
    assert jnp.ones(1).dtype == jnp.float32
    assert jax.config.jax_numpy_rank_promotion == "allow" and not jax.config.jax_disable_jit
