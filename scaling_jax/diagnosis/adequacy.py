"""Does the law describe the rows? One decision, its size in per cent, and a law that was tried and does
better.

The optimum of a wrong law is an optimum. What gives it away is a pattern in the residuals (`trends`,
`waves`), or rows of equal inputs that scatter less than the law misses them (`lack_of_fit`). Looking costs
milliseconds and refits nothing; `adequacy` also tries the law's neighbours, and drops the smallest runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from scaling_jax.core.law import Law
from scaling_jax.diagnosis.trends import Direction, Trends, moves_of_runs, spread, trends_of
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.batch import Task
from scaling_jax.fitting.certificate import NORMAL_MAD
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.members import solve_members
from scaling_jax.fitting.refits import Variant, refit, vary
from scaling_jax.fitting.spec import make_spec
from scaling_jax.reporting.blocks import Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.runs import numeric
from scaling_jax.tables.scale import beyond, scale_of, sizes_in_runs
from scaling_jax.uncertainty.sandwich import LackOfFit, lack_of_fit

__all__ = ["LEVEL", "Adequacy", "adequacy", "look", "look_at"]

LEVEL = 0.05
# of the level: the share that each of the three tests may use up
TREND, WAVE, LACK = 0.5, 0.3, 0.2
MOST = 0.5  # of a pattern's sum of squares: what a suggestion must remove to be one
MATTERS = 1e-4  # of the target
FAR = 4.0  # spreads beyond which a residual is a row's own
SMALLEST = {"quarter": 0.25, "half": 0.5}
DRIFTED = 3.0  # standard errors
NAMED = 0.3  # of the largest miss: what a place must show to be named
FIFTHS = ("lowest", "low", "middle", "high", "highest")
PLACES = ("{} is lowest", "{} is low", "{} is middling", "{} is high", "{} is highest")
OF_RUNS = ("{} begins", "{} is young", "{} is half-way", "{} is late", "{} ends")
NOTHING = pd.DataFrame()


@dataclass(frozen=True, eq=False)
class Adequacy(Shown):
    """What the residuals say of a law.

    Args:
        p: probability that a law which is true shows as much, all tests counted; NaN where none could be
            made.
        trends: the directions that were tested.
        lack: the pure-error test where rows of equal inputs repeat, or None.
        misses: (rows,) of what was looked at: prediction over target, less one (over the typical target where
            residuals are raw).
        share: how large the pattern is beside all that there was to explain, both as standard deviations.
        scatter: standard deviation of the residuals about the pattern, robust, on the objective's scale.
        explained: share of the target's variance that the law explains, on that scale.
        target: what is predicted.
        tried: per law or choice that was tried: `p`, `removed` (share of the pattern's sum of squares),
            `status`; empty where nothing was.
        drift: per choice and parameter: `as_fitted`, `then`, `z` (standard errors of the difference); empty
            where the smallest runs were not dropped.
    """

    p: float
    trends: Trends
    lack: LackOfFit | None
    misses: np.ndarray
    share: float
    scatter: float
    explained: float
    target: str
    tried: pd.DataFrame = field(default_factory=lambda: NOTHING)
    drift: pd.DataFrame = field(default_factory=lambda: NOTHING)

    @property
    def speaks(self) -> bool:
        """Whether the law is found wanting, in at most one table in twenty of a true law's; never for a miss
        that matters to nobody."""
        return bool(self.p <= LEVEL) and not self.size < MATTERS

    @cached_property
    def table(self) -> pd.DataFrame:
        """Per direction: where residuals were looked at, t, p (the largest of all counted), and the typical
        miss, in per cent, in each fifth of the rows; largest t first, whatever its sign."""
        rows = [
            {
                "direction": one.name,
                "along": one.along,
                "t": t,
                "p": p,
                **dict(zip(FIFTHS, (100 * self._fifths(one)).tolist(), strict=True)),
            }
            for one, t, p in zip(self.trends.directions, self.trends.t, self.trends.p, strict=True)
        ]
        table = pd.DataFrame(rows, columns=["direction", "along", "t", "p", *FIFTHS]).set_index("direction")
        return table.loc[table["t"].abs().sort_values(ascending=False, kind="stable").index]

    @property
    def size(self) -> float:
        """The largest typical miss where the pattern is plainest, as a share of the target."""
        return float(np.abs(self._plainest[1]).max()) if self.trends.directions else np.nan

    @property
    def suggestion(self) -> str:
        """The law or choice that was tried and removes most of the pattern, or an empty string."""
        if not len(self.tried):
            return ""
        good = self.tried[(self.tried["status"] == "converged") & (self.tried["removed"] >= MOST)]
        silent = good[~(good["p"] <= LEVEL)]
        return str((silent if len(silent) else good)["removed"].idxmax()) if len(good) else ""

    @property
    def sentence(self) -> str:
        """What a reader must know, in one sentence or two."""
        if np.isnan(self.p):
            return f"{self.trends.runs} runs are too few to tell whether the law describes them."
        if self.p <= LEVEL and not self.speaks:
            return f"The residuals show a pattern of {_per_cent(self.size)}, too small to matter."
        if not self.speaks:
            tests = f"{len(self.trends.directions)} trends" if self.trends.directions else "repeated runs"
            return f"The residuals show no pattern (p = {_p(self.p)}, {tests}, {self.trends.runs} runs)."
        return " ".join(filter(None, (self._pattern(), self._seeds(), self._advice(), self._drifted())))

    def __str__(self) -> str:
        text = [self.sentence]
        if self.trends.directions:
            text += ["", f"Neighbouring runs alike by chance: p = {_p(self.trends.wave)}"]
            text += ["", self.table.to_string(float_format=lambda v: f"{v:.3g}")]
        for words, table in (("Tried instead:", self.tried), ("Without the smallest runs:", self.drift)):
            if len(table):
                text += ["", words, table.to_string(float_format=lambda v: f"{v:.4g}")]
        return "\n".join(text)

    def __repr__(self) -> str:
        return f"<Adequacy: {self.sentence}>"

    def _title(self) -> str:
        return "Does the law describe the rows?"

    def _sections(self) -> list[Section]:
        named = ((self.tried, "Tried instead"), (self.drift, "Without the smallest runs"))
        more = [Section(words, [grid_of(table, True)], folded=True) for table, words in named if len(table)]
        trends = "Trends of the residuals, misses in per cent by fifths of the rows"
        table = [Section(trends, [grid_of(self.table, True)], folded=True)] if self.trends.directions else []
        return [Section("", [Words(self.sentence)]), *table, *more]

    @cached_property
    def _plainest(self) -> tuple[str, np.ndarray]:
        """Along what the pattern shows most, and the typical misses there."""
        places = {one.along: self._fifths(one) for one in self.trends.directions}
        along = max(places, key=lambda name: float(np.sum(places[name] ** 2)))
        return along, places[along]

    def _fifths(self, one: Direction) -> np.ndarray:
        """(5,) median misses in each fifth of the rows along a direction."""
        order = np.argsort(one.place, kind="stable")
        return np.array([np.median(part) for part in np.array_split(self.misses[order], len(FIFTHS))])

    def _pattern(self) -> str:
        """Where the law is too high and too low, and by how much."""
        if not self.trends.directions or min(self.trends.p.min(), self.trends.wave) > LEVEL:
            return ""
        along, misses = self._plainest
        times = self.size / max(self.scatter, np.finfo(float).tiny)
        beside = f"{times:.1f} times" if times < 100 else "far beyond"
        return f"The law is {_where(along, misses)} ({beside} the scatter of the rows, p = {_p(self.p)})."

    def _seeds(self) -> str:
        if self.lack is None or self.lack.p > LACK * LEVEL:
            return ""
        subject = "It" if self._pattern() else "The law"
        return (
            f"{subject} misses more than repeated runs differ among themselves (F({self.lack.df_lack:.0f}, "
            f"{self.lack.df_pure:.0f}) = {self.lack.F:.3g})."
        )

    def _advice(self) -> str:
        if self.suggestion:
            removed, p = self.tried.loc[self.suggestion, ["removed", "p"]]
            left = " but shows one of its own" if p <= LEVEL else ""
            return f"Tried: {self.suggestion} removes {100 * removed:.0f} % of the pattern{left}."
        return f"Tried without gain: {', '.join(self.tried.index)}." if len(self.tried) else ""

    def _drifted(self) -> str:
        """The parameter that moves most, beyond chance, when the smallest runs are dropped."""
        if not len(self.drift):
            return ""
        (dropped, name), row = max(
            ((at, row) for at, row in self.drift.iterrows()), key=lambda one: np.nan_to_num(abs(one[1]["z"]))
        )
        if not abs(row["z"]) > DRIFTED:
            return ""
        return f"{name} goes from {row['as_fitted']:.3g} to {row['then']:.3g} {dropped}."


def _where(along: str, misses: np.ndarray) -> str:
    """Where the misses (5,) are, in words."""
    largest = float(np.abs(misses).max())
    ends, inner = misses[[0, -1]], misses[1:-1]
    between = inner[np.argmax(-inner * np.sign(ends.sum()))]
    if ends.prod() > 0 and np.abs(ends).min() >= NAMED * largest and between * ends.sum() < 0:
        said = [f"{_miss(float(ends.mean()))} at both ends of {along}"]
        return " and ".join(
            [*said, *([f"{_miss(between)} in between"] if abs(between) >= NAMED * largest else [])]
        )
    words = OF_RUNS if along == "each run" else PLACES
    named = [i for i in (int(np.argmax(misses)), int(np.argmin(misses))) if abs(misses[i]) >= NAMED * largest]
    named.sort(key=lambda i: -abs(misses[i]))
    signs = {bool(misses[i] > 0): i for i in reversed(named)}  # one place for each sign
    chosen = sorted(signs.values(), key=lambda i: -abs(misses[i]))
    return " and ".join(f"{_miss(misses[i])} where {words[i].format(along)}" for i in chosen)


def _p(p: float) -> str:
    return f"{p:.1g}" if p < 0.1 else f"{p:.2f}"


def _miss(share: float) -> str:
    return f"{_per_cent(share)} too {'high' if share > 0 else 'low'}"


def _per_cent(share: float) -> str:
    return f"{abs(100 * share):.2g} %"


def look(fit: Fitted) -> Adequacy:
    """The verdict on the law, computed once and kept; nothing is refitted. See `FitResult.adequacy`."""
    look_at([fit])
    return fit.kept["look"]


def look_at(fits: Sequence[Fitted]) -> None:
    """Computes `look` of several fits, their rows looked at together."""
    new = [fit for fit in fits if "look" not in fit.kept]
    for fit, found in zip(new, trends_of(new), strict=True):
        fit.kept["look"] = _looked(fit, found)


def adequacy(fit: Fitted) -> Adequacy:
    """The same with neighbouring laws tried where it speaks, and the smallest runs dropped; kept."""
    if "adequacy" not in fit.kept:
        found = look(fit)
        if found.speaks:
            found = replace(found, tried=_tried(fit, found))
        fit.kept["adequacy"] = replace(found, drift=_drift(fit)) if fit.converged else found
    return fit.kept["adequacy"]


def _looked(fit: Fitted, found: Trends) -> Adequacy:
    lack = lack_of_fit(fit)
    tests = [found.p.min() / TREND, found.wave / WAVE] if found.directions else []
    tests += [lack.p / LACK] if lack is not None else []
    p = min(1.0, *tests) if tests else np.nan
    share, scatter, explained = _amounts(fit, found)
    target = fit.sources.get("target", fit.law.target)
    return Adequacy(p, found, lack, _misses(fit)[found.rows], share, scatter, explained, target)


def _misses(fit: Fitted) -> np.ndarray:
    """(rows,) prediction over target, less one; over the typical target where residuals are raw."""
    target, predicted = fit.data().target, fit.at_rows.prediction
    size = target if fit.objective.on_log else float(np.median(np.abs(target))) or 1.0
    with np.errstate(all="ignore"):
        return np.asarray((predicted - target) / size)


def _amounts(fit: Fitted, found: Trends) -> tuple[float, float, float]:
    """The pattern beside the spread of the target, the scatter about it, and what share is explained."""
    residual = _limited(fit, found)
    if not len(residual):
        return np.nan, np.nan, np.nan
    rest = residual - found.shape @ (found.shape.T @ residual)
    scatter = NORMAL_MAD * float(np.median(np.abs(rest / np.maximum(found.weight, np.finfo(float).tiny))))
    runs = fit.data()
    values = fit.objective.scaled(runs.target) / (1.0 if runs.target_se is None else runs.target_se)
    whole = float(np.std(values[found.rows]))
    if not whole > 0:
        return np.nan, scatter, np.nan
    return _root_excess(residual, found) / whole, scatter, 1 - float(np.mean(residual**2)) / whole**2


def _limited(fit: Fitted, found: Trends) -> np.ndarray:
    """(rows,) weighted residuals, single rows far off held back."""
    residual = fit.residuals[found.rows]
    if not len(residual):
        return residual
    most = FAR * spread(residual, fit.n_free)
    return found.weight * np.clip(residual, -most, most)


def _root_excess(residual: np.ndarray, found: Trends) -> float:
    """Standard deviation of the pattern in weighted residuals, less what chance puts into as many
    directions."""
    n, k, rank = len(residual), found.absorbed.shape[1], found.shape.shape[1]
    along = float(np.sum((found.shape.T @ residual) ** 2))
    free = n - k - rank
    off = residual - found.absorbed @ (found.absorbed.T @ residual)
    chance = rank * max(float(np.sum(off**2)) - along, 0.0) / free if free > 0 else 0.0
    return float(np.sqrt(max(along - chance, 0.0) / max(n, 1)))


def _tried(fit: Fitted, found: Adequacy) -> pd.DataFrame:
    """The law's neighbours on the same rows, and the last rows of runs alone."""
    before = _root_excess(_limited(fit, found.trends), found.trends)
    rows = {}
    for law in _neighbours(fit):
        other = _with_law(fit, law)
        after = _root_excess(_limited(other, found.trends), found.trends) if not other.reason else np.nan
        removed = 1 - (after / before) ** 2 if before > 0 else np.nan
        rows[law.name] = {"p": look(other).p, "removed": removed, "status": other.status}
    for variant in _last_rows(fit):
        other = refit([variant])[0].fitted[0]
        seen = look(other)
        removed = 1 - (seen.share / found.share) ** 2 if found.share > 0 else np.nan
        rows[variant.words] = {"p": seen.p, "removed": removed, "status": other.status}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["p", "removed", "status"])


