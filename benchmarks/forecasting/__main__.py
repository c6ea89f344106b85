"""`python -m benchmarks.forecasting FOLDER` judges forecasts of 440 real extrapolations, suites left out one
by one; with `competition` before the folder, of these and six further sweeps, beside its rivals; `practice`
asks which choices predict best; `pooled` sets a pooled posterior beside it; `learn` writes what all suites
teach into the package."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from benchmarks.forecasting.pictures import histograms
from benchmarks.forecasting.pooled import beside_the_forecast
from benchmarks.forecasting.practice import practice
from benchmarks.forecasting.rivals import point_forecasts
from benchmarks.forecasting.tasks import competition, extrapolations, macro
from benchmarks.report import save
from scaling_jax.forecasting.calibration import nothing_learned
from scaling_jax.forecasting.lessons import Lessons, Past, fit_tasks
from scaling_jax.forecasting.widths import interval_score
from scaling_jax.uncertainty.tails import student_quantile, student_share

SHIPPED = Path(__file__).parents[2] / "scaling_jax/_data/forecast.json"
PICTURE = Path(__file__).parents[2] / "docs/forecasting_pit.svg"
VERSION = "2026.11"
RECORD = "held 92 % of 440 real extrapolations, each forecast without its suite"
HORIZONS = [-9.0, 0.35, 0.7, 1.1, 1.6, 2.1, 9.0]
WORDS = ["< 2x", "2-5x", "5-13x", "13-40x", "40-130x", "> 130x"]


def judged(past: list[Past]) -> pd.DataFrame:
    """One row per task: error, half-width, score and place in the distribution, its suite left out."""
    begin, lessons = time.perf_counter(), Lessons(past, nothing_learned())
    learned = {suite: lessons.learned(suite) for suite in lessons.suites}
    print(f"learned from {len(past)} tasks, suites left out in turn, in {time.perf_counter() - begin:.0f} s")
    begin = time.perf_counter()
    seen = fit_tasks(past, [learned[one.suite] for one in past])
    print(f"{len(past)} tasks forecast in {time.perf_counter() - begin:.0f} s")
    rows = []
    for i, one in enumerate(past):
        known, error = learned[one.suite], one.truth - float(seen[i].centre[0])
        half = float(known.half_width(seen[i])[0])
        scale = half / float(student_quantile(0.95, known.degrees))
        rows.append({
            "suite": one.suite, "family": one.family, "curve": one.curve, "error": error, "half": half,
            "pit": float(student_share(error / scale, known.degrees)),
            "crps": crps(error, scale, known.degrees),
            "horizon": float(one.known.horizon(one.point[None])[0]),
        })  # fmt: skip
    return scored(pd.DataFrame(rows))


def scored(table: pd.DataFrame) -> pd.DataFrame:
    size, half = table["error"].abs(), table["half"].to_numpy()
    score = interval_score(half, table["error"].to_numpy())
    ahead = pd.cut(table["horizon"], HORIZONS, labels=WORDS).astype(str)
    return table.assign(size=size, score=score, covered=1.0 * (size <= half), width=2 * half, ahead=ahead)


def crps(error: float, scale: float, df: float) -> float:
    """The continuous ranked probability score of a Student t about the forecast (Jordan et al. 2019)."""
    from scipy.special import beta
    from scipy.stats import t

    z = error / scale
    own = z * (2 * t.cdf(z, df) - 1) + 2 * t.pdf(z, df) * (df + z**2) / (df - 1)
    return float(scale * (own - 2 * np.sqrt(df) * beta(0.5, df - 0.5) / ((df - 1) * beta(0.5, df / 2) ** 2)))


def report(table: pd.DataFrame, past: list[Past]) -> str:
    names = {
        "absolute log error": "size", "interval score at 90 %": "score", "CRPS": "crps",
        "coverage": "covered", "width": "width",
    }  # fmt: skip
    scores = {name: macro(past, table[column].to_numpy()) for name, column in names.items()}
    bias = macro(past, table["error"].to_numpy())[0]
    columns, suites = ["size", "score", "crps", "covered", "width"], table["suite"].nunique()
    return "\n".join([
        f"{len(table)} extrapolations of {suites} suites, each forecast from what the other suites teach",
        pd.DataFrame(scores, index=["by family", "by suite"]).T.round(4).to_string(),
        f"median width {table['width'].median():.3f}; signed error by family {bias:+.4f}",
        "by suite", table.groupby("suite")[columns].mean().round(3).to_string(),
        "by horizon in compute",
        table.groupby("ahead")[columns].mean().reindex(WORDS).round(3).to_string(),
    ])  # fmt: skip


def against(table: pd.DataFrame, past: list[Past], rivals: pd.DataFrame) -> str:
    """Errors of the rivals beside the forecast's on the same tasks, and a paired test over suites."""
    truth, own = np.array([one.truth for one in past]), table["size"]
    rows, by_suite = {}, {"forecast": own.groupby(table["suite"]).mean()}
    for name in rivals:
        error = (rivals[name] - truth).abs().replace(np.inf, np.nan)
        had = error.notna()
        by_suite[name] = error.groupby(table["suite"]).mean()
        both = pd.concat([by_suite[name], own[had].groupby(table["suite"]).mean()], axis=1).dropna()
        rows[name] = {
            "tasks": int(had.sum()), "median": error.median(),
            "by family": error.groupby(table["family"]).mean().mean(), "by suite": by_suite[name].mean(),
            "forecast": both.iloc[:, 1].mean(), "suites": len(both),
            "better in": int((both.iloc[:, 1] < both.iloc[:, 0]).sum()),
            "p": wilcoxon(both.iloc[:, 1], both.iloc[:, 0]).pvalue,
        }  # fmt: skip
    suites = pd.DataFrame(by_suite)
    laws = suites.drop(columns=["forecast", "last value", "line in log compute"])
    suites["best law"] = laws.min(axis=1)
    suites["ratio"] = suites["forecast"] / suites["best law"]
    return "\n".join([
        "absolute log error of rivals; forecast: on the same suites; p: Wilcoxon's signed ranks over suites",
        pd.DataFrame(rows).T.round(4).to_string(),
        "by suite; ratio: to the best single law in hindsight", suites.round(3).to_string(),
    ])  # fmt: skip


