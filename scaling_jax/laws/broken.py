"""Broken neural scaling laws (Caballero et al. 2023): a power law whose slope changes smoothly at n breaks."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.domains import NON_NEGATIVE, POSITIVE, REAL
from scaling_jax.law import Law, Parameter

__all__ = ["bnsl"]

PLACES = {1: 14, 2: 9, 3: 8}
SMOOTH = (0.05, 0.3, 1.0)
FLOORS = (0.0, 0.5, 0.9)
MOST = 96


def bnsl(n: int = 1) -> Law:
    r"""A broken neural scaling law with n breaks.

    $$L(x) = a + b\,x^{-c_0} \prod_{i=1}^{n} \left(1 + (x/d_i)^{1/f_i}\right)^{-c_i f_i}$$

    The logarithm of each factor is written as $-c_i f_i\,\mathrm{softplus}((\ln x - \ln d_i)/f_i)$, which stays exact for the
    sharpest break. Segment i has the log-log slope -(c_0 + ... + c_i); a negative c_i is a curve that turns up.

    Args:
        n: breaks, 0 or more; the law has 3 n + 3 parameters: a (floor), b, c0, and c1, d1, f1, c2, ...

    Returns:
        The law of one input x; it pickles and compares by n.

    Raises:
        ValueError: for a negative n.

    Known to go wrong: c_i f_i and d_i trade off when a break lies outside the data; breaks may swap names; more breaks
    always fit better and often extrapolate worse. A break imprints only parts in ten thousand before it is reached, so
    data rounded to three digits cannot foretell it.

    Source: Caballero et al. 2023 (arXiv:2210.14891), eq. 1.

    >>> bnsl(1)
    <law bnsl(x; a, b, c0, c1, d1, f1)>
    >>> round(bnsl(1)(1000.0, a=0.413885, b=2.277272, c0=0.0550774, c1=5.66291, d1=612.5837, f1=0.0591931), 5)
    0.51091
    """
    if n < 0:
        raise ValueError(f"bnsl(n={n}): the number of breaks is 0 or more.")

    def broken(x: Any, *, a: Any, b: Any, c0: Any, **breaks: Any) -> Any:
        log_x = jnp.log(x)
        power = -c0 * log_x
        for i in range(1, n + 1):
            c, d, f = (breaks[f"{letter}{i}"] for letter in "cdf")
            power = power - c * f * jax.nn.softplus((log_x - jnp.log(d)) / f)
        return a + b * jnp.exp(power)

    broken.__doc__ = "A power law with breaks.\n\n" + r"$$a + b\,x^{-c_0} \prod_i (1 + (x/d_i)^{1/f_i})^{-c_i f_i}$$"
    parameters = [
        Parameter("a", NON_NEGATIVE, prior=("halfnormal", 0.0, 1.0)),
        Parameter("b", POSITIVE, prior=("normal", 0.0, 5.0)),
        Parameter("c0", REAL, prior=("normal", 0.2, 0.3)),
    ]
    for i in range(1, n + 1):
        parameters += [
            Parameter(f"c{i}", REAL, prior=("normal", 0.2, 1.0)),
            Parameter(f"d{i}", POSITIVE, prior=("normal", 14.0, 10.0)),
            Parameter(f"f{i}", POSITIVE, prior=("normal", -1.0, 1.0)),
        ]
    return Law(
        broken,
        name="bnsl",
        inputs={"x": POSITIVE},
        params=parameters,
        starts=lambda inputs, target: _starts(n, inputs["x"], target),
        ranges={"c0": (0.02, 1.0)},
        cite="Caballero et al. 2023 (arXiv:2210.14891), eq. 1",
        recipe=(__name__, "bnsl", (n,)),
    )


def _starts(n: int, x: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Broken lines through log (target - floor): slopes by least squares for every choice of break places; the best first."""
    logs = np.log(x)
    low, high = logs.min(), logs.max()
    places = np.linspace(low + 0.02 * (high - low), high + 0.15 * (high - low), PLACES.get(n, 6))
    y = np.log(np.maximum(target, 1e-300))
    found = []
    for chosen in itertools.combinations(places, n):
        for f, share in itertools.product(SMOOTH, FLOORS):
            floor = share * np.min(target)
            bends = [f * np.logaddexp(0.0, (logs - place) / f) for place in chosen]
            design = np.stack([np.ones_like(logs), -logs, *(-bend for bend in bends)], axis=1)
            gap = np.log(target - floor) if share else y
            slopes = np.linalg.lstsq(design, gap, rcond=None)[0]
            miss = np.sum((np.log(floor + np.exp(design @ slopes)) - y) ** 2)
            found.append((miss, floor, slopes[0], slopes[1], *slopes[2:], *chosen, *[f] * n))
    best = np.array(sorted(found)[:MOST]).T[1:]
    names = ["a", "b", "c0", *(f"{letter}{i}" for letter in "cdf" for i in range(1, n + 1))]
    out = dict(zip(names, best, strict=True))
    for name in ["b", *(f"d{i}" for i in range(1, n + 1))]:
        out[name] = np.exp(np.clip(out[name], -600, 600))
    return out
