"""Random problems over the whole catalogue, and a search of SciPy's for something lower than what was
certified.

The search shares nothing with the library but the laws' own functions: starts around the truth, from the
laws' ranges and from the certified point itself; least squares on the root of the charge; for objectives with
a corner a vanishing rounding, then linear programs within a trust region; last the simplex of Nelder and
Mead.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.optimize import least_squares, linprog, minimize

import scaling_jax as sj
from scaling_jax.core.objective import Objective
from tests.cases.catalogue import CASES, TARGET

__all__ = ["Problem", "problem", "problems", "tried"]

ROWS = 24
ABOVE = 1e-6  # relative, as two optima are told apart
STARTS = 10
OBJECTIVES: tuple[Objective, ...] = (
    sj.Huber(),
    sj.SquaredError(),
    sj.AbsoluteError(),
    sj.Asymmetric(over=3.0),
    sj.Huber(0.03, on="raw"),
    sj.SquaredError(on="raw"),
    sj.AbsoluteError(on="raw"),
    sj.Asymmetric(over=10.0, on="raw"),
)
Numbers = np.ndarray


@dataclass(frozen=True, eq=False)
class Problem:
    """A simulated table and what is minimised on it; the law's name and the turn make it again."""

    name: str
    turn: int
    table: pd.DataFrame
    truth: dict[str, float]
    objective: Objective
    noise: float

    @property
    def law(self) -> sj.Law:
        return CASES[self.name].law

    @property
    def fixed(self) -> dict[str, float]:
        return {name: self.truth[name] for name in CASES[self.name].fixed}


