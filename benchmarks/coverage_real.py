"""Coverage where it counts: the largest run of every real family, predicted from its smaller ones.

`python -m benchmarks.coverage_real FOLDER` takes the folder of shared tables (hitchhikers, gadre,
model_ladder, revisiting). A task is a family cut at some size; families of fewer than three smaller sizes
cannot determine a law and are left out. The family is the unit of every average. The widening of the
recommended band is calibrated on all other suites (a suite is what shares runs: all of Pythia is one) and
judged on the one left out; the library's constants are what all suites together ask for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.engine.predict import predict
from scaling_jax.uncertainty.draws import extrapolation, run_residuals

LEVEL, REPLICATES = 0.9, 200
GRID = np.geomspace(0.2, 6, 200)
OWN = 0.15  # error of a law per decade beyond the data, beside the mean curve's half-width
BINS = [-1.0, 0.35, 0.7, 1.1, 9.0]
SINGLE = ("bloom", "opt")  # one checkpoint per model, all on the same tokens: a law in size alone
LAWS = {
    "chinchilla": (sj.laws.chinchilla, {"N": "N", "D": "D"}, "run"),
    "size": (sj.laws.power_law_floor, {"x": "N"}, None),
}
ORDER = ["190M", "370M", "760M", "1.3B", "7B-4T", "13B-5T"]


def thinned(rows: pd.DataFrame, by: str, most: int) -> pd.DataFrame:
    """At most so many rows, evenly spaced on the logarithm, the last one kept."""
    rows = rows.sort_values(by)
    if len(rows) <= most:
        return rows
    at = np.log(rows[by].to_numpy())
    return rows.iloc[
        np.unique([*(np.abs(at - e).argmin() for e in np.linspace(at[0], at[-1], most)[:-1]), len(rows) - 1])
    ]


def task(suite: str, family: str, cut: str, train: pd.DataFrame, target: pd.Series, law: str) -> pd.DataFrame:
    """The training rows and, with weightless mark `held_out`, the run to predict."""
    both = pd.concat(
        [train.assign(held_out=False), target.to_frame().T.assign(held_out=True)]
    ).infer_objects()
    return both.assign(suite=suite, family=family, task=f"{family}|{cut}", law=law)


def hitchhikers(folder: Path) -> list[pd.DataFrame]:
    exact = (
        pd.read_csv(folder / "hitchhikers/checkpoints.csv.gz").dropna(subset="family").assign(digitised=False)
    )
    read = pd.read_csv(folder / "hitchhikers/digitised_curves.csv.gz").assign(digitised=True)
    read = read[read["family"].isin(["LLaMA", "Striped Hyena 1-11"])]
    read = read[read["tokens_seen"] > 0.03 * read.groupby("model")["tokens_seen"].transform("max")]
    place = (
        np.log(read["tokens_seen"]).groupby(read["model"]).rank(pct=True).mul(8).clip(upper=7.99).astype(int)
    )
    read = read.groupby(["family", "model", place]).agg(
        {"tokens_seen": "median", "loss": "median", "n_params": "first", "digitised": "first"}
    )
    table = pd.concat([exact, read.droplevel(2).reset_index()]).rename(
        columns={"n_params": "N", "tokens_seen": "D", "model": "run"}
    )
    out = []
    for family, rows in table.groupby("family"):
        if family not in (*SINGLE, "chinchilla") and not rows["digitised"].any():
            rows = rows[rows["D"] > 1e10]
        sizes = np.sort(rows["N"].unique())
        if len(sizes) < 4:
            continue
        target = rows.sort_values(["N", "D"]).iloc[-1][["N", "D", "loss", "run"]]
        kept = pd.concat([thinned(part, "D", 8) for _, part in rows.groupby("run")])[
            ["N", "D", "loss", "run"]
        ]
        cuts = (
            range(3, len(sizes))
            if len(sizes) < 10
            else np.unique(np.geomspace(3, min(len(sizes) - 1, 16), 4).astype(int))
        )
        suite = "pythia" if "pythia" in family else "mad" if rows["digitised"].any() else family
        law = "size" if family in SINGLE else "chinchilla"
        out += [task(suite, family, str(k), kept[kept["N"] <= sizes[k - 1]], target, law) for k in cuts]
    return out


def gadre(folder: Path) -> list[pd.DataFrame]:
    table = pd.read_csv(folder / "gadre/models.csv").rename(
        columns={"n_params": "N", "tokens": "D", "name": "run"}
    )
    out = []
    for (dataset, rows), loss in (
        (g, y) for g in table.groupby("dataset") for y in ("loss_c4_eval", "loss_openlm", "loss_paloma_c4_en")
    ):
        sizes = np.sort(rows["N"].unique())
        rows = rows.assign(loss=rows[loss])[["N", "D", "loss", "run"]]
        target = rows[rows["N"] == sizes[-1]].iloc[0]
        out += [
            task(
                "gadre",
                f"gadre {dataset}",
                f"{loss}|{k}",
                rows[rows["N"] <= sizes[k - 1]],
                target,
                "chinchilla",
            )
            for k in (3, 4, 5)
        ]
    return out


def ladder(folder: Path) -> list[pd.DataFrame]:
    table = pd.read_csv(folder / "model_ladder/final_runs.csv").rename(
        columns={"n_params": "N", "tokens": "D"}
    )
    out = []
    for name, rows in table.groupby("task"):
        rows = rows.assign(run=rows["model"] + rows["run"].fillna(""))
        target = rows[rows["model"] == ORDER[-1]].iloc[0][["N", "D", "loss", "run"]]
        for k in (3, 4, 5):
            train = rows[rows["model"].isin(ORDER[:k])][["N", "D", "loss", "run"]]
            out.append(task("ladder", f"ladder {name}", str(k), train, target, "chinchilla"))
    return out


def learning_curves(folder: Path) -> list[pd.DataFrame]:
    table = pd.read_csv(folder / "revisiting/learning_curves.csv")
    out = []
    for (domain, name, model), rows in table.groupby(["domain", "task", "model"]):
        rows = (
            rows.groupby("seen_examples", as_index=False)["loss"]
            .mean()
            .rename(columns={"seen_examples": "N"})
            .assign(D=1.0, run="")
        )
        family = f"{domain} {name.split('_')[0]}" if domain in ("IC", "BB") else domain
        for halvings in (1, 2, 3, 4):
            train = thinned(rows[rows["N"] <= rows["N"].max() / 2**halvings], "N", 16)
            if len(train) >= 6:
                out.append(task(domain, family, f"{name}|{model}|{halvings}", train, rows.iloc[-1], "size"))
    return out


def measured(tasks: pd.DataFrame, law: sj.Law, inputs: dict[str, str], run: str | None) -> pd.DataFrame:
    """Per task and method: both ends relative to the prediction, in logarithms, and what really happened."""
    train = tasks[~tasks["held_out"].astype(bool)]
    fits = sj.fit_groups(law, train, by="task", inputs=inputs, run=run, weights="runs" if run else None)
    resampled = {
        "rows": fits.bootstrap(REPLICATES, method="row"), "runs": fits.bootstrap(REPLICATES, method="run"),
        "default": fits.bootstrap(REPLICATES),
    }  # fmt: skip
    rng, out = np.random.default_rng(0), []
    for _, one in tasks[tasks["held_out"].astype(bool)].iterrows():
        fit = fits[one["task"]]
        if fit.reason:
            continue
        at = {name: np.array([float(one[column])]) for name, column in inputs.items()}
        point = np.log(predict(law, fit.numbers, at)[0, 0])
        scatter = rng.choice(run_residuals(fit), REPLICATES)
        draws = {key: np.log(predict(law, d[one["task"]].numbers, at)[:, 0]) for key, d in resampled.items()}
        draws["default + residual"] = draws["default"] - scatter
        common = {
            "suite": one["suite"],
            "family": one["family"],
            "task": one["task"],
            "decades": extrapolation(fit, at)[0],
            "error": np.log(float(one["loss"])) - point,
            "scale": np.sqrt(np.mean(run_residuals(fit) ** 2)),
        }
        for method, found in draws.items():
            lower, upper = np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - point
            out.append({**common, "method": method, "lower": lower, "upper": upper})
    return pd.DataFrame(out)


def covers(table: pd.DataFrame) -> np.ndarray:
    return ((table["lower"] <= table["error"]) & (table["error"] <= table["upper"])).to_numpy()


def macro(ok: np.ndarray, table: pd.DataFrame, by: str = "family") -> float:
    return float(pd.Series(ok, index=table.index).groupby(table[by]).mean().mean())


def reaching(table: pd.DataFrame, factor: np.ndarray | float) -> pd.DataFrame:
    """Bands that reach at least so many times the mean curve's half-width and the law's own error."""
    by = factor * (table["half"] + OWN * table["decades"])
    return table.assign(lower=np.minimum(table["lower"], -by), upper=np.maximum(table["upper"], by))


def calibrated(table: pd.DataFrame) -> float:
    """The smallest factor whose coverage reaches the level, suites counting alike."""
    enough = [macro(covers(reaching(table, q)), table, "suite") >= LEVEL for q in GRID]
    return float(GRID[int(np.argmax(enough))]) if any(enough) else float(GRID[-1])


def bases(results: pd.DataFrame) -> pd.DataFrame:
    """What the recommended band is made from: scatter added, and the mean curve's half-width beside it."""
    mean, base = (
        results[results["method"] == method].reset_index(drop=True)
        for method in ("default", "default + residual")
    )
    return base.assign(half=(mean["upper"] - mean["lower"]) / 2)


