"""How a fit reads: the same facts as text and in sections, in the tradition of statsmodels and lmfit."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scaling_jax.fitting.certificate import Certificate
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.reporting.blocks import Block, Facts, Grid, Items, Section, Words, grid_of
from scaling_jax.reporting.numbers import written

__all__ = [
    "Told",
    "groups_sections",
    "groups_text",
    "objective_words",
    "of_law",
    "of_optimum",
    "of_rows",
    "of_spread",
    "parameters_grid",
    "rows_words",
    "solver_words",
    "summary_sections",
    "summary_text",
    "verdict_blocks",
]

WIDTH = 96
INDENT = 13
ERRORS = "from the curvature at the optimum (sandwich, by run where runs are known); nothing was refitted"
MORE = "Intervals, backtest, influential runs, other choices: fit.examine()"
VERDICTS = {
    "converged": "converged: this is an optimum, and the best of all starts",
    "underdetermined": "UNDERDETERMINED: the data do not determine these parameters",
    "not_converged": "NOT CONVERGED: do not use these parameters",
    "failed": "FAILED: there is no fit",
}
LOSSES = {
    "huber": "Huber loss",
    "squared": "squared error",
    "absolute": "absolute error",
    "asymmetric": "asymmetric error",
    "binomial": "binomial log-likelihood",
    "beta_binomial": "beta-binomial log-likelihood",
}
SETTINGS = {"delta": "threshold"}
SOLVERS = {"lm": "Levenberg-Marquardt", "lbfgs": "L-BFGS", "optax": "an optimiser of optax"}
HARMLESS = 1e12  # condition number, in double precision
FOR_GROUPS = {
    "use": "to use",
    "inside the range": "to use inside the range of their data",
    "do not use": "not to be used",
}


@dataclass(frozen=True, eq=False)
class Told:
    """What is known of a fit's uncertainty, handed in for the report.

    Args:
        errors: standard errors by label that need no refit, or None.
        ends: intervals by label (lower, upper), where refits were made.
        level, method: their level, and how they were made and what they are worth.
        findings: names and sentences of the examination.
        examined: whether the fit was examined.
        headline: what to do with the fit.
        reasons: why, most serious first.
        first: what a reader asks next: how well the law meets its rows, and what it says beyond them.
    """

    errors: pd.Series | None = None
    ends: pd.DataFrame | None = None
    level: float = 0.9
    method: str = ""
    findings: list[tuple[str, str]] = field(default_factory=list)
    examined: bool = False
    headline: str = ""
    reasons: list[str] = field(default_factory=list)
    first: list[tuple[str, str]] = field(default_factory=list)


def objective_words(fit: Fitted) -> str:
    """What was minimised."""
    if fit.objective.counts is not None:
        return f"{LOSSES[fit.objective.kind]} lost against each row's own share, summed over rows"
    fields = {k: v for k, v in fit.objective.to_dict().items() if k not in ("kind", "on")}
    inside = "".join(f", {SETTINGS.get(k, k)} {v:g}" for k, v in fields.items() if v)
    return f"{LOSSES[fit.objective.kind]} of {fit.objective.on} residuals{inside}, summed over rows"


def _facts(fit: Fitted, told: Told) -> list[tuple[str, str]]:
    return [*of_law(fit), *of_rows(fit), *of_optimum(fit), *of_spread(told), *told.findings]


def solver_words(fit: Fitted) -> str:
    """What searched."""
    return SOLVERS.get(fit.solver, fit.solver)


def of_law(fit: Fitted) -> list[tuple[str, str]]:
    """Which law, of which group."""
    cited = f"  [{fit.law.cite}]" if fit.law.cite else ""
    facts = [("Law", f"{fit.law.name}({', '.join(fit.law.inputs)}){cited}")]
    return facts if fit.key is None else [*facts, ("Group", str(fit.key))]


def of_rows(fit: Fitted) -> list[tuple[str, str]]:
    """What it was fitted to."""
    facts = [("Columns", ", ".join(f"{k} = {v}" if k != v else k for k, v in fit.sources.items()))]
    if fit.count:
        facts.append(("Counted", ", ".join(f"{k}: {v}" for k, v in fit.count.items())))
    if fit.record.get("read_as"):
        facts.append(("Read as", ", ".join(fit.record["read_as"])))
    return [*facts, ("Rows", rows_words(fit.record))]


def of_optimum(fit: Fitted) -> list[tuple[str, str]]:
    """The certificate."""
    c = fit.certificate
    facts = [
        ("Objective", f"{fit.objective_value:.7g}  ({objective_words(fit)})"),
        ("Status", VERDICTS[c.status]),
    ]
    if not fit.reason:
        screened = f" ({c.n_starts:,} tried)" if c.n_starts != c.n_finished else ""
        agreed = f"{c.n_agree} of {c.n_finished} finished starts agree{screened}"
        facts.append(("Starts", f"{agreed}; {solver_words(fit)}, {c.n_polished} polished by Newton's method"))
        facts.append(("Optimum", _optimum_words(c)))
    return facts


def of_spread(told: Told) -> list[tuple[str, str]]:
    """How intervals or standard errors were made."""
    if told.ends is not None:
        return [("Intervals", f"{100 * told.level:g} %, {told.method}")]
    return [("Std. errors", ERRORS)] if told.errors is not None else []


def _optimum_words(c: Certificate) -> str:
    if c.relative_decrement < 1e-12:
        gain = "nothing left to gain"
    else:
        gain = f"{100 * min(c.relative_decrement, 1):.2g} % left to gain"
    other = (
        "no other optimum seen"
        if not np.isfinite(c.runner_up)
        else f"next optimum {100 * c.runner_up:.3g} % higher"
    )
    harmless = ", harmless" if c.condition < HARMLESS else ""
    return f"{gain}; {other}; condition number {c.condition:.1e}{harmless}"


def rows_words(record: Mapping[str, object]) -> str:
    """How many rows were fitted, and why the others were not."""
    words = f"{record.get('rows_used', 0)} fitted"
    if record.get("rows_in_table") not in (None, record.get("rows_used")):
        words += f" of {record['rows_in_table']}"
    dropped = []
    if record.get("dropped_where"):
        dropped.append(f"{record['dropped_where']} left out by where={record.get('where')!r}")
    if record.get("dropped_missing"):
        dropped.append(f"{record['dropped_missing']} with missing values")
    if record.get("n_runs"):
        dropped.append(f"{record['n_runs']} runs")
    return words + (f" ({'; '.join(dropped)})" if dropped else "")


def _parameter_rows(fit: Fitted, told: Told) -> list[tuple[str, ...]]:
    """The table of the law's numbers, headings first; of intervals and standard errors what is known."""
    tied = {name: group for group in fit.tied for name in group}
    spread: tuple[str, ...] = ("lower", "upper") if told.ends is not None else ("std. error",)
    if told.ends is None and told.errors is None:
        spread = ()
    rows = [("parameter", "estimate", *spread, "unit", "note")]
    for label, number in zip(fit.law.labels, fit.numbers, strict=True):
        name = label.split("[")[0]
        known = [""] * len(spread)
        if label not in fit.fixed and told.ends is not None:
            known = [f"{v:.4g}" for v in told.ends.loc[label, ["lower", "upper"]]]
        elif label not in fit.fixed and told.errors is not None:
            known = [written(told.errors[label], digits=2)]
        rows.append(
            (
                label,
                f"{number:.5g}",
                *known,
                fit.units.get(name, ""),
                "; ".join(_notes(fit, label, tied.get(name, ()))),
            )
        )
    return rows