def _neighbours(fit: Fitted) -> list[Law]:
    """The laws that this one names as its neighbours, as far as they take its inputs."""
    from scaling_jax import laws

    found = [getattr(laws, one) if isinstance(one, str) else one for one in fit.law.neighbours]
    columns = fit.data().inputs
    return [
        law
        for law in found
        if set(law.inputs) <= set(columns)
        and all(law.input_domains[name].contains(columns[name]).all() for name in law.inputs)
    ]


def _with_law(fit: Fitted, law: Law) -> Fitted:
    """Another law on the same rows, asked for in the same words as far as it knows them."""
    held = {
        label: value for label, value in fit.fixed.items() if label in law.params and label not in fit.shared
    }
    tied = [group for group in fit.tied if set(group) <= set(law.params)]
    own = fit.spec
    spec = make_spec(law, own.objective, held, tied, None, own.solver, True, own.device, own.count)
    return solve_members(Task.of(spec, fit.data()))[0]


def _last_rows(fit: Fitted) -> list[Variant]:
    """The fit to the last row of every run, where runs have several and enough are left."""
    runs = fit.data()
    if (found := sizes_in_runs(runs, fit.law)) is None:
        return []
    weight = runs.weight * (found[0] >= found[1])
    enough = (weight > 0).sum() > 2 * fit.n_free
    return [vary(fit, "the last row of each run alone", weight=weight)] if enough else []


