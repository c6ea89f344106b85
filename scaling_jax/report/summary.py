"""How a fit reads: the same table as text and as HTML, in the tradition of statsmodels and lmfit."""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scaling_jax.api.groups import FitGroups
    from scaling_jax.api.result import FitResult

__all__ = ["groups_text", "objective_words", "rows_words", "summary_html", "summary_text"]

WIDTH = 96
LEVEL = 0.9
VERDICTS = {
    "converged": "converged: this is an optimum, and the best of all starts",
    "underdetermined": "UNDERDETERMINED: the data do not determine these parameters",
    "not_converged": "NOT CONVERGED: do not use these parameters",
    "failed": "FAILED: there is no fit",
}


def objective_words(fit: FitResult) -> str:
    """What was minimised."""
    fields = {k: v for k, v in fit.objective.to_dict().items() if k not in ("kind", "on")}
    inside = "".join(f", {k} {v:g}" for k, v in fields.items() if v)
    scale = "log residuals" if fit.objective.on == "log" else "raw residuals"
    return f"{fit.objective.kind}{inside}, on {scale}, summed"


def _facts(fit: FitResult) -> list[tuple[str, str]]:
    c = fit.certificate
    facts = [
        (
            "Law",
            f"{fit.law.name}({', '.join(fit.law.inputs)})" + (f"  [{fit.law.cite}]" if fit.law.cite else ""),
        )
    ]
    if fit.key is not None:
        facts.append(("Group", str(fit.key)))
    columns = ", ".join(f"{k} = {v}" if k != v else k for k, v in fit.sources.items())
    facts.append(("Columns", columns))
    if fit.count:
        facts.append(("Counted", ", ".join(f"{k}: {v}" for k, v in fit.count.items())))
    facts.append(("Rows", rows_words(fit.record)))
    facts.append(("Objective", f"{fit.objective_value:.10g}  ({objective_words(fit)})"))
    facts.append(("Verdict", VERDICTS[c.status]))
    if not fit.reason:
        screened = f" ({c.n_starts:,} tried)" if c.n_starts != c.n_finished else ""
        facts.append(
            (
                "Starts",
                f"{c.n_agree} of {c.n_finished} finished starts agree{screened}; {fit.solver}, "
                f"{c.n_polished} polished",
            )
        )
        facts.append(("Optimum", _optimum_words(c)))
    if fit.examination:
        measured = fit.conf_int(LEVEL).attrs["coverage"]
        facts.append(
            (
                "Intervals",
                f"{100 * LEVEL:g} %, {len(fit.draws.numbers):,} replicates: {fit.draws.method}; {measured}",
            )
        )
    return facts + fit.examination


def _optimum_words(c: Any) -> str:
    if c.relative_decrement < 1e-12:
        gain = "nothing left to gain"
    else:
        gain = f"{100 * min(c.relative_decrement, 1):.2g} % left to gain"
    other = (
        "no other optimum seen"
        if not np.isfinite(c.runner_up)
        else f"next optimum {100 * c.runner_up:.3g} % higher"
    )
    return f"{gain}; {other}; condition number {c.condition:.1e}"


def rows_words(record: dict[str, Any]) -> str:
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


HEADINGS = ("parameter", "estimate", "lower", "upper", "unit or domain", "note")


def _parameter_rows(fit: FitResult) -> list[tuple[str, ...]]:
    """Per number of the law: label, estimate, the ends of its interval (where the fit was examined), unit,
    notes."""
    ends = fit.conf_int(LEVEL) if fit.examination else None
    tied = {name: group for group in fit.tied for name in group}
    rows: list[tuple[str, ...]] = []
    for label, domain, number in zip(fit.law.labels, fit.law.label_domains, fit.numbers, strict=True):
        name = label.split("[")[0]
        notes = []
        if name in fit.shared:
            notes.append("shared by all groups")
        elif label in fit.fixed:
            notes.append("fixed")
        if name in tied:
            notes.append("tied to " + ", ".join(n for n in tied[name] if n != name))
        for word, labels in (
            ("extinct", fit.certificate.extinct),
            ("at its bound", fit.certificate.at_bound),
        ):
            if label in labels:
                notes.append(word)
        if label in fit.certificate.unidentified and label not in fit.certificate.extinct:
            notes.append("not identified")
        lower, upper = (
            ("", "")
            if ends is None or label in fit.fixed
            else (f"{v:.4g}" for v in ends.loc[label, ["lower", "upper"]])
        )
        rows.append(
            (label, f"{number:.7g}", lower, upper, fit.law.units.get(name, domain.name), "; ".join(notes))
        )
    return rows


def summary_text(fit: FitResult) -> str:
    """The report as monospaced text."""
    lines = ["=" * WIDTH]
    for name, value in _facts(fit):
        lines += textwrap.wrap(f"{name + ':':<11}{value}", WIDTH, subsequent_indent=" " * 11)
    if not fit.reason:
        lines.append("-" * WIDTH)
        rows: list[tuple[str, ...]] = [HEADINGS, *_parameter_rows(fit)]
        lines += [
            f"{a:<12}{b:>13}{low:>11}{high:>11}   {c:<16}{d}".rstrip() for a, b, low, high, c, d in rows
        ]
    lines.append("-" * WIDTH)
    for warning in fit.warnings:
        lines += textwrap.wrap(f"! {warning}", WIDTH, subsequent_indent="  ")
    if not fit.warnings:
        lines.append("No warnings.")
    return "\n".join([*lines, "=" * WIDTH])


def summary_html(fit: FitResult) -> str:
    """The report as a small HTML table."""

    def row(cells: Any, tag: str = "td") -> str:
        return (
            "<tr>"
            + "".join(f'<{tag} style="text-align:left">{html.escape(str(c))}</{tag}>' for c in cells)
            + "</tr>"
        )

    facts = "".join(row(f) for f in _facts(fit))
    params = "" if fit.reason else row(HEADINGS, "th") + "".join(
        row(r) for r in _parameter_rows(fit)
    )  # fmt: skip
    warnings = "".join(f"<li>{html.escape(w)}</li>" for w in fit.warnings) or "<li>No warnings.</li>"
    return f"<table>{facts}</table><table>{params}</table><ul>{warnings}</ul>"


def groups_text(groups: FitGroups) -> str:
    """One line per group, then the verdicts counted and the reasons of what failed."""
    counts: dict[str, int] = {}
    for fit in groups.values():
        counts[fit.status] = counts.get(fit.status, 0) + 1
    counted = ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
    failed = [f"  {key}: {fit.warnings[0]}" for key, fit in groups.items() if fit.status == "failed"]
    if groups.shared:
        counted += (
            f"; one value of {', '.join(groups.shared)} for all, {100 * groups.gain_left:.1g} % left "
            "to gain jointly"
        )
    table = groups.table.to_string(max_rows=40, float_format=lambda v: f"{v:.6g}")
    return "\n".join(
        [f"{len(groups)} groups: {counted}", table, *(["Not fitted:", *failed] if failed else [])]
    )
