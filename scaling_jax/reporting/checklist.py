"""The reporting checklist for scaling-law papers, filled in from a fit (Li, Kudugunta and Zettlemoyer 2025,
arXiv:2502.18969).

Their survey found that most papers leave out something a reader needs to repeat the fit. A fit knows most of
it; what only the author can know is marked.
"""

from __future__ import annotations

import textwrap

import numpy as np

from scaling_jax.core.printed import Printed
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.reporting.blocks import Facts, Section
from scaling_jax.reporting.formula import readable
from scaling_jax.reporting.shown import Shown
from scaling_jax.reporting.summary import Told, objective_words, rows_words, solver_words

__all__ = ["TO_FILL_IN", "Checklist", "checklist"]

TO_FILL_IN = "[to fill in]"
WIDTH = 96


class Checklist(Printed, Shown):
    """The checklist as text to print; a notebook shows it as tables."""

    parts: list[tuple[str, list[tuple[str, str]]]]

    def _title(self) -> str:
        return "Reporting checklist (after Li, Kudugunta and Zettlemoyer 2025)"

    def _sections(self) -> list[Section]:
        return [Section(title, [Facts(tuple(items))]) for title, items in self.parts]


def checklist(fit: Fitted, told: Told) -> Checklist:
    """The checklist; see `FitResult.checklist`."""
    sections = [
        ("What is fitted", _form(fit)),
        ("Training runs", _runs(fit)),
        ("Data", _data(fit)),
        ("Fitting", _fitting(fit)),
    ]
    sections.append(("Uncertainty and validation", _validation(told)))
    lines = [f"Reporting checklist for {fit.law.name} (after Li, Kudugunta and Zettlemoyer 2025)"]
    for title, items in sections:
        lines += ["", title]
        for name, said in items:
            lines += textwrap.wrap(f"{name}: {said}", WIDTH, initial_indent="  - ", subsequent_indent="    ")
    missing = sum(TO_FILL_IN in said for _, items in sections for _, said in items)
    made = Checklist("\n".join([*lines, "", f"{missing} entries only the author can fill in."]))
    made.parts = sections
    return made


def _form(fit: Fitted) -> list[tuple[str, str]]:
    params = ", ".join(
        f"{label} = {number:.10g}" for label, number in zip(fit.law.labels, fit.numbers, strict=True)
    )
    cited = f" ({fit.law.cite})" if fit.law.cite else ""
    held = [f"{label} fixed at {value:g}" for label, value in fit.fixed.items()] + [
        f"{' = '.join(group)} tied" for group in fit.tied
    ]
    return [
        ("Form", (readable(fit.law.formula) or fit.law.name) + cited),
        ("Question the law answers, and why this form", TO_FILL_IN),
        ("Parameters, unrounded", params),
        ("Held or tied", "; ".join(held) or "none"),
        ("Units", ", ".join(f"{name} in {unit}" for name, unit in fit.units.items()) or TO_FILL_IN),
    ]


def _runs(fit: Fitted) -> list[tuple[str, str]]:
    counted = ", ".join(f"{name}: {how}" for name, how in fit.count.items())
    ranges = "data not attached"
    if fit.runs is not None:
        ranges = "; ".join(
            f"{name} {column.min():.3g} to {column.max():.3g}" for name, column in fit.data().numeric.items()
        )
    return [
        ("Range of the inputs", ranges),
        (
            "How parameters and compute were counted (embeddings, attention)",
            counted or f"{TO_FILL_IN}: pass count= to sj.fit",
        ),
        ("Architecture and how it was scaled (width, depth)", TO_FILL_IN),
        ("Training data, tokenizer, repeated tokens", TO_FILL_IN),
        (
            "Learning rate, schedule (does it end with each run?), batch size, and how they were tuned per "
            "size",
            TO_FILL_IN,
        ),
        ("Code, checkpoints and losses released", TO_FILL_IN),
    ]


def _data(fit: Fitted) -> list[tuple[str, str]]:
    kind = "one row per run, as far as the fit knows (no run=)"
    if fit.runs is not None and (run := fit.data().run) is not None:
        distinct = len(np.unique(run))
        kind = f"{len(run)} rows from {distinct} runs" + (" (checkpoints)" if distinct < len(run) else "")
    return [
        ("Columns", ", ".join(f"{name} = {column}" for name, column in fit.sources.items())),
        ("Rows and filters", rows_words(fit.record)),
        ("Checkpoints or final losses", kind),
        ("Which loss (training, validation; smoothed?)", TO_FILL_IN),
        ("Fingerprint of the fitted data", fit.fingerprint),
    ]


def _fitting(fit: Fitted) -> list[tuple[str, str]]:
    c = fit.certificate
    weights = "data not attached"
    if fit.runs is not None:
        weights = (
            "equal"
            if np.ptp(fit.data().weight) == 0
            else f"{fit.data().weight.min():.3g} to {fit.data().weight.max():.3g}"
        )
    return [
        ("Objective", f"{objective_words(fit)}; value at the optimum {fit.objective_value:.10g}"),
        ("Weights", weights),
        (
            "Optimiser",
            f"{solver_words(fit)} with exact derivatives, float64; {c.n_polished} lanes polished by "
            "Newton's method",
        ),
        (
            "Starts",
            f"{c.n_starts}, of which {c.n_finished} ran to the end and {c.n_agree} agree on this optimum",
        ),
        (
            "Optimum",
            f"{c.status}; share of the objective left to gain {c.relative_decrement:.1g}; condition number "
            f"{c.condition:.1e}",
        ),
        ("Warnings", " ".join(fit.warnings) or "none"),
    ]


def _validation(told: Told) -> list[tuple[str, str]]:
    if told.ends is None:
        return [("Intervals, backtest, other choices", "data not attached, or no fit")]
    intervals = ", ".join(
        f"{label} {row['lower']:.5g} to {row['upper']:.5g}" for label, row in told.ends.iterrows()
    )
    tests = dict(told.findings)
    return [
        ("What to do with the fit", f"{told.headline.lower()}. {' '.join(told.reasons)}"),
        (f"Intervals, {100 * told.level:g} %", f"{intervals} ({told.method})"),
        ("Held-out test", tests.get("Backtest", f"too few runs for a backtest; {TO_FILL_IN}")),
        (
            "Repeated seeds",
            tests.get("Replicates", "none to test" if tests else "not assessed"),
        ),
        ("Influential runs", tests.get("Influence", "not assessed")),
        ("Other defensible choices", tests.get("Choices", "not assessed")),
        ("How far the law is extrapolated, and what was validated there", TO_FILL_IN),
    ]
