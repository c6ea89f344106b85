"""Broken neural scaling laws (Caballero et al. 2023): a power law whose slope changes at n breaks."""

from __future__ import annotations

import itertools
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.checked import checked
from scaling_jax.core.domains import NON_NEGATIVE, POSITIVE, REAL
from scaling_jax.core.law import Law, Parameter

__all__ = ["bnsl"]

PLACES = {1: 32, 2: 16, 3: 10}
SHARP = np.array([0.02, 0.1, 0.3, 1.0])
FLOORS = 1 - np.array([1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.005])
MOST = 6


@checked
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
    needs a prior on the floor a, which the last break can stand in for: under the default one 8 of 2,000
    draws diverged, under one of 20 % a single one.

    Source: Caballero et al. 2023 (arXiv:2210.14891), eq. 1.

    >>> bnsl(1)
    <law bnsl(x; a, b, c0, c1, d1, f1)>
    >>> round(bnsl(1)(1000.0, a=0.413885, b=2.277272, c0=0.0550774, c1=5.66291, d1=612.5837, f1=0.0591931), 5)
    0.51091
    """
    if n < 0:
        raise ValueError(f"bnsl(n={n}): the number of breaks is 0 or more.")

    def broken(x: jax.Array, *, a: jax.Array, b: jax.Array, c0: jax.Array, **breaks: jax.Array) -> jax.Array:
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
    """The valleys of a scan over floors, sharpness and break places; scale and slopes follow linearly."""
    logs = np.log(x)
    middle, width = logs.mean(), max(float(np.ptp(logs)), 1e-6)
    at = logs - middle
    places = at.min() + width * np.linspace(0.02, 1.1, PLACES.get(n, 7))
    floors = np.min(target) * FLOORS if np.min(target) > 0 else np.zeros(1)
    miss, lines = _scan(n, at, target, places, floors)
    cells = _best(miss, lines)
    floor, sharp, breaks = cells[:, 0], cells[:, 1], cells[:, 2:]
    level, slope, *turns = lines[tuple(cells.T)].T
    out = {"a": floors[floor], "b": np.exp(np.clip(level + slope * middle, -600, 600)), "c0": slope}
    for k, turn in enumerate(turns):
        out |= {f"c{k + 1}": turn, f"d{k + 1}": np.exp(places[breaks[:, k]] + middle)}
        out[f"f{k + 1}"] = SHARP[sharp]
    return out


def _scan(
    n: int, at: np.ndarray, target: np.ndarray, places: np.ndarray, floors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Misfit and line (level, slope, turns) of every cell, a floor, a sharpness and a place per break.

    Residuals of log (target - floor) are weighted by 1 - floor / target, which makes them those of log target
    to first order. Places in falling order are the same law again, and stay infinite.
    """
    chosen = np.array(list(itertools.combinations(range(len(places)), n)), dtype=int)
    columns = np.concatenate([np.tile([0, 1], (len(chosen), 1)), 2 + chosen], axis=1)
    miss = np.full((len(floors), len(SHARP), *[len(places)] * n), np.inf)
    lines = np.zeros((*miss.shape, n + 2))
    for (i, floor), (j, sharp) in itertools.product(enumerate(floors), enumerate(SHARP)):
        weight = 1 - floor / target
        rows = weight * _rows(at, places, sharp)
        gap = weight * np.log(np.maximum(target - floor, 1e-300))
        cell = (i, j, *chosen.T)
        miss[cell], lines[cell] = _regressions(rows, gap, columns)
    return miss, lines


def _rows(at: np.ndarray, places: np.ndarray, sharp: float) -> np.ndarray:
    """What log loss is linear in: a constant, a slope, and a bend at each place."""
    bends = sharp * np.logaddexp(0.0, (at - places[:, None]) / sharp)
    return np.concatenate([np.ones_like(at)[None], -at[None], -bends])


def _regressions(rows: np.ndarray, gap: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of the gap on each choice of rows: sums of squares that are left, and coefficients."""
    gram, right = rows @ rows.T, rows @ gap
    # Two bends at neighbouring places are nearly the same row.
    ridge = 1e-12 * np.trace(gram) * np.eye(columns.shape[1])
    systems = gram[columns[:, :, None], columns[:, None]] + ridge
    found = np.linalg.solve(systems, right[columns][..., None])[..., 0]
    left = gap - np.einsum("cn,cnr->cr", found, rows[columns])
    return np.sum(left**2, axis=1), found


def _best(miss: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """The deepest valleys, a row of indices each, every pattern of turns in its turn."""
    cells = np.argwhere(_valleys(miss))
    cells = cells[np.argsort(miss[tuple(cells.T)], kind="stable")]
    turns = lines[tuple(cells.T)][:, 2:]
    return cells[_in_turn(turns > 0)][:MOST]


def _in_turn(patterns: np.ndarray) -> np.ndarray:
    """An order in which every pattern, up or down at each break, has its best before any has its second."""
    seen: Counter[tuple[bool, ...]] = Counter()
    turn = []
    for pattern in map(tuple, patterns):
        turn.append(seen[pattern])
        seen[pattern] += 1
    return np.argsort(turn, kind="stable")


def _valleys(miss: np.ndarray) -> np.ndarray:
    """Cells of a grid that no neighbour along any axis undercuts."""
    low = np.isfinite(miss)
    for axis in range(miss.ndim):
        wall = np.full_like(np.take(miss, [0], axis), np.inf)
        padded = np.concatenate([wall, miss, wall], axis)
        n = miss.shape[axis]
        low &= (miss <= np.take(padded, range(n), axis)) & (miss <= np.take(padded, range(2, n + 2), axis))
    return low
