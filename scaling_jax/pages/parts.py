"""What a page says of each kind of result: what its notebook shows, and for a fit everything there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import singledispatch

import pandas as pd

from scaling_jax.api.groups import FitGroups
from scaling_jax.api.result import FitResult
from scaling_jax.diagnosis.examination import Examination, examine
from scaling_jax.diagnosis.told import told
from scaling_jax.pages.ladder import ladder_blocks, over_many, plan_of
from scaling_jax.pages.pictures import pictures_of
from scaling_jax.pages.repeat import code_of, rows_of, versions
from scaling_jax.pages.vega import runs_chart
from scaling_jax.planning.result import Plan
from scaling_jax.reporting.blocks import Block, Code, Facts, Items, Live, Section, Words, grid_of
from scaling_jax.reporting.formula import readable
from scaling_jax.reporting.shown import Shown, sections_of, title_of
from scaling_jax.reporting.summary import (
    of_law,
    of_optimum,
    of_rows,
    of_spread,
    parameters_grid,
    verdict_blocks,
)
from scaling_jax.tables.scale import beyond

__all__ = ["Part", "part_of"]

AHEAD = (1.0, 3.0, 10.0, 30.0)
TIMES = {"times": "times the largest run"}


@dataclass(frozen=True)
class Part:
    """What a page says of one result.

    Args:
        title: what it is.
        sections: in their order; the first is what matters most.
        rows: the fitted rows, to take along, or None.
    """

    title: str
    sections: Sequence[Section]
    rows: pd.DataFrame | None = field(default=None)


@singledispatch
def part_of(thing: object) -> Part:
    """The part of the page about a result.

    Raises:
        TypeError: for what a report knows nothing of.
    """
    if isinstance(thing, Shown):
        first, *rest = sections_of(thing)
        return Part(title_of(thing), [first, *_drawn(thing), *rest])
    raise TypeError(
        f"A report is made of fits, groups, forecasts, plans, contrasts and the like, not of "
        f"{type(thing).__name__}."
    )


@part_of.register
def _frame(thing: pd.DataFrame) -> Part:
    return Part("Table", [Section("", [grid_of(thing)])])


@part_of.register
def _plan(thing: Plan) -> Part:
    first, *rest = sections_of(thing)
    if thing.reach:
        return Part(title_of(thing), [first, *rest])
    moved = Section("Other budgets", [*ladder_blocks(over_many(thing)), *pictures_of(thing)])
    return Part(title_of(thing), [first, moved, *rest])


@part_of.register
def _groups(thing: FitGroups) -> Part:
    first, *rest = sections_of(thing)
    each = [Section(f"{key}", _of_group(fit), folded=True) for key, fit in thing.items() if not fit.reason]
    return Part(
        title_of(thing),
        [first, *_drawn(thing), *rest, *each, Section("", [Words(f"Made by {versions()}.", "quiet")])],
    )


@part_of.register
def _fit(thing: FitResult) -> Part:
    if thing.reason or thing.runs is None:
        return Part(title_of(thing), sections_of(thing))
    return Part(title_of(thing), list(_sections(thing, examine(thing))), rows_of(thing))


def _drawn(thing: Shown) -> list[Section]:
    pictures = pictures_of(thing)
    return [Section("Pictures", pictures)] if pictures else []


def _of_group(fit: FitResult) -> list[Block]:
    known = told(fit)
    return [*verdict_blocks(fit, known), parameters_grid(fit, known), Facts(tuple(of_optimum(fit)))]


def _sections(fit: FitResult, seen: Examination) -> Iterator[Section]:
    known, plan = told(fit), plan_of(fit)
    yield Section("", verdict_blocks(fit, known))
    live = Live("runs", "chart", runs_chart(fit), "Dots are runs, bars reach to the law. Point at a run.")
    yield Section("Pictures", [live, *pictures_of(fit)])
    if plan is not None:
        yield Section("How large a run should be", [*ladder_blocks(plan), *_notes(plan)])
    formula = [Words(readable(fit.law.formula), "lead")] if fit.law.formula else []
    yield Section("Parameters", [*formula, parameters_grid(fit, known), *map(_quiet, of_spread(known))])
    if seen.draws is not None:
        yield Section("Beyond the data", list(_ahead(fit, seen)))
    law = fit.adequacy()
    yield from (Section(s.title or title_of(law), s.blocks, s.folded) for s in sections_of(law))
    optimum = [Facts((*of_law(fit), *of_optimum(fit)))]
    yield Section("Certificate of the optimum", optimum)
    if seen.findings:
        yield Section("Examination", [Facts(tuple(seen.findings))])
    if seen.sensitivity is not None:
        choices = seen.sensitivity.table.rename_axis("choice")
        yield Section("Other defensible choices", [grid_of(choices, True)], folded=True)
    checklist = fit.checklist()
    blocks = [block for part in sections_of(checklist) for block in (Words(part.title, "lead"), *part.blocks)]
    yield Section(title_of(checklist), blocks, folded=True)
    rows = rows_of(fit)
    yield Section("Data", [Facts(tuple(of_rows(fit))), grid_of(rows)], folded=True)
    yield Section("Repeat it", [Code(code_of(fit)), Words(f"Made by {versions()}.", "quiet")])


def _ahead(fit: FitResult, seen: Examination) -> Iterator[Block]:
    """Predictions at the largest run and beyond it, with the interval of a new run."""
    assert seen.draws is not None
    places = pd.DataFrame([beyond(fit.data(), fit.law, times) for times in AHEAD])
    found = seen.draws.predict(places, "prediction", 0.9)
    yield grid_of(pd.DataFrame({"times": AHEAD}).join(places).join(found), index=False, headings=TIMES)
    yield Words(
        "Every input is so many times that of the largest run. The intervals are those of a new run, 90 %, "
        "from the bootstrap, and widen with the distance beyond the data."
    )
    if seen.backtest is not None:
        yield Words(f"Tried where the answer is known: {seen.backtest}.", "quiet")


def _notes(plan: Plan) -> list[Block]:
    return [Items(tuple(plan.notes))] if plan.notes else []


def _quiet(fact: tuple[str, str]) -> Words:
    return Words(f"{fact[0]}: {fact[1]}.", "quiet")