def _notes(fit: Fitted, label: str, tied: tuple[str, ...]) -> list[str]:
    name, c, notes = label.split("[")[0], fit.certificate, []
    if name in fit.shared:
        notes.append("shared by all groups")
    elif label in fit.fixed:
        notes.append("fixed")
    if tied:
        notes.append("tied to " + ", ".join(n for n in tied if n != name))
    notes += [
        word for word, which in (("extinct", c.extinct), ("at its bound", c.at_bound)) if label in which
    ]
    if label in c.unidentified and label not in c.extinct:
        notes.append("not identified")
    return notes


def summary_text(fit: Fitted, told: Told) -> str:
    """The report as monospaced text."""
    lines = ["=" * WIDTH, f"{'Verdict:':<{INDENT}}{told.headline}"]
    for name, value in told.first:
        lines += textwrap.wrap(f"{name + ':':<{INDENT}}{value}", WIDTH, subsequent_indent=" " * INDENT)
    for i, reason in enumerate(told.reasons):
        start = f"{'' if i else 'Why:':<{INDENT - 2}}- "
        lines += textwrap.wrap(reason, WIDTH, initial_indent=start, subsequent_indent=" " * INDENT)
    lines.append("-" * WIDTH)
    for name, value in _facts(fit, told):
        lines += textwrap.wrap(f"{name + ':':<{INDENT}}{value}", WIDTH, subsequent_indent=" " * INDENT)
    if not fit.reason:
        lines.append("-" * WIDTH)
        for label, number, *spread, unit, note in _parameter_rows(fit, told):
            columns = "".join(f"{value:>11}" for value in spread)
            lines.append(f"{label:<12}{number:>13}{columns}   {unit:<16}{note}".rstrip())
    last = [f"! {warning}" for warning in _other_warnings(fit, told)]
    last += [] if fit.warnings or _missed(told) else ["No warnings."]
    last += [MORE] if _more(fit, told) else []
    if last:
        lines.append("-" * WIDTH)
    for words in last:
        lines += textwrap.wrap(words, WIDTH, subsequent_indent="  ")
    return "\n".join([*lines, "=" * WIDTH])


