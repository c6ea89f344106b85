"""The profile of a parameter: how much worse the best fit gets as the parameter is held elsewhere, and the
likelihood interval.

Every value on the grid is a fit with one more fixed parameter; all are solved at once. A scout on both sides
of the optimum, in steps that double, finds where the likelihood crosses its cut-off; then a grid resolves
that range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling_jax.core.checked import shown
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.refits import refit, vary
from scaling_jax.reporting.blocks import Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.uncertainty.ensemble import check_level
from scaling_jax.uncertainty.likelihood import mean_log_density
from scaling_jax.uncertainty.tails import normal_quantile

__all__ = ["Profile", "profile"]

DOUBLINGS = 9
GRID = 24
LOG_REACH = np.log(1e8)
REAL_REACH = 20.0


@dataclass(frozen=True, eq=False)
class Profile(Shown):
    """A profiled parameter.

    Args:
        name: the parameter.
        estimate: its value at the fit.
        table: value, objective, drop (fall in log-likelihood from the best), and the other parameters'
            optima, by value.
        lower, upper: ends of the likelihood interval; infinite (or the bound of the domain) where it is open.
        level: probability of the interval.
        cutoff: the drop at its ends.
        better: whether a value on the grid has a lower objective than the fit itself.
    """

    name: str
    estimate: float
    table: pd.DataFrame
    lower: float
    upper: float
    level: float
    cutoff: float
    better: bool = False
    open_below: bool = False
    open_above: bool = False

    @property
    def identified(self) -> bool:
        """Whether the interval is closed on both sides."""
        return not (self.open_below or self.open_above)

    def __str__(self) -> str:
        percent = f"{100 * self.level:g} %"
        if self.open_below and self.open_above:
            said = (
                f"{self.name} is unidentified: its profile is flat on both sides, no value is excluded "
                f"at {percent}"
            )
        elif self.identified:
            said = (
                f"{self.name} = {self.estimate:.5g}, {percent} likelihood interval {self.lower:.5g} to "
                f"{self.upper:.5g}"
            )
        else:
            side, end = (
                ("above", f"at least {self.lower:.5g}")
                if self.open_above
                else ("below", f"at most {self.upper:.5g}")
            )
            said = f"{self.name} is {end} at {percent}; the interval is open {side}"
        return said + (
            "; a value on the grid fits better than the fit itself: refit with more starts"
            if self.better
            else ""
        )

    def _title(self) -> str:
        return f"What the data say of {self.name}"

    def _sections(self) -> list[Section]:
        tone = "care" if self.better or not self.identified else "lead"
        return [
            Section("", [Words(f"{self}.", tone)]),
            Section("Profile", [grid_of(self.table)], folded=True),
        ]


def profile(fit: Fitted, name: str, level: float = 0.9, points: int = GRID) -> Profile:
    """Profiles one parameter of a fit; see `FitResult.profile`."""
    if fit.reason:
        raise ValueError(f"There is no fit to profile: {fit.reason}")
    fit.check_alone("profile()")
    check_level(level)
    labels = list(fit.law.labels)
    free = [label for label in labels if label not in fit.fixed]
    if name not in free:
        raise ValueError(f"profile({shown(name)}): the free parameters of this fit are {', '.join(free)}.")
    cutoff = normal_quantile(0.5 + level / 2) ** 2 / 2
    at = labels.index(name)
    centre = float(fit.law.label_domains[at].to_search(fit.numbers[at]))
    limits = _limits(fit, at, centre)
    steps = _first_step(fit, at) * 2.0 ** np.arange(DOUBLINGS)
    scouts = np.unique(np.clip(np.concatenate([centre - steps, centre + steps, limits]), *limits))
    rough = _solved(fit, name, scouts)
    ends = [_reach(rough, centre, cutoff, side, limit) for side, limit in zip((-1, 1), limits, strict=True)]
    fine = np.linspace(ends[0][0], ends[1][0], max(points, 4))
    near = np.unique(np.concatenate([fine, *(np.linspace(a, b, 4)[1:3] for a, b in (e[1] for e in ends))]))
    table = pd.concat([rough, _solved(fit, name, near)]).sort_values("z")
    table = table[(table["z"] >= ends[0][0]) & (table["z"] <= ends[1][0])]
    own = pd.DataFrame(
        [[centre, fit.numbers[at], fit.objective_value, 0.0, *fit.numbers]],
        columns=["z", "value", "objective", "drop", *labels],
    )
    table = pd.concat([table, own]).drop_duplicates("z").sort_values("z", ignore_index=True)
    edges, opened = zip(*(_crossing(table, centre, cutoff, side) for side in (-1, 1)), strict=True)
    domain = fit.law.label_domains[at]
    lower, upper = (
        float(domain.to_natural(np.float64(e))) if np.isfinite(e) else np.inf * np.sign(e) for e in edges
    )
    lower = max(lower, domain.lower) if opened[0] else lower
    upper = min(upper, domain.upper) if opened[1] else upper
    others = [label for label in labels if label != name]
    return Profile(
        name=name,
        estimate=float(fit.numbers[at]),
        table=table[["value", "objective", "drop", *others]],
        lower=lower,
        upper=upper,
        level=level,
        cutoff=cutoff,
        better=bool((table["drop"] < -1e-3).any()),
        open_below=opened[0],
        open_above=opened[1],
    )


def _limits(fit: Fitted, at: int, centre: float) -> tuple[float, float]:
    """How far to look: eight decades for what is searched as a logarithm, twenty times its size for the rest,
    within bounds."""
    domain = fit.law.label_domains[at]
    reach = LOG_REACH if domain.log else REAL_REACH * max(abs(centre), 0.05)
    low, high = domain.search_bounds
    return max(centre - reach, low), min(centre + reach, high)


def _first_step(fit: Fitted, at: int) -> float:
    """A fraction of the standard error that the curvature promises; a small step where it promises none."""
    spread = fit.certificate.spread.get(fit.law.labels[at], np.nan)
    size = 1.0 if fit.law.label_domains[at].log else max(abs(float(fit.numbers[at])), 1e-2)
    return float(np.clip(spread / 4, 1e-6 * size, 0.05 * size)) if np.isfinite(spread) else 0.02 * size


def _solved(fit: Fitted, name: str, z: np.ndarray) -> pd.DataFrame:
    """The best fit at every held value: search coordinate, value, objective, drop in log-likelihood,
    parameters."""
    labels = list(fit.law.labels)
    at = labels.index(name)
    domain = fit.law.label_domains[at]
    values = np.asarray(domain.to_natural(z), dtype=float)
    held = [
        [label for label in labels if label.split("[")[0] in group]
        for group in fit.tied
        if name.split("[")[0] in group
    ]
    also = [
        label
        for label in (held[0] if held else [name])
        if label.partition("[")[1:] == name.partition("[")[1:]
    ]
    variants = [
        vary(fit, f"{name}={v:g}", fixed=dict(fit.fixed) | dict.fromkeys(also, float(v))) for v in values
    ]
    found = refit(variants)
    numbers = np.concatenate([one.numbers for one in found])
    objective = np.concatenate([one.values for one in found])
    return pd.DataFrame(
        {"z": z, "value": values, "objective": objective, "drop": _drop(fit, objective)}
    ).join(pd.DataFrame(numbers, columns=labels))


def _drop(fit: Fitted, objective: np.ndarray) -> np.ndarray:
    """By how much the log-likelihood falls from the fit to other values of its objective, the scale profiled
    at each."""
    weight = fit.data().weight
    used, total = int((weight > 0).sum()), float(weight.sum())
    floor = float(np.sum(weight * fit.objective.rho(np.full(len(weight), 1e-14))))
    charge = np.maximum(np.append(objective, fit.objective_value), floor) / total
    density = mean_log_density(fit.objective, charge)
    return used * (density[-1] - density[:-1])


def _reach(
    rough: pd.DataFrame, centre: float, cutoff: float, side: int, limit: float
) -> tuple[float, tuple[float, float]]:
    """Where the grid ends on one side, and the bracket of the crossing: the last scout below the cut-off and
    the first above."""
    part = rough[(rough["z"] - centre) * side > 0].sort_values("z", ascending=side > 0)
    z, above = part["z"].to_numpy(), part["drop"].to_numpy() > cutoff
    if not len(z) or not above.any():
        return float(limit), (float(limit), float(limit))
    first = int(np.argmax(above))
    inner = float(z[first - 1]) if first else centre
    return float(z[first]), (inner, float(z[first]))


def _crossing(table: pd.DataFrame, centre: float, cutoff: float, side: int) -> tuple[float, bool]:
    """The search coordinate at which the drop crosses the cut-off on one side, and whether it never does."""
    part = table[(table["z"] - centre) * side >= 0].sort_values("z", ascending=side > 0)
    z, root = part["z"].to_numpy(), np.sqrt(np.maximum(part["drop"].to_numpy(), 0.0))
    above = np.flatnonzero(root > np.sqrt(cutoff))
    if not len(above) or above[0] == 0:
        return side * np.inf, True
    j = above[0]
    share = (np.sqrt(cutoff) - root[j - 1]) / (root[j] - root[j - 1])
    return float(z[j - 1] + share * (z[j] - z[j - 1])), False
