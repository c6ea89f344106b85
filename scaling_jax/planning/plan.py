"""The best run for any law, cost and limits: from the words of a user to a `Plan`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import TypedDict, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Numbers
from scaling_jax.planning.cost import Cost
from scaling_jax.planning.problem import Limits, LimitValue, given_values, read_problem
from scaling_jax.planning.result import Plan, PlanGroups, losses_of
from scaling_jax.planning.source import AnySource, LawSource, Source, source_of, sources_of
from scaling_jax.tables.scale import budgets_of
from scaling_jax.uncertainty.ensemble import check_level

__all__ = ["plan", "planned"]

UNITS = {"flops": ("FLOP", ""), "gpu_hours": ("GPU-hours",), "days": ("days",), "money": ("$",)}
HOW = {
    "gpu_hours": "sj.cost.gpu_hours(peak=989e12, mfu=0.4)",
    "days": "sj.cost.days(devices=64, peak=989e12, mfu=0.4)",
    "money": "sj.cost.money(price=2.0, peak=989e12, mfu=0.4)",
}
"""A cost in which budgets of each name can be said."""


class _Words(TypedDict, total=False):
    """What `plan` takes besides the source, for the two signatures that it has."""

    flops: ArrayLike | None
    gpu_hours: ArrayLike | None
    days: ArrayLike | None
    money: ArrayLike | None
    budget: ArrayLike | None
    loss: ArrayLike | None
    cost: Cost | Callable[..., ArrayLike] | str | None
    limits: Limits | None
    given: Mapping[str, float] | None
    level: float | None
    better: str | None


@overload
def plan(source: LawSource, **words: Unpack[_Words]) -> Plan: ...
@overload
def plan(source: Mapping[Hashable, LawSource], **words: Unpack[_Words]) -> PlanGroups: ...
def plan(
    source: AnySource,
    *,
    flops: ArrayLike | None = None,
    gpu_hours: ArrayLike | None = None,
    days: ArrayLike | None = None,
    money: ArrayLike | None = None,
    budget: ArrayLike | None = None,
    loss: ArrayLike | None = None,
    cost: Cost | Callable[..., ArrayLike] | str | None = None,
    limits: Limits | None = None,
    given: Mapping[str, float] | None = None,
    level: float | None = 0.9,
    better: str | None = None,
) -> Plan | PlanGroups:
    r"""The best run: of a budget, or the cheapest that reaches a loss.

    $$\min_x L(x) \text{ where } c(x) \le C \qquad \text{or} \qquad \min_x c(x) \text{ where } L(x) \le l,
      \qquad \nabla \ln L = -\mu \nabla \ln c - \sum_j \lambda_j \nabla \ln g_j$$

    Args:
        source: a fit; its bootstrap or posterior; a chain, whose last metric is planned for; a published
            entry; the result of `sj.isoflop` or `sj.envelope`; `(law, params)`; or a mapping from groups to
            these, as `sj.fit_groups` returns it. Any law, with any inputs.
        flops: budgets, FLOP.
        gpu_hours, days, money: budgets in the unit of a cost that has it: `gpu_hours=1e5` with
            `cost=sj.cost.gpu_hours(peak=989e12, mfu=0.4)`, `money=2e6` with `sj.cost.money(...)`.
        budget: budgets in the unit of `cost`, whatever that is.
        loss: values of what the law predicts, to be reached at least cost.
        cost: what is spent: one of `sj.cost` or a sum of them, a formula such as "6 * N * D", or a function
            of inputs in jax.numpy. Training, 6 N D, without it.
        limits: what is given or bounded. For an input: a value, `{"N": 7e9}`; a range, `{"D": (None, 1e13)}`;
            a list to choose from, `{"P": [1, 2, 4, 8]}`; a formula of other inputs, `{"N": "12 * width**3"}`.
            For formulas of inputs and for costs: `{"D / N": (20, 200)}`, `{"epochs": (None, 4)}`,
            `{sj.cost.memory(bytes=2): 80e9}`.
        given: values of the law's other inputs, `{"U": 25e9}`: the same as in limits, under the name that
            `sj.contrast` and `sj.compute_optimal` know.
        level: probability between the two ends of the intervals; a bare fit is bootstrapped for them (1,000
            refits, kept). None: no intervals.
        better: "lower" or "higher" values of what the law predicts; by its name without it.

    Returns:
        A `Plan`: `.table`, `.multipliers`, `.exponents()`, `.off(N=7e9)`, `.smaller(4)`, `.iso_loss()`,
        `.iso_cost()`, `.extrapolation`, `.notes`; of groups a `PlanGroups`.

    Raises:
        TypeError: for something that holds no law, or a cost that is none.
        ValueError: for goals, limits or a level that make no sense.

    Known to go wrong: intervals hold the noise of the runs and take the law as true. The optimum is flat: N*
    is uncertain where the loss is not, so look at `off` before insisting on N*. Rounded constants move N* by
    a fifth.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), eq. 4; serving: Sardana et al. 2024 (arXiv:2401.00448).

    >>> import scaling_jax as sj
    >>> source = sj.published["besiroglu2024"]
    >>> best = sj.plan(source, flops=[1e21, 1e24]).table
    >>> [f"{value:.4g}" for value in best["N"]], best["loss"].round(4).tolist()
    (['2.778e+09', '9.586e+10'], [2.3055, 1.9597])
    >>> whole = sj.cost.training() + sj.cost.serving(tokens=1e13)
    >>> sj.plan(source, loss=2.0, cost=whole, limits={"N": (None, 2e10)}).table["binding"].tolist()
    ['N <= 2e+10']
    >>> sj.plan(source, flops=1e21).smaller(4)["factor"].round(4).tolist()
    [4.4653]
    >>> hours = sj.plan(source, gpu_hours=1e5, cost=sj.cost.gpu_hours(peak=989e12, mfu=0.4)).table
    >>> f"{hours['N'][0]:.4g}"
    '3.53e+10'
    """
    goal = {
        "flops": flops,
        "gpu_hours": gpu_hours,
        "days": days,
        "money": money,
        "budget": budget,
        "loss": loss,
    }
    limits = _with_given(limits, given)
    if level is not None:
        check_level(level)
    if isinstance(source, Mapping):
        sources = sources_of(source, draws=level is not None)
        plans = {key: planned(one, goal, cost, limits, level, better) for key, one in sources.members.items()}
        for key, one in plans.items():
            for note in one.warnings:
                warnings.warn(f"{key}: {note}", UserWarning, stacklevel=2)
        return PlanGroups(plans, sources.failed)
    found = planned(source_of(source, level is not None), goal, cost, limits, level, better)
    for note in found.warnings:
        warnings.warn(note, UserWarning, stacklevel=2)
    return found


def planned(
    source: Source,
    goal: Mapping[str, ArrayLike | None],
    cost: Cost | Callable[..., ArrayLike] | str | None = None,
    limits: Limits | None = None,
    level: float | None = None,
    better: str | None = None,
) -> Plan:
    """`plan` of one source, its goal by name, which keeps its warnings to itself."""
    problem = read_problem(source, cost, limits, better)
    goals, reach = _goals(goal, problem.cost)
    if not problem.free and not problem.choices:
        raise ValueError(
            f"Everything that law '{source.law.name}' takes is given ({', '.join(source.law.inputs)}): "
            "nothing is left to choose. Ask predict for its loss."
        )
    draws = source.draws if level is not None else None
    vectors = source.numbers[None] if draws is None else np.concatenate([source.numbers[None], draws])
    best = problem.best(vectors, goals, reach)  # one call: one program for the estimate and the draws
    drawn = None if draws is None else best.rows(slice(1, None))
    return Plan(problem, goals, reach, level or 0.9, best.rows(slice(0, 1)), drawn)


def _goals(goal: Mapping[str, ArrayLike | None], cost: Cost) -> tuple[Numbers, bool]:
    said = {name: value for name, value in goal.items() if value is not None}
    if len(said) != 1:
        raise ValueError(
            "Say what the plan is for: one of flops=, gpu_hours=, days=, money=, budget= (in the unit of the "
            "cost) or loss=, for example flops=[1e21, 1e24]."
        )
    name, value = next(iter(said.items()))
    if name == "loss":
        return losses_of(value), True
    if name != "budget" and not _pays(name, cost.unit):
        raise ValueError(
            f"{name}= is in {UNITS[name][0]}, and this cost is in {cost.unit}: {_remedy(name, cost)}"
        )
    return budgets_of(value, name), False


def _pays(name: str, unit: str) -> bool:
    """Whether budgets of that name are in the unit of a cost; money has the unit that its cost says."""
    others = {unit for known in UNITS.values() for unit in known}
    return unit in UNITS[name] or (name == "money" and unit not in {*others, "bytes"})


def _remedy(name: str, cost: Cost) -> str:
    own = next((known for known in UNITS if _pays(known, cost.unit)), "budget")
    made = f", or cost={HOW[name]}" if name in HOW else ""
    return f"give {own}={made}."


def _with_given(limits: Limits | None, given: object) -> Limits | None:
    """Limits with the values of other inputs among them."""
    values = given_values(given)
    if not values or not isinstance(limits, Mapping | None):
        return limits
    if twice := [name for name in values if name in (limits or {})]:
        raise ValueError(f"{twice[0]!r} stands in limits= and in given=: leave one out.")
    both: dict[str | Cost, LimitValue] = dict(limits or {})
    both.update(values.items())
    return both
