"""Charts a reader can point at, drawn by Vega-Altair, and the script that shows them without a network.

Colours are CSS variables of the page, so that one chart serves light and dark.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from platformdirs import user_cache_path

from scaling_jax.core.optional import needs
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.result import Plan
from scaling_jax.reporting.numbers import kind_of, written
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["loss_chart", "runs_chart", "vega_script"]

INK, MAIN, WARM = "currentColor", "var(--main)", "var(--warm)"
HEIGHT = 300
MOST = 3000  # dots
NARROW = 3.0  # decades
AXIS = {
    **dict.fromkeys(("labelColor", "titleColor", "tickColor", "domainColor", "gridColor"), INK),
    "gridOpacity": 0.1,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": 500,
}
REPORTS = "Reports need"
ROOM = {"labelOverlap": "greedy", "labelSeparation": 8}


def vega_script() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, out of the package that carries them; kept on disk, since
    putting it together takes seconds."""
    made = needs("vl_convert", "report", REPORTS)
    kept = user_cache_path("scaling_jax", appauthor=False) / f"vega-{version('vl-convert-python')}.js"
    if kept.is_file():
        return kept.read_text(encoding="utf-8")
    script = str(made.javascript_bundle()).replace("</script", "<\\/script").replace("<!--", "<\\!--")
    _keep(kept, script)
    return script


def runs_chart(fit: Fitted) -> dict[str, Any]:
    """The runs as dots, what the law says of each as a bar; pointing at a run names it."""
    alt = needs("altair", "report", REPORTS)
    table, x, words = _runs(fit)
    inputs = list(fit.law.inputs)
    tips = [alt.Tooltip(f"{name} written:N", title=name) for name in inputs]
    tips = [alt.Tooltip("run:N"), *tips, alt.Tooltip("measured:Q", format=".4~g")]
    tips += [alt.Tooltip("predicted:Q", format=".4~g"), alt.Tooltip("miss:N", title="prediction is off by")]
    log = bool((table["x"] > 0).all())
    axis = _axis(table["x"], x) if log else alt.Axis()
    scale = {"type": "log" if log else "linear", "nice": False, "padding": 12}
    across = alt.X("x:Q", title=words, axis=axis).scale(**scale)
    up = _upward(table[["measured", "predicted"]], padding=8)
    near = alt.selection_point(
        on="pointerover", nearest=True, fields=["row"], empty=False, clear="pointerout"
    )
    base = alt.Chart(table).encode(x=across)
    bars = base.mark_rule(color=INK, opacity=0.45).encode(
        y=alt.Y("measured:Q", title=_target(fit)).scale(**up), y2="predicted:Q"
    )
    dots = base.mark_circle(color=MAIN, opacity=0.8).encode(
        y="measured:Q",
        tooltip=tips,
        size=alt.condition(near, alt.value(160), alt.value(45)),
    )
    return _ready((bars + dots.add_params(near)).properties(width="container", height=HEIGHT))


def loss_chart(plan: Plan) -> dict[str, Any]:
    """The loss of the best run over the budget, with its band, and a line that the slider moves."""
    alt = needs("altair", "report", REPORTS)
    table, spent = plan.table, plan.spent_name
    columns = [name for name in (spent, "loss", "loss_lower", "loss_upper") if name in table]
    table = table[columns].rename(columns={spent: "budget"}).dropna()
    budget = alt.param(name="budget", value=float(table["budget"].median()))
    words = spent.replace("flops", "training compute (FLOP)")
    across = alt.X("budget:Q", title=words, axis=_axis(table["budget"], spent))
    base = alt.Chart(table).encode(x=across.scale(type="log", nice=False))
    shape = _upward(table.drop(columns="budget"))
    up = alt.Y("loss:Q", title="loss of the best run").scale(**shape)
    layers = [base.mark_line(color=MAIN).encode(y=up)]
    if "loss_lower" in table:
        band = base.mark_area(color=MAIN, opacity=0.2).encode(
            y=alt.Y("loss_lower:Q").scale(**shape), y2="loss_upper:Q"
        )
        layers.insert(0, band)
    line = alt.Chart(pd.DataFrame({"at": [0]})).mark_rule(color=WARM, strokeWidth=2)
    layers.append(line.transform_calculate(x="budget").encode(x="x:Q"))
    return _ready(alt.layer(*layers).add_params(budget).properties(width="container", height=220))


def _ready(chart: Any) -> dict[str, Any]:
    """The specification, its colours those of the page."""
    said: dict[str, Any] = chart.to_dict()
    said["config"] = {"background": None, "font": "inherit", "view": {"stroke": None}, "axis": AXIS}
    return said


def _axis(values: pd.Series, name: str) -> Any:
    """A logarithmic axis with ticks at 1, 2 and 5 of every decade, or at decades where there are many."""
    alt = needs("altair", "report", REPORTS)
    low, high = np.log10(values.min()), np.log10(values.max())
    steps = (1, 2, 5) if high - low < NARROW else (1,)
    ticks = [step * 10.0**k for k in range(int(np.floor(low)), int(np.ceil(high)) + 1) for step in steps]
    said = {f"{tick:.0e}": written(tick, kind_of(name)) for tick in ticks}
    words = f"{json.dumps(said)}[replace(format(datum.value, '.0e'), /e([+-])(\\d)$/, 'e$10$2')]"
    return alt.Axis(values=ticks, labelExpr=words, **ROOM)


def _upward(values: pd.DataFrame, **more: float) -> dict[str, Any]:
    """The upward scale: logarithmic where nothing reaches zero."""
    log = bool((values > 0).all().all())
    return {"type": "log", "nice": False, **more} if log else {"zero": False, "nice": False, **more}


def _runs(fit: Fitted) -> tuple[pd.DataFrame, str, str]:
    """The rows, along compute where the law has size and tokens, else along its last input."""
    runs, law = fit.data(), fit.law
    predicted = fit.at_rows.prediction
    x = law.inputs[-1]
    values, words = runs.inputs[x], fit.sources.get(x, x)
    if {"N", "D"} <= set(law.inputs):
        x, words = "C", "training compute 6ND (FLOP)"
        values = TOKENS_FLOP * runs.inputs["N"] * runs.inputs["D"]
    names = runs.rows if runs.run is None else [runs.run_labels[code] for code in runs.run]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = 100 * (predicted / runs.target - 1)
    table = pd.DataFrame(
        {
            "row": np.arange(len(runs)),
            "run": [str(name) for name in names],
            "x": values,
            "measured": runs.target,
            "predicted": predicted,
            "miss": [f"{value:+.2g} %" for value in off],
        }
    )
    for name, column in runs.inputs.items():
        if np.ndim(column) == 1:
            table[f"{name} written"] = [written(value, kind_of(name)) for value in column]
    return table.iloc[:: len(table) // MOST + 1], x, words


def _target(fit: Fitted) -> str:
    return str(fit.sources.get("target", fit.law.target)).replace("_", " ")


def _keep(path: Path, script: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        half.write_text(script, encoding="utf-8")
        half.replace(path)
    except OSError:  # a disk that takes nothing costs seconds, not the report
        return