def verdict_blocks(fit: Fitted, told: Told) -> list[Block]:
    """What to do with the fit, and why."""
    tone = "lead" if told.headline == "USE IT" else "care" if told.headline.startswith("USE") else "alarm"
    blocks: list[Block] = [Words(_sentence(told.headline), tone)]
    if told.first:
        blocks.append(Facts(tuple(told.first)))
    said = (*told.reasons, *_other_warnings(fit, told))
    return [*blocks, Items(said)] if said else blocks


def parameters_grid(fit: Fitted, told: Told) -> Grid:
    """The law's numbers."""
    headings, *rows = _parameter_rows(fit, told)
    if told.ends is not None:
        headings = (*headings[:2], f"{100 * told.level:g} % interval", *headings[4:])
        rows = [(*r[:2], f"{r[2]} to {r[3]}" if r[2] else "", *r[4:]) for r in rows]
    right = tuple(h == "estimate" or "interval" in h or "error" in h for h in headings)
    return Grid(headings, tuple(rows), right)


def summary_sections(fit: Fitted, told: Told) -> list[Section]:
    """The report in sections: verdict and numbers open, certificate and data to be opened."""
    sections = [Section("", verdict_blocks(fit, told))]
    if not fit.reason:
        sections.append(Section("Parameters", [parameters_grid(fit, told)]))
    if told.findings:
        sections.append(Section("Examination", [Facts(tuple(told.findings))]))
    spread, optimum = of_spread(told), of_optimum(fit)
    sections.append(Section("Certificate of the optimum", [Facts((*optimum, *spread))], folded=True))
    sections.append(Section("Law and data", [Facts((*of_law(fit), *of_rows(fit)))], folded=True))
    if _more(fit, told):
        sections.append(Section("", [Words(MORE, "quiet")]))
    return sections


def _sentence(headline: str) -> str:
    """Capitals are for terminals, which have no other way to speak up."""
    return f"{headline.capitalize().rstrip('.')}." if headline else ""


def _other_warnings(fit: Fitted, told: Told) -> list[str]:
    """The warnings that are not among the reasons."""
    return [warning for warning in fit.warnings if warning not in told.reasons]


def _missed(told: Told) -> bool:
    """Whether what is known so far speaks against the fit, before its examination has ended."""
    return any("MISSED" in words for _, words in told.findings)


def _more(fit: Fitted, told: Told) -> bool:
    """Whether an examination would add anything."""
    return not told.examined and fit.converged and fit.runs is not None


def groups_text(
    groups: Mapping[Hashable, Fitted],
    table: pd.DataFrame,
    shared: Sequence[str] = (),
    gain_left: float = 0.0,
    kind: str = "group",
) -> str:
    """One line per group out of `table`, the verdicts counted, and the reasons of what failed."""
    lines = [
        _counted(groups, table, shared, gain_left, kind),
        table.to_string(max_rows=40, float_format=lambda v: f"{v:.6g}"),
    ]
    failed = [f"  {words}" for words in _failed(groups)]
    return "\n".join([*lines, *(["Not fitted:", *failed] if failed else [])])


def groups_sections(
    groups: Mapping[Hashable, Fitted],
    table: pd.DataFrame,
    shared: Sequence[str] = (),
    gain_left: float = 0.0,
    kind: str = "group",
) -> list[Section]:
    """The same in sections."""
    failed = _failed(groups)
    sections = [
        Section("", [Words(_counted(groups, table, shared, gain_left, kind), "lead"), grid_of(table, True)])
    ]
    return [*sections, Section("Not fitted", [Items(tuple(failed))])] if failed else sections


def _failed(groups: Mapping[Hashable, Fitted]) -> list[str]:
    return [f"{key}: {fit.warnings[0]}" for key, fit in groups.items() if fit.status == "failed"]


def _counted(
    groups: Mapping[Hashable, Fitted], table: pd.DataFrame, shared: Sequence[str], gain_left: float, kind: str
) -> str:
    """How many groups may be used, and for what."""
    statuses = pd.Series([fit.status for fit in groups.values()]).value_counts().sort_index()
    counted = ", ".join(f"{n} {status}" for status, n in statuses.items())
    if shared:
        counted += f"; one value of {', '.join(shared)} for all, {100 * gain_left:.1g} % left to gain jointly"
    words = table["verdict"].value_counts()
    answers = ", ".join(f"{words[word]} {what}" for word, what in FOR_GROUPS.items() if word in words)
    return f"{len(groups)} {kind}s: {answers} ({counted})"
