"""What a plan says: best runs with intervals, what binds, what being elsewhere costs, and what to mind."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Numbers
from scaling_jax.core.checked import checked, shown
from scaling_jax.core.keyed import Keyed
from scaling_jax.planning.problem import BINDS, Best, Problem
from scaling_jax.planning.source import Source
from scaling_jax.reporting.blocks import Block, Items, Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.scale import TOKENS_FLOP, budgets_of
from scaling_jax.uncertainty.ensemble import interval, with_ends

__all__ = ["Plan", "PlanGroups", "losses_of"]

UNITS = {"FLOP": "flops", "GPU-hours": "gpu_hours", "$": "money", "": "cost"}
RATIOS = {"tokens_per_param": ("D", "N"), "epochs": ("D", "U")}
LARGEST_SIZE = 1e15  # parameters; a thousand times the largest of today
POOR = 1e-7  # a residual of the first-order conditions beyond rounding
SAME = 1e-9
MOST_POINTS, WIDEST = 10_000, 1e6  # of a curve for pictures


@dataclass(frozen=True, eq=False)
class Plan(Shown):
    """Best runs; made by `sj.plan`.

    Args:
        problem: law, parameters, cost and limits.
        goals: (goals,) budgets, or values to reach.
        reach: whether goals are values of what the law predicts.
        level: of the intervals.
        point: the best runs of the estimate, (1, goals).
        drawn: the best runs of every draw, (draws, goals), or None.
    """

    problem: Problem
    goals: Numbers
    reach: bool
    level: float
    point: Best = field(repr=False)
    drawn: Best | None = field(repr=False)

    @property
    def source(self) -> Source:
        """Law and parameters."""
        return self.problem.source

    @property
    def spent_name(self) -> str:
        """What the column of cost is called: flops, gpu_hours, money, or the cost's own unit."""
        unit = self.problem.cost.unit
        return UNITS.get(unit, unit)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per goal: the goal, inputs, loss and what follows, each with `_lower` and `_upper`.

        `worth` is -d ln L / d ln C, `binding` names what stops the run from being better, `extrapolation` is
        the farthest that the run lies beyond the fitted ones, in decades (see `extrapolation`).
        """
        found = self._quantities(self.point, self.source.numbers[None])
        drawn = {} if self.drawn is None else self._quantities(self.drawn, self._draws)
        goal = self.source.law.target if self.reach else self.spent_name
        goal = "loss" if goal.startswith(("loss", "nats")) else goal
        columns = {} if self.reach else {goal: self.goals}
        columns |= {name: self._middle(values[0], drawn.get(name)) for name, values in found.items()}
        table = pd.DataFrame(columns)
        if drawn:
            certain = self.problem.fixed
            table = with_ends(table, {k: v for k, v in drawn.items() if k not in certain}, self.level)
        table["worth"] = (self.point.worth / np.abs(self.point.loss))[0]
        table["binding"] = self._binding
        table["extrapolation"] = self.extrapolation.max(axis=1) if len(self.extrapolation.columns) else np.nan
        table.attrs["notes"] = list(self.notes)
        if drawn:
            table.attrs["level"], table.attrs["method"] = self.level, self.source.method
        return table

    @property
    def _draws(self) -> Numbers:
        assert self.source.draws is not None
        return self.source.draws

    def _middle(self, value: Numbers, drawn: Numbers | None) -> Numbers:
        if drawn is None or not self.source.median:
            return value
        known = np.isfinite(drawn).any(axis=0)
        return np.where(known, np.nanmedian(np.where(known, drawn, 0.0), axis=0), np.nan)

    def _quantities(self, best: Best, numbers: Numbers) -> dict[str, Numbers]:
        """What the table says of best runs, in the order of its columns; (vectors, goals) each."""
        law = self.source.law
        names = dict.fromkeys([*law.inputs, *best.inputs])
        found = {name: best.inputs[name] for name in names if not self._is_cost(name)}
        result = {"loss": best.loss}
        also = _also(self.source, numbers, best.inputs)
        found |= {name: value for name, value in also.items() if name not in result}
        spent = {self.spent_name if self.reach else "spent": best.spent}
        unspent = not self.reach and bool((best.spent < self.goals * (1 - SAME)).any())
        result = result | found | spent if self.reach else found | (spent if unspent else {}) | result
        known = {**best.inputs, **found}
        for name, (above, below) in RATIOS.items():
            if above in known and below in known and name not in result:
                result[name] = known[above] / known[below]
        return result

    def _is_cost(self, name: str) -> bool:
        """Whether an input is the cost itself, as in a law of compute."""
        return self.problem.cost.words == name

    @property
    def _binding(self) -> list[str]:
        """Per goal, in words, what stops the run from being better."""
        worth = self.point.worth[0]
        names = [] if self.reach else [(_said(self.spent_name), worth)]
        prices = [*names, *((words, price[0]) for words, price in self.point.prices.items())]
        return [
            ", ".join(words for words, price in prices if price[i] > BINDS * max(self._steepest[i], 1e-300))
            for i in range(len(self.goals))
        ]

    @property
    def _steepest(self) -> Numbers:
        """(goals,) the largest price of anything."""
        prices = [self.point.worth[0], *(price[0] for price in self.point.prices.values())]
        return np.nanmax(np.nan_to_num(prices), axis=0)

    @cached_property
    def multipliers(self) -> pd.DataFrame:
        """What relaxing each limit is worth, one row per goal and limit.

        Returns:
            goal, limit, price (fall of the loss for every e-fold by which the limit is relaxed), compute (the
            e-folds of cost that one e-fold of the limit is worth, or the per cents of a per cent). The budget
            is a limit too.
        """
        rows = []
        budget = [] if self.reach else [(_said(self.spent_name), self.point.worth)]
        for i, goal in enumerate(self.goals):
            for words, price in [*budget, *self.point.prices.items()]:
                value = float(price[0, i])
                rows.append((goal, words, value, value / float(self.point.worth[0, i])))
        return pd.DataFrame(rows, columns=["goal", "limit", "price", "compute"])

    @cached_property
    def extrapolation(self) -> pd.DataFrame:
        """Decades by which each best run lies beyond the fitted ones: in every input, D / N, and compute."""
        where = {name: values[0] for name, values in self.point.inputs.items()}
        where |= {
            name: values[0]
            for name, values in _also(self.source, self.source.numbers[None], self.point.inputs).items()
        }
        found = {}
        for name, (low, high) in self.source.ends.items():
            if name in where:
                found[name] = _beyond(where[name], low, high)
        rows = self.source.rows
        if {"N", "D"} <= set(rows) and {"N", "D"} <= set(where):
            some = (rows["N"] > 0) & (rows["D"] > 0)
            N, D = rows["N"][some], rows["D"][some]
            for name, seen, here in (
                ("D / N", D / N, where["D"] / where["N"]),
                ("compute", TOKENS_FLOP * N * D, TOKENS_FLOP * where["N"] * where["D"]),
            ):
                if len(seen):
                    found[name] = _beyond(here, seen.min(), seen.max())
        return pd.DataFrame(found, index=range(len(self.goals)))

    @cached_property
    def residual(self) -> Numbers:
        """(goals,) of the first-order conditions, relative: 1e-12 is an optimum to rounding."""
        return self.point.residual[0]

    def exponents(self) -> pd.DataFrame:
        r"""How inputs grow and the loss falls with cost along the path of best runs, d ln x* / d ln C.

        Returns:
            One row per goal and quantity: estimate, and lower, upper where there are draws. `loss` is
            -d ln (L - E) / d ln C, above the law's floor E where it has one.
        """
        found = self._slopes(self.point, self.source.numbers[None])
        drawn = {} if self.drawn is None else self._slopes(self.drawn, self._draws)
        rows = {}
        for i, goal in enumerate(self.goals):
            for name, values in found.items():
                row = {"estimate": self._middle(values[0], drawn.get(name))[i]}
                if drawn:
                    lower, upper = interval(drawn[name], self.level)
                    row |= {"lower": lower[i], "upper": upper[i]}
                rows[goal, name] = row
        index = pd.MultiIndex.from_tuples(rows, names=["goal", "quantity"])
        return pd.DataFrame(list(rows.values()), index=index)

    def _slopes(self, best: Best, numbers: Numbers) -> dict[str, Numbers]:
        law = self.source.law
        floor = law.unflatten(numbers.T)["E"][:, None] if "E" in law.params else 0.0
        return {**best.slopes, "loss": best.worth / (best.loss - floor)}

    def off(self, **held: ArrayLike) -> pd.DataFrame:
        """The price of another run than the best: what a model of 7e9 costs in loss, and in compute.

        Args:
            **held: values of what the plan chooses, `N=7e9`; everything else is chosen again.

        Returns:
            One row per goal: the cost, the run of the same cost (its inputs, its loss, the increase over the
            best), and what reaching the best run's loss would cost: `factor` of the best run's cost, infinite
            where no run of that kind reaches it, and the inputs it takes (`D_equal`). With draws, intervals
            of all these, and `impossible`, the share of draws whose factor is infinite.

        Raises:
            ValueError: for something the plan does not choose.
        """
        try:
            values = {name: np.asarray(value, dtype=np.float64) for name, value in held.items()}
        except Exception:  # of any type, for what is no number
            values = {}
        if not values or any(value.ndim or not 0 < value < np.inf for value in values.values()):
            raise ValueError(
                f"off({shown(held)}): give one positive number for each input, for example N=7e9."
            )
        return self._elsewhere(lambda best: values)

    @checked
    def smaller(self, times: float = 4.0, of: str | None = None) -> pd.DataFrame:
        """The price of a model several times smaller than the best, for every draw's own best.

        Args:
            times: how many times smaller; below 1, larger.
            of: the input; N, or the first that the plan chooses.

        Returns:
            As `off`.
        """
        if not 0 < times < np.inf:
            raise ValueError(f"smaller({times!r}): give a positive number.")
        name = self._chosen(of, "smaller", lists=True)
        return self._elsewhere(lambda best: {name: best.inputs[name] / times})

    @checked
    def flat(self, slack: float = 1e-3, of: str | None = None) -> pd.DataFrame:
        """How wide the optimum is: the values of an input whose best run is within `slack` of the best loss.

        Args:
            slack: share of the loss that may be given away.
            of: the input; N, or the first that the plan chooses.

        Returns:
            One row per goal: the cost, the input, and the least and most it can be at that cost.
        """
        if not 0 < slack < 1:
            raise ValueError(
                f"flat({slack!r}): give the share of the loss that may be given away, such as 0.001."
            )
        name = self._chosen(of, "flat")
        numbers, best = self.source.numbers[None], self.point
        near = best.loss + self.problem.sign * slack * np.abs(best.loss)
        within = self.problem.within(best.spent)
        low, high = (within.costing(words).best(numbers, near, reach=True) for words in (name, f"1 / {name}"))
        ends = {f"{name}_least": low.inputs[name][0], f"{name}_most": high.inputs[name][0]}
        return pd.DataFrame({self.spent_name: best.spent[0], name: best.inputs[name][0], **ends})

    def _chosen(self, name: str | None, who: str, lists: bool = False) -> str:
        """An input that the plan chooses, its main one unless named; of lists too where those will do."""
        found = self._main if name is None else name
        known = (*self.problem.free, *(self.problem.choices if lists else ()))
        if found not in known:
            raise ValueError(f"{who}(of={shown(found)}): the plan chooses {', '.join(known)}.")
        return found

    def _elsewhere(self, held: Callable[[Best], Mapping[str, Numbers]]) -> pd.DataFrame:
        point = self._priced(self.point, self.source.numbers[None], held(self.point))
        table = pd.DataFrame({self.spent_name: self.point.spent[0]} | {k: v[0] for k, v in point.items()})
        if self.drawn is not None:
            drawn = self._priced(self.drawn, self._draws, held(self.drawn))
            middles = {name: self._middle(table[name].to_numpy(), values) for name, values in drawn.items()}
            inverse = drawn.pop("factor")
            table = with_ends(table.assign(**middles), {**drawn, "factor": inverse}, self.level)
            low, high = interval(1 / inverse, self.level)  # a factor may be infinite, its inverse is not
            with np.errstate(divide="ignore"):
                table["factor_lower"], table["factor_upper"] = 1 / high, 1 / low
            table["impossible"] = np.isinf(inverse).mean(axis=0)
            table.attrs["level"] = self.level
        return table

    def _priced(self, best: Best, numbers: Numbers, held: Mapping[str, Numbers]) -> dict[str, Numbers]:
        """The run with some inputs held, at equal cost and at equal loss, each (vectors, goals)."""
        problem = self.problem.holding(*held)
        same = problem.best(numbers, best.spent, held=held)
        equal = problem.best(numbers, best.loss, reach=True, held=held)
        inputs = {name: values for name, values in same.inputs.items() if name not in self.problem.fixed}
        factor = np.where(
            np.isnan(best.loss), np.nan, np.where(equal.feasible, equal.spent / best.spent, np.inf)
        )
        factor = np.where(np.isnan(factor) & ~np.isnan(best.loss), np.inf, factor)
        others = {f"{name}_equal": equal.inputs[name] for name in problem.free}
        return {
            **inputs,
            "loss": same.loss,
            "increase": self.problem.sign * (same.loss - best.loss),
            "factor": factor,
            **others,
        }

    @checked
    def iso_loss(
        self, values: ArrayLike | None = None, *, over: str | None = None, n: int = 61, span: float = 100.0
    ) -> pd.DataFrame:
        """Curves of equal loss for pictures: what else a run needs for every value of one input.

        Args:
            values: losses; of the plan's own best runs without them.
            over: the input along the curve; N, or the first that the plan chooses.
            n: points per curve.
            span: how far the curve goes to either side of the best run, as a factor.

        Returns:
            Tidy: curve (the loss), inputs, cost; NaN where no run of that kind reaches the loss.
        """
        losses = self.point.loss[0] if values is None else losses_of(values)
        return self._curves(losses, True, over, n, span)

    @checked
    def iso_cost(
        self, values: ArrayLike | None = None, *, over: str | None = None, n: int = 61, span: float = 100.0
    ) -> pd.DataFrame:
        """Curves of equal cost, with the loss along them; arguments as in `iso_loss`, `values` in cost."""
        spent = self.point.spent[0] if values is None else budgets_of(values, "values")
        return self._curves(spent, False, over, n, span)

    def _curves(self, goals: Numbers, reach: bool, over: str | None, n: int, span: float) -> pd.DataFrame:
        name = over or self._main
        if not (2 <= n <= MOST_POINTS and 1 < span <= WIDEST):
            raise ValueError(
                f"n={shown(n)}, span={shown(span)}: give 2 to {MOST_POINTS} points, and a factor from 1 to "
                f"{WIDEST:g} as far as the curve goes."
            )
        if name not in self.problem.free:
            raise ValueError(f"over={shown(name)}: the plan chooses {', '.join(self.problem.free)}.")
        numbers = self.source.numbers[None]
        best = self.problem.best(numbers, goals, reach)
        along = np.geomspace(1 / span, span, n)
        held = {name: (best.inputs[name][0][:, None] * along).reshape(1, -1)}
        found = self.problem.holding(name).best(numbers, np.repeat(goals, n)[None], reach, held)
        inputs = {key: v[0] for key, v in found.inputs.items() if key not in self.problem.fixed}
        return pd.DataFrame({
            "curve": np.repeat(goals, n), **inputs, self.spent_name: found.spent[0], "loss": found.loss[0]
        })  # fmt: skip

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know before acting on the plan."""
        return [*self.warnings, *self._remarks]

    @cached_property
    def warnings(self) -> list[str]:
        """The notes that speak against acting on it."""
        return [*self.source.notes, *self._rivals, *self._counting(), *self._lost(), *self._implausible()]

    @cached_property
    def _rivals(self) -> list[str]:
        """What other optima of the fit, about as good as its own, would have planned."""
        if self.source.rivals is None:
            return []
        others = self.problem.best(self.source.rivals, self.goals, self.reach)
        name = self._main
        here, there = self.point.inputs[name][0, -1], others.inputs[name][:, -1]
        listed = " and ".join(f"{value:.3g}" for value in there)
        return [
            f"The fit has another optimum that is about as good, and it plans {name} = {listed} where this "
            f"one plans {here:.3g} ({self._goal_words(self.goals[-1])}): the plan is not identified."
        ]

    @property
    def _main(self) -> str:
        """The input that a reader asks about first: N, or the first that is chosen."""
        return "N" if "N" in self.problem.free else self.problem.free[0]

    @property
    def _remarks(self) -> list[str]:
        """The notes that only explain."""
        found = []
        far = self.extrapolation
        if len(far.columns) and (beyond := float(np.nanmax(np.nan_to_num(far.to_numpy())))) > 0:
            column = far.max().idxmax()
            words = f"The plan goes {beyond:.1f} decades beyond the fitted runs (in {column})"
            true = "" if self.drawn is None else "; its intervals are those of the law taken as true"
            found.append(f"{words}{true}.")
        if (several := int(np.nanmax(self.point.basins))) > 1:
            found.append(f"The law has {several} local optima along the cost; the plan is the best of them.")
        if self.source.median:
            found.append("Values are medians over the draws.")
        return found

    def _counting(self) -> list[str]:
        """What must be said where runs were counted in other FLOP than the plan spends."""
        compute = self.source.count.get("C", "6ND").replace(" ", "").replace("*", "").upper()
        if compute == "6ND" or self.problem.cost.words != "6 N D":
            return []
        return [
            f"The runs' compute was counted '{self.source.count['C']}', and this plan spends C = 6 N D: "
            "convert budgets before comparing."
        ]

    def _lost(self) -> list[str]:
        """Goals and draws without a best run, and why."""
        found = []
        lost = np.isnan(self.point.loss[0])
        law = self.source.law.name
        for goal in self.goals[lost & ~self.point.feasible[0]][:1]:
            found.append(
                f"{self._goal_words(goal)} cannot be met: "
                + ("no run within the limits predicts it." if self.reach else "the limits contradict it.")
            )
        if (lost & self.point.feasible[0] & ~self.point.inside[0]).any():
            names = " and ".join(self.problem.free)
            found.append(
                f"Law '{law}' has no optimum inside: with these parameters more of one of {names} is always "
                "better. Give a limit to what may grow."
            )
        poor = self.point.residual[0] > POOR
        if (poor & self.point.feasible[0] & self.point.inside[0]).any():
            found.append(
                f"At {int(poor.sum())} goals the first-order conditions hold only to "
                f"{np.nanmax(self.point.residual[0][poor]):.1g}: the law is not smooth there."
            )
        if self.drawn is not None and (share := float(np.isnan(self.drawn.loss).any(axis=1).mean())):
            what = "no run that reaches it" if self.reach else "no optimum inside"
            found.append(f"{100 * share:.1f} % of the draws have {what} and are left out of the intervals.")
        return found

    def _goal_words(self, goal: float) -> str:
        return f"{self.source.law.target} {goal:g}" if self.reach else f"{_said(self.spent_name)} {goal:.3g}"

    def _implausible(self) -> list[str]:
        size = self.point.inputs.get("N", np.zeros((1, 1)))
        if not (size > LARGEST_SIZE).any():
            return []
        return [
            f"N = {np.nanmax(size):.2g} is larger than anything that will be trained: check the units of N, "
            "D and the budget, and that N and D are not swapped."
        ]

    def __str__(self) -> str:
        shown = self.table.to_string(index=False, float_format=lambda x: f"{x:.4g}")
        title = f"Best runs of {self.source.law.name} for {self.problem.cost.words}"
        if self.drawn is not None:
            title += f", {100 * self.level:g} % intervals from {len(self._draws):,} draws"
        return "\n".join([title, shown, *(f"- {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _title(self) -> str:
        return f"Best runs of {self.source.law.name} for {self.problem.cost.words}"

    def _sections(self) -> list[Section]:
        shown: list[Block] = [grid_of(self.table)]
        if self.drawn is not None:
            said = f"{100 * self.level:g} % intervals from {len(self._draws):,} draws."
            shown.append(Words(said, "quiet"))
        if self.notes:
            shown.append(Items(tuple(self.notes)))
        relaxed = Section("What relaxing each limit is worth", [grid_of(self.multipliers)], folded=True)
        return [Section("", shown), relaxed]


class PlanGroups(Keyed[Plan], Shown):
    """Plans of groups: a mapping from the group's key to its `Plan`.

    Args:
        members: the plans.
        failed: group -> why there is none.

    >>> import scaling_jax as sj
    >>> rounded, exact = sj.published["hoffmann2022"], sj.published["besiroglu2024"]
    >>> plans = sj.plan({"rounded": rounded, "exact": exact}, flops=1e21, level=None)
    >>> plans["exact"].table["loss"].round(4).tolist(), plans.table["group"].tolist()
    ([2.3055], ['rounded', 'exact'])
    """

    def __init__(self, members: Mapping[Hashable, Plan], failed: Mapping[Hashable, str]):
        super().__init__(members)
        self.failed = dict(failed)

    @cached_property
    def table(self) -> pd.DataFrame:
        """All plans in one table, the group in front."""
        parts = [plan.table.assign(group=[key] * len(plan.table)) for key, plan in self.items()]
        whole = pd.concat(parts, ignore_index=True)
        return whole[["group", *whole.columns.drop("group")]]

    def __str__(self) -> str:
        lines = [self.table.to_string(index=False, float_format=lambda x: f"{x:.4g}")]
        lines += [f"- {key}: {note}" for key, plan in self.items() for note in plan.notes]
        return "\n".join([*lines, *(f"- {key}: {why}" for key, why in self.failed.items())])

    def __repr__(self) -> str:
        return str(self)

    def _title(self) -> str:
        return f"Best runs of {len(self)} groups"

    def _sections(self) -> list[Section]:
        notes = [f"{key}: {note}" for key, plan in self.items() for note in plan.notes]
        notes += [f"{key}: {why}" for key, why in self.failed.items()]
        table = [grid_of(self.table)] if len(self) else []
        return [Section("", [*table, *([Items(tuple(notes))] if notes else [])])]


def losses_of(values: ArrayLike) -> Numbers:
    """Finite numbers as a flat float64 array."""
    try:
        goals = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except Exception as error:  # of any type, for what is no number
        raise ValueError(f"loss={shown(values)}: give numbers, for example [2.0, 2.2].") from error
    if goals.ndim != 1 or not len(goals) or not np.isfinite(goals).all():
        raise ValueError(f"loss={shown(values)}: give finite numbers in one dimension.")
    return goals


def _beyond(values: Numbers, low: float, high: float) -> Numbers:
    """Decades outside a range."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(0.0, np.maximum(np.log10(values / high), np.log10(low / values)))


def _said(name: str) -> str:
    return {"flops": "FLOP", "gpu_hours": "GPU-hours"}.get(name, name)


def _also(source: Source, numbers: Numbers, inputs: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The source's further quantities at runs (vectors, goals)."""
    if not source.also:
        return {}
    with jax.enable_x64(True):
        params = {
            name: jnp.moveaxis(jnp.asarray(values), -1, 0)[:, None]
            if np.ndim(values) > 1
            else jnp.asarray(values)[:, None]
            for name, values in source.law.unflatten(numbers.T).items()
        }
        at = {name: jnp.asarray(values) for name, values in inputs.items()}
        return {name: np.asarray(fn(params, at)) for name, fn in source.also.items()}