def with_recommended(results: pd.DataFrame) -> pd.DataFrame:
    base = bases(results)
    factor = base["suite"].map(
        {suite: calibrated(base[base["suite"] != suite]) for suite in base["suite"].unique()}
    )
    widened = reaching(base, factor).assign(method="recommended, suite left out")
    return pd.concat([results, widened.drop(columns="half")], ignore_index=True)


def interval_score(table: pd.DataFrame) -> np.ndarray:
    """Width plus 2 / (1 - level) times the miss, in logarithms."""
    miss = np.maximum(table["lower"] - table["error"], 0) + np.maximum(table["error"] - table["upper"], 0)
    return (table["upper"] - table["lower"] + 2 / (1 - LEVEL) * miss).to_numpy()


def report(results: pd.DataFrame, constant: float) -> str:
    results = results.assign(covered=covers(results), width=results["upper"] - results["lower"])
    results["beyond"] = pd.cut(results["decades"], BINS, labels=["< 2x", "2-5x", "5-13x", "> 13x"])
    order = list(dict.fromkeys(results["method"]))
    rows = {}
    for method in order:
        mine = results[results["method"] == method]
        row = {
            "all": macro(mine["covered"].to_numpy(), mine),
            "by suite": mine.groupby("suite")["covered"].mean().mean(),
            "score": macro(interval_score(mine), mine),
            "score by suite": macro(interval_score(mine), mine, "suite"),
        }
        for name, part in mine.groupby("beyond", observed=True):
            row[name] = macro(part["covered"].to_numpy(), part)
        rows[method] = {**row, "median width": mine["width"].median()}
        rows[method] |= {
            f"width {name}": part["width"].median() for name, part in mine.groupby("beyond", observed=True)
        }
    family = results.pivot_table(index="family", columns="method", values="covered", sort=False)[order]
    one = results[results["method"] == order[0]]
    return "\n".join([
        f"{len(one)} extrapolations, {one['family'].nunique()} families, "
        f"{one['suite'].nunique()} suites; nominal {LEVEL:.0%}",
        "macro average over families; widths and interval scores as logarithms; recommended: at least "
        f"{constant:.2f} x (half-width of the mean curve + {OWN} per decade), as all suites ask for",
        pd.DataFrame(rows).T.round(3).to_string(),
        "by family", family.round(2).to_string(),
    ])  # fmt: skip


def every_task(folder: Path) -> pd.DataFrame:
    return pd.concat(
        [*hitchhikers(folder), *gadre(folder), *ladder(folder), *learning_curves(folder)], ignore_index=True
    )


def main(folder: Path) -> None:
    tasks = every_task(folder)
    finish(
        pd.concat(
            [measured(part, *LAWS[law]) for (law, _), part in tasks.groupby(["law", "suite"])],
            ignore_index=True,
        )
    )


def finish(measurements: pd.DataFrame) -> None:
    results = with_recommended(measurements)
    constant = calibrated(bases(results))
    text = report(results, constant)
    print(text)
    save("coverage_real", text, {"factor": constant, "tasks": results.round(6).to_dict("list")})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
