"""Broken neural scaling laws (Caballero et al. 2023): a power law whose slope changes smoothly at n
breaks."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.domains import NON_NEGATIVE, POSITIVE, REAL
from scaling_jax.core.law import Law, Parameter

__all__ = ["bnsl"]

PLACES = {1: 32, 2: 16, 3: 10}
SHARP = (0.02, 0.1, 0.3, 1.0)
FLOORS = 1 - np.array([1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.005])
MOST = 6


def bnsl(n: int = 1) -> Law:
    r"""A broken neural scaling law with n breaks.

    $$L(x) = a + b\,x^{-c_0} \prod_{i=1}^{n} \left(1 + (x/d_i)^{1/f_i}\right)^{-c_i f_i}$$

    The logarithm of each factor is written as $-c_i f_i\,\mathrm{softplus}((\ln x - \ln d_i)/f_i)$, which
    stays exact for the sharpest break. Segment i has the log-log slope -(c_0 + ... + c_i); a negative c_i is
    a curve that turns up.

    Args:
        n: breaks, 0 or more; the law has 3 n + 3 parameters: a (floor), b, c0, and c1, d1, f1, c2, ...

    Returns:
        The law of one input x; it pickles and compares by n.

    Raises:
        ValueError: for a negative n.

    Known to go wrong: c_i f_i and d_i trade off when a break lies outside the data; breaks may swap names;
    more breaks always fit better and often extrapolate worse. A break imprints only parts in ten thousand
    before it is reached, so data rounded to three digits cannot foretell it. A posterior with two breaks
    needs a prior on the floor a, which
    the last break can stand in for: under the default one 8 of 2,000 draws diverged, under one of 20 % a
    single one.

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

    broken.__doc__ = (
        "A power law with breaks.\n\n" + r"$$a + b\,x^{-c_0} \prod_i (1 + (x/d_i)^{1/f_i})^{-c_i f_i}$$"
    )
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
        starts=(lambda inputs, target: _starts(n, inputs["x"], target)) if n else None,
        ranges={"c0": (0.02, 1.0)},
        cite="Caballero et al. 2023 (arXiv:2210.14891), eq. 1",
        recipe=(__name__, "bnsl", (n,)),
    )


def _starts(n: int, x: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """The valleys of a scan over floors, sharpness and break places, in which scale and slopes follow by
    least squares.

    Residuals of log (target - floor) are weighted by 1 - floor / target, which makes them those of log target
    to first order.
    """
    logs = np.log(x)
    middle, width = logs.mean(), max(float(np.ptp(logs)), 1e-6)
    at = logs - middle
    places = at.min() + width * np.linspace(0.02, 1.1, PLACES.get(n, 7))
    chosen = np.array(list(itertools.combinations(range(len(places)), n)), dtype=int)
    columns = np.concatenate([np.tile([0, 1], (len(chosen), 1)), 2 + chosen], axis=1)
    floors = np.min(target) * FLOORS if np.min(target) > 0 else np.zeros(1)
    miss = np.full((len(floors), len(SHARP), *[len(places)] * n), np.inf)
    slopes = np.zeros((*miss.shape, n + 2))
    for i, j in itertools.product(range(len(floors)), range(len(SHARP))):
        f = SHARP[j]
        weight = 1 - floors[i] / target
        bends = f * np.logaddexp(0.0, (at - places[:, None]) / f)
        rows = weight * np.concatenate([np.ones_like(at)[None], -at[None], -bends])
        gap = weight * np.log(np.maximum(target - floors[i], 1e-300))
        gram, right = rows @ rows.T, rows @ gap
        systems, sides = gram[columns[:, :, None], columns[:, None]], right[columns]
        systems = systems + 1e-12 * np.trace(gram) * np.eye(n + 2)
        found = np.linalg.solve(systems, sides[..., None])[..., 0]
        cell = (i, j, *chosen.T)
        slopes[cell] = found
        miss[cell] = np.sum((gap - np.einsum("cn,cnr->cr", found, rows[columns])) ** 2, axis=1)
    best = _in_turn(
        sorted(zip(*np.nonzero(_valleys(miss)), strict=True), key=lambda cell: miss[cell]), slopes
    )[:MOST]
    place = places[np.array([cell[2:] for cell in best], dtype=int).reshape(len(best), n)]
    slope = np.array([slopes[cell] for cell in best])
    out = {
        "a": floors[[cell[0] for cell in best]],
        "b": np.exp(np.clip(slope[:, 0] + slope[:, 1] * middle, -600, 600)),
        "c0": slope[:, 1],
    }
    for k in range(n):
        out |= {f"c{k + 1}": slope[:, 2 + k], f"d{k + 1}": np.exp(place[:, k] + middle)}
        out[f"f{k + 1}"] = np.array(SHARP)[[cell[1] for cell in best]]
    return out


def _in_turn(cells: list[tuple], slopes: np.ndarray) -> list[tuple]:
    """Cells, best first, so that every pattern of turns up and down has its best before any has its
    second."""
    seen: dict[tuple, int] = {}
    turn = []
    for cell in cells:
        pattern = tuple(slopes[cell][2:] > 0)
        turn.append(seen.setdefault(pattern, 0))
        seen[pattern] += 1
    return [cells[i] for i in np.argsort(turn, kind="stable")]


def _valleys(miss: np.ndarray) -> np.ndarray:
    """Cells of a grid that no neighbour along any axis undercuts."""
    low = np.isfinite(miss)
    for axis in range(miss.ndim):
        wall = np.full_like(np.take(miss, [0], axis), np.inf)
        padded = np.concatenate([wall, miss, wall], axis)
        n = miss.shape[axis]
        low &= (miss <= np.take(padded, range(n), axis)) & (miss <= np.take(padded, range(2, n + 2), axis))
    return low