def main(folder: Path) -> None:
    past = extrapolations(folder)
    table = judged(past)
    text = report(table, past)
    print(text)
    save("forecasting", text, {"tasks": table.round(6).to_dict("list")})


def compete(folder: Path) -> None:
    past = competition(folder)
    table = judged(past)
    text = report(table, past)
    print(text)
    rivals = point_forecasts(past)
    text += "\n" + against(table, past, rivals)
    print(text)
    histograms(table, PICTURE)
    save(
        "forecasting_competition",
        text,
        {"tasks": table.round(6).to_dict("list"), "rivals": rivals.round(6).to_dict("list")},
    )


def choices(folder: Path) -> None:
    text, record = practice([one for one in extrapolations(folder) if len(one.known.names) == 2])
    print(text)
    save("forecasting_practice", text, record)


def borrow(folder: Path) -> None:
    text, table = beside_the_forecast(extrapolations(folder))
    print(text)
    save("forecasting_pooled", text, {"tasks": table.round(6).to_dict("list")})


def learn(folder: Path) -> None:
    """Writes what ships."""
    found = Lessons(extrapolations(folder), nothing_learned()).learned(version=VERSION)
    SHIPPED.write_text(replace(found, record=RECORD).to_json() + "\n")


if __name__ == "__main__":
    commands = {"competition": compete, "practice": choices, "pooled": borrow, "learn": learn}
    commands.get(sys.argv[1], main)(Path(sys.argv[-1]))
