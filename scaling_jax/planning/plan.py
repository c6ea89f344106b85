"""The best run for any law, cost and limits: from the words of a user to a `Plan`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Numbers
from scaling_jax.planning.cost import Cost
from scaling_jax.planning.problem import Limits, Problem, read_problem
from scaling_jax.planning.result import Plan, PlanGroups, losses_of
from scaling_jax.planning.source import AnySource, LawSource, Source, source_of, sources_of
from scaling_jax.tables.scale import budgets_of
from scaling_jax.uncertainty.ensemble import check_level

__all__ = ["plan", "planned"]


@overload
def plan(
    source: LawSource,
    *,
    flops: ArrayLike | None = ...,
    budget: ArrayLike | None = ...,
    loss: ArrayLike | None = ...,
    cost: Cost | Callable[..., ArrayLike] | str | None = ...,
    limits: Limits | None = ...,
    level: float | None = ...,
    better: str | None = ...,
) -> Plan: ...
@overload
def plan(
    source: Mapping[Hashable, LawSource],
    *,
    flops: ArrayLike | None = ...,
    budget: ArrayLike | None = ...,
    loss: ArrayLike | None = ...,
    cost: Cost | Callable[..., ArrayLike] | str | None = ...,
    limits: Limits | None = ...,
    level: float | None = ...,
    better: str | None = ...,
) -> PlanGroups: ...
def plan(
    source: AnySource,
    *,
    flops: ArrayLike | None = None,
    budget: ArrayLike | None = None,
    loss: ArrayLike | None = None,
    cost: Cost | Callable[..., ArrayLike] | str | None = None,
    limits: Limits | None = None,
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
        budget: budgets in the unit of `cost`, where that is another one.
        loss: values of what the law predicts, to be reached at least cost.
        cost: what is spent: one of `sj.cost` or a sum of them, a formula such as "6 * N * D", or a function
            of inputs in jax.numpy. Training, 6 N D, without it.
        limits: what is given or bounded. For an input: a value, `{"N": 7e9}`; a range, `{"D": (None, 1e13)}`;
            a list to choose from, `{"P": [1, 2, 4, 8]}`; a formula of other inputs, `{"N": "12 * width**3"}`.
            For formulas of inputs and for costs: `{"D / N": (20, 200)}`, `{"epochs": (None, 4)}`,
            `{sj.cost.memory(bytes=2): 80e9}`.
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
    """
    if level is not None:
        check_level(level)
    if isinstance(source, Mapping):
        sources = sources_of(source, draws=level is not None)
        plans = {
            key: planned(one, flops, budget, loss, cost, limits, level, better)
            for key, one in sources.members.items()
        }
        for key, one in plans.items():
            for note in one.warnings:
                warnings.warn(f"{key}: {note}", UserWarning, stacklevel=2)
        return PlanGroups(plans, sources.failed)
    found = planned(source_of(source, level is not None), flops, budget, loss, cost, limits, level, better)
    for note in found.warnings:
        warnings.warn(note, UserWarning, stacklevel=2)
    return found


def planned(
    source: Source,
    flops: ArrayLike | None,
    budget: ArrayLike | None,
    loss: ArrayLike | None,
    cost: Cost | Callable[..., ArrayLike] | str | None,
    limits: Limits | None,
    level: float | None,
    better: str | None,
) -> Plan:
    """`plan` of one source, which keeps its warnings to itself."""
    problem = read_problem(source, cost, limits, better)
    goals, reach = _goals(flops, budget, loss, problem)
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


def _goals(
    flops: ArrayLike | None, budget: ArrayLike | None, loss: ArrayLike | None, problem: Problem
) -> tuple[Numbers, bool]:
    given = {"flops": flops, "budget": budget, "loss": loss}
    said = {name: value for name, value in given.items() if value is not None}
    if len(said) != 1:
        raise ValueError(
            "Say what the plan is for: one of flops=, budget= (in the unit of the cost) or loss=, for "
            "example flops=[1e21, 1e24]."
        )
    (name, value), unit = next(iter(said.items())), problem.cost.unit
    if name == "flops" and unit not in ("FLOP", ""):
        raise ValueError(f"flops= is in FLOP, and this cost is in {unit}: give budget= in {unit}.")
    if name == "loss":
        return losses_of(value), True
    return budgets_of(value, name), False
