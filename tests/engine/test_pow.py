"""Powers are rewritten without changing a value or a limit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_jax.engine.pow import rewrite_powers
from tests.cases.laws import LAWS, TRUTH, points


@pytest.mark.parametrize("name", LAWS)
def test_rewritten_powers_change_nothing(name: str) -> None:
    law, params = LAWS[name], TRUTH[name]
    inputs = points(law)
    with jax.enable_x64(True):
        plain = jax.vmap(law.apply, (None, 0))(params, {k: jnp.asarray(v) for k, v in inputs.items()})
        fast = jax.vmap(rewrite_powers(law.apply), (None, 0))(
            params, {k: jnp.asarray(v) for k, v in inputs.items()}
        )
    # exp(p log x) loses about |p log x| eps
    np.testing.assert_allclose(fast, plain, rtol=1e-13)


@given(
    p=st.one_of(st.just(0.0), st.floats(1e-3, 3), st.floats(-3, -1e-3)),
    x=st.one_of(st.just(0.0), st.floats(1e-6, 1e6)),
)
@settings(max_examples=60, deadline=None)
def test_a_power_keeps_its_limits_at_zero(p: float, x: float) -> None:
    with jax.enable_x64(True):
        fast = float(rewrite_powers(lambda a, b: a**b)(jnp.float64(x), jnp.float64(p)))
        expected = float(jnp.float64(x) ** jnp.float64(p))
    assert fast == pytest.approx(expected, rel=1e-12)


def test_literal_exponents_are_left_alone() -> None:
    with jax.enable_x64(True):
        jaxpr = str(
            jax.make_jaxpr(rewrite_powers(lambda x, p: x**2 + x**0.5 + x**p))(
                jnp.float64(3.0), jnp.float64(0.3)
            )
        )
    assert "integer_pow" in jaxpr and jaxpr.count("log") == 1


def test_derivatives_of_a_quotient_by_a_large_power_are_finite() -> None:
    """B / D**beta is about 1 at beta 14.7; as a quotient its second derivative holds D**(3 beta)."""

    def term(at: jax.Array) -> jax.Array:
        return jnp.exp(at[0]) / jnp.float64(1e11) ** at[1]

    with jax.enable_x64(True):
        at = jnp.array([14.7 * np.log(1e11), 14.7])
        found = jax.jacfwd(jax.jacfwd(rewrite_powers(term)))(at)
    log = np.log(1e11)
    np.testing.assert_allclose(found, [[1, -log], [-log, log**2]], rtol=1e-11)
