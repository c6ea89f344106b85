"""`python -m benchmarks.forecasting FOLDER` judges forecasts of 440 real extrapolations, suites left out one
by one; `python -m benchmarks.forecasting learn FOLDER` writes what all of them teach into the package."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.forecasting.tasks import extrapolations, macro
from benchmarks.report import save
from scaling_jax.forecasting.calibration import nothing_learned
from scaling_jax.forecasting.lessons import Lessons, Past, fit_tasks
from scaling_jax.forecasting.widths import interval_score
from scaling_jax.uncertainty.tails import student_quantile, student_share

SHIPPED = Path(__file__).parents[2] / "scaling_jax/_data/forecast.json"
VERSION = "2026.11"


def judged(past: list[Past]) -> pd.DataFrame:
    """One row per task: error, half-width and place in the distribution, forecast without its suite."""
    lessons = Lessons(past, nothing_learned())
    learned = {suite: lessons.learned(suite) for suite in lessons.suites}
    begin = time.perf_counter()
    seen = fit_tasks(past, [learned[one.suite] for one in past])
    print(f"{len(past)} tasks forecast in {time.perf_counter() - begin:.0f} s")
    rows = []
    for i, one in enumerate(past):
        known, error = learned[one.suite], one.truth - float(seen[i].centre[0])
        half = float(known.half_width(seen[i])[0])
        unit = error / half * student_quantile(0.95, known.degrees)
        rows.append({
            "suite": one.suite, "family": one.family, "curve": one.curve, "error": error, "half": half,
            "pit": float(student_share(unit, known.degrees)),
            "horizon": float(one.known.horizon(one.point[None])[0]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def report(table: pd.DataFrame, past: list[Past]) -> str:
    error, half = table["error"].abs().to_numpy(), table["half"].to_numpy()
    scores = {
        "absolute log error": macro(past, error),
        "interval score at 90 %": macro(past, interval_score(half, table["error"].to_numpy())),
        "coverage": macro(past, error <= half),
        "width": macro(past, 2 * half),
    }
    by_suite = table.assign(error=error, covered=error <= half, width=2 * half).groupby("suite")
    return "\n".join([
        f"{len(table)} extrapolations, each forecast from what the other suites teach",
        pd.DataFrame(scores, index=["by family", "by suite"]).T.round(4).to_string(),
        f"median width {np.median(2 * half):.3f}",
        by_suite[["error", "covered", "width"]].mean().round(3).to_string(),
    ])  # fmt: skip


def learn(past: list[Past], record: str) -> None:
    """Writes what ships."""
    found = replace(Lessons(past, nothing_learned()).learned(version=VERSION), record=record)
    SHIPPED.write_text(found.to_json() + "\n")


def main(folder: Path) -> None:
    past = extrapolations(folder)
    table = judged(past)
    text = report(table, past)
    print(text)
    save("forecasting", text, {"tasks": table.round(6).to_dict("list")})


if __name__ == "__main__":
    if sys.argv[1] == "learn":
        learn(
            extrapolations(Path(sys.argv[2])),
            "held 92 % of 440 real extrapolations, each forecast without its suite",
        )
    else:
        main(Path(sys.argv[1]))
