"""The spline between sizes is Akima's."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import Akima1DInterpolator

from scaling_jax.allocation.interpolate import akima


def test_the_spline_is_akimas():
    rng = np.random.default_rng(0)
    x, at = np.sort(rng.uniform(0, 5, 9)), np.linspace(0.6, 4, 50)
    at = at[(at > x[0]) & (at < x[-1])]
    y = rng.standard_normal((4, 9))
    y[3, 2:7] = 1.0  # five equal slopes: where the weights vanish
    np.testing.assert_allclose(akima(x, y, at), Akima1DInterpolator(x, y, axis=1)(at), rtol=1e-9, atol=1e-12)