def _drift(fit: Fitted) -> pd.DataFrame:
    """Parameters, and the prediction at ten times the largest run, without the smallest runs."""
    runs = fit.data()
    name, size = scale_of(runs, fit.law)
    used = runs.weight > 0
    variants = []
    for words, share in SMALLEST.items():
        kept = size > np.quantile(size[used], share)
        if (used & kept).sum() > 2 * fit.n_free:
            variants.append(vary(fit, f"without the smallest {words} of {name}", weight=runs.weight * kept))
    if fit.shared or not variants:
        return pd.DataFrame()
    point = fit.inputs_of(beyond(runs, fit.law))
    at = "prediction at " + ", ".join(f"{n} = {float(v[0]):.3g}" for n, v in numeric(point).items())
    index, rows = [], []
    for variant, found in zip(variants, refit(variants), strict=True):
        other = found.fitted[0]
        if not np.isfinite(other.objective_value):
            continue
        with np.errstate(over="ignore"):
            error = np.linalg.norm(moves_of_runs(other) - moves_of_runs(fit), axis=0)
        for i, label in enumerate(fit.law.labels):
            if label not in fit.fixed:
                index.append((variant.words, label))
                change = other.numbers[i] - fit.numbers[i]
                rows.append((fit.numbers[i], other.numbers[i], change / error[i] if error[i] > 0 else np.nan))
        index.append((variant.words, at))
        both = predict(fit.law, np.stack([fit.numbers, other.numbers]), point)[:, 0]
        rows.append((both[0], both[1], np.nan))
    columns = ["as_fitted", "then", "z"]
    return pd.DataFrame(
        rows,
        index=pd.MultiIndex.from_tuples(index or [("", "")][:0], names=["", "parameter"]),
        columns=columns,
    )
