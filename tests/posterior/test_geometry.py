"""The sampler's coordinates are exact."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest


@pytest.mark.slow
def test_the_coordinates_are_exact(families):
    """The potential is NumPyro's own minus the log-determinant of the map, to rounding."""
    pytest.importorskip("numpyro")
    from numpyro import handlers
    from numpyro.distributions import biject_to
    from numpyro.infer.util import potential_energy

    from scaling_jax.posterior import geometry
    from scaling_jax.posterior.build import build
    from scaling_jax.posterior.model import OFFSET, TARGET, model

    with jax.enable_x64(True):
        design, data, common, own, _ = build(
            list(families.values()), pool=["alpha", "beta"], observation="student"
        )
        phi, theta = geometry.start_coordinates(design, data, common, own)
        (m, k, _), rng = geometry.sizes(design), np.random.default_rng(1)
        eye = np.broadcast_to(np.eye(k), (4, k, k))
        anchor = geometry.Geometry(
            phi,
            0.1 * np.eye(m),
            theta,
            rng.normal(size=(4, k)),
            50.0 * eye,
            0.1 * rng.normal(size=(4, k, m)),
            0.1 * eye,
        )
        u = 0.3 * rng.normal(size=geometry.dimension(design))
        sites = handlers.trace(handlers.seed(model, 0)).get_trace(design, data)
        maps = {
            n: biject_to(s["fn"].support) for n, s in sites.items() if s["type"] == "sample" and n != TARGET
        }

        def free(u):
            values = geometry.natural(design, data, anchor, u)
            return {name: maps[name].inv(values[name]) for name in sorted(maps)}

        @jax.jit
        def both(u):
            jacobian = jax.jacfwd(lambda u: jnp.concatenate([jnp.ravel(x) for x in free(u).values()]))(u)
            numpyros = potential_energy(model, (design, data), {}, free(u))
            return numpyros - jnp.linalg.slogdet(jacobian)[1], geometry.potential(design, data, anchor, u)

        expected, found = both(u)
        assert OFFSET in maps
        assert float(found) == pytest.approx(float(expected), rel=1e-9)