def problems(count: int) -> Iterator[Problem]:
    """All laws in turn, again and again."""
    names = sorted(CASES)
    return (problem(names[i % len(names)], i // len(names)) for i in range(count))


def problem(name: str, turn: int) -> Problem:
    """One of infinitely many of a law: objectives in turn, the rest drawn."""
    number = zlib.crc32(name.encode())
    rng = np.random.default_rng([number, turn])
    case = CASES[name]
    noise = float(rng.choice([0.01, 0.03, 0.1]))
    objective = OBJECTIVES[(number + turn) % len(OBJECTIVES)]
    for spread in (0.3, 0.1, 0.0):
        truth = {p.name: _near(case.truth[p.name], p.domain, rng, spread) for p in case.law.parameters}
        inputs = {k: rng.choice(np.asarray(v, float), ROWS) for k, v in case.design.items()}
        inputs = {k: _between(v, case.design[k], rng) for k, v in inputs.items()}
        whole = sum((inputs[name] for name in case.law.simplex), np.zeros(ROWS))
        inputs |= {name: inputs[name] / whole for name in case.law.simplex}
        exact = np.asarray(case.law(**inputs, **truth))
        if np.isfinite(exact).all() and (exact > 0).all():
            break
    outliers = rng.random(ROWS) < (0.1 if (number + turn) % 2 else 0.0)
    residual = noise * rng.normal(size=ROWS) + outliers * rng.normal(0, 0.5, ROWS)
    table = pd.DataFrame(inputs | {TARGET: exact * np.exp(residual)})
    return Problem(name, turn, table, truth, objective, noise)


def tried(given: Problem) -> dict[str, Any]:
    """The library's fit, and the lowest point that the search finds."""
    fit = sj.fit(given.law, given.table, target=TARGET, objective=given.objective, fixed=given.fixed)
    search = _Search(given, fit)
    lowest, place = search.lowest()
    ours = search.value(search.inside(fit.numbers))
    above = ours / lowest - 1 if lowest > 0 else 0.0
    return {
        "law": given.name,
        "turn": given.turn,
        "objective": repr(given.objective),
        "status": fit.status,
        "agree": f"{fit.n_agree}/{fit.certificate.n_finished}",
        "value": ours,
        "lowest": lowest,
        "above": above,
        "wrong": bool(fit.converged and above > ABOVE),
        "point": search.named(place),
    }


def _near(value: float, domain: sj.Domain, rng: np.random.Generator, spread: float) -> float:
    if domain.log:
        return float(value * np.exp(rng.normal(0, spread)))
    return float(np.clip(value * (1 + 0.5 * spread * rng.normal()), domain.lower, domain.upper))


def _between(drawn: Numbers, levels: Any, rng: np.random.Generator) -> Numbers:
    """A random design in place of a grid, where an input has more than a few levels that are positive."""
    levels = np.asarray(levels, float)
    if len(levels) < 4 or levels.min() <= 0:
        return drawn
    return np.exp(rng.uniform(np.log(levels.min()), np.log(levels.max()), len(drawn)))


class _Search:
    """SciPy's minimisers over the free parameters, positive ones as logarithms."""

    def __init__(self, given: Problem, fit: sj.FitResult):
        self.given, self.fit, law = given, fit, given.law
        labels = list(law.labels)
        self.free = np.array([label not in given.fixed for label in labels])
        self.log = np.array([domain.log for domain in law.label_domains])[self.free]
        bounds = np.array([domain.search_bounds for domain in law.label_domains], float)[self.free]
        self.low, self.high = bounds.T
        self.held = np.array([given.fixed.get(label, np.nan) for label in labels])
        self.y = given.table[TARGET].to_numpy()
        self.rows = {name: given.table[name].to_numpy(float) for name in law.inputs}
        with jax.enable_x64(True):
            self._predict = jax.jit(
                lambda numbers, rows: jax.vmap(lambda row: law.apply(law.unflatten(numbers), row))(rows)
            )

    def inside(self, numbers: Numbers) -> Numbers:
        """Free search coordinates of natural numbers."""
        free = np.asarray(numbers, float)[self.free]
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(self.log, np.log(free), free)
        return np.clip(np.nan_to_num(z, neginf=-700.0), self.low, self.high)

    def named(self, z: Numbers) -> dict[str, float]:
        return dict(zip(self.given.law.labels, self._natural(z).tolist(), strict=True))

    def _natural(self, z: Numbers) -> Numbers:
        numbers = self.held.copy()
        with np.errstate(over="ignore"):
            numbers[self.free] = np.where(self.log, np.exp(np.minimum(z, 700.0)), z)
        return numbers

    def residual(self, z: Numbers) -> Numbers:
        with jax.enable_x64(True), np.errstate(all="ignore"):
            found = np.asarray(self._predict(self._natural(z), self.rows))
            on_log = self.given.objective.on == "log"
            left = np.log(found) - np.log(self.y) if on_log else found - self.y
        return np.where(np.isfinite(left), left, 1e6)

    def value(self, z: Numbers) -> float:
        return float(np.sum(self._charge(self.residual(z))))

    def _charge(self, r: Numbers, rounded: float = 0.0) -> Numbers:
        """The four objectives as their formulas are printed."""
        o, size = self.given.objective, np.abs(r)
        if isinstance(o, sj.SquaredError):
            return r**2
        if isinstance(o, sj.Huber):
            return np.where(size <= o.delta, 0.5 * r**2, o.delta * (size - 0.5 * o.delta))
        side = np.where(r > 0, o.over, 1.0) if isinstance(o, sj.Asymmetric) else 1.0
        if rounded:
            return side * np.where(size <= rounded, 0.5 * r**2 / rounded, size - 0.5 * rounded)
        return side * size

    def lowest(self) -> tuple[float, Numbers]:
        rng = np.random.default_rng(self.given.turn)
        ours = self.inside(self.fit.numbers)
        truth = self.inside(np.array([self.given.truth[name] for name in self.given.law.params], float))
        starts = [ours, truth, *self._around(truth, rng), *self._in_ranges(truth, rng)]
        found = sorted((self._descended(z) for z in starts), key=lambda pair: pair[0])[:3]
        smooth = isinstance(self.given.objective, sj.SquaredError | sj.Huber)
        if not smooth:
            found = [self._by_programs(z) for _, z in found]
        return min((self._by_simplex(z) for z in [*(z for _, z in found), ours]), key=lambda pair: pair[0])

    def _around(self, truth: Numbers, rng: np.random.Generator) -> list[Numbers]:
        wide = np.where(self.log, 1.0, 0.5 * np.abs(truth) + 0.05)
        return [
            np.clip(truth + wide * rng.normal(size=len(truth)), self.low, self.high) for _ in range(STARTS)
        ]

    def _in_ranges(self, truth: Numbers, rng: np.random.Generator) -> list[Numbers]:
        ranges = self.given.law.ranges
        labels = [label for label, free in zip(self.given.law.labels, self.free, strict=True) if free]
        drawn = []
        for _ in range(STARTS // 2 if ranges else 0):
            z = truth.copy()
            for i, label in enumerate(labels):
                if label in ranges:
                    low, high = np.log(ranges[label]) if self.log[i] else np.asarray(ranges[label], float)
                    z[i] = rng.uniform(low, high)
            drawn.append(np.clip(z, self.low, self.high))
        return drawn

    def _descended(self, z: Numbers) -> tuple[float, Numbers]:
        """Least squares on the signed root of the charge, rounded ever less where it has a corner."""
        smooth = isinstance(self.given.objective, sj.SquaredError | sj.Huber)
        for rounded in (0.0,) if smooth else (0.1, 1e-2, 1e-4):

            def root(at: Numbers, rounded: float = rounded) -> Numbers:
                r = self.residual(at)
                return np.sign(r) * np.sqrt(2 * self._charge(r, rounded))

            z = self._least_squares(root, z)
        return self.value(z), z

    def _least_squares(self, root: Callable[[Numbers], Numbers], z: Numbers) -> Numbers:
        room = np.minimum(1e-9 * (1 + np.abs(z)), 0.25 * (self.high - self.low))
        begin = np.clip(z, self.low + room, self.high - room)
        try:
            with np.errstate(all="ignore"):
                return least_squares(
                    root, begin, bounds=(self.low, self.high), x_scale="jac", max_nfev=60,
                    xtol=1e-12, ftol=1e-14, gtol=1e-14,
                ).x  # fmt: skip
        except (ValueError, np.linalg.LinAlgError):
            return z

    def _by_programs(self, z: Numbers) -> tuple[float, Numbers]:
        """Linear programs: the charge of linearised residuals within a box that shrinks if they mislead."""
        over = self.given.objective.over if isinstance(self.given.objective, sj.Asymmetric) else 1.0
        value, box = self.value(z), 0.1
        for _ in range(40):
            r = self.residual(z)
            slope = np.stack([self._slope(z, i) for i in range(len(z))], axis=1)
            n, k = slope.shape
            # r + J d = p - m with p, m >= 0; the charge is over * p + m
            found = linprog(
                np.r_[np.zeros(k), np.full(n, over), np.ones(n)],
                A_eq=np.hstack([slope, -np.eye(n), np.eye(n)]),
                b_eq=-r,
                bounds=[
                    *zip(np.maximum(self.low - z, -box), np.minimum(self.high - z, box), strict=True),
                    *[(0, None)] * (2 * n),
                ],
            )
            new = z + found.x[:k] if found.x is not None else z
            if self.value(new) < value:
                gain, z, value = value - self.value(new), new, self.value(new)
                box *= 2
                if gain < 1e-13 * value:
                    break
            else:
                box *= 0.25
                if box < 1e-10:
                    break
        return value, z

    def _slope(self, z: Numbers, i: int) -> Numbers:
        step = np.zeros(len(z))
        step[i] = 1e-6 * (1 + abs(z[i]))
        return (self.residual(z + step) - self.residual(z - step)) / (2 * step[i])

    def _by_simplex(self, z: Numbers) -> tuple[float, Numbers]:
        found = minimize(
            lambda at: self.value(np.clip(at, self.low, self.high)), z, method="Nelder-Mead",
            options={"maxfev": 150 * len(z), "xatol": 1e-10, "fatol": 1e-14},
        )  # fmt: skip
        place = np.clip(found.x, self.low, self.high)
        return min((self.value(place), place), (self.value(z), z), key=lambda pair: pair[0])
