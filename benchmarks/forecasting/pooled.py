"""The pooled posterior as a rival: the families of a suite lend each other their exponents, and the largest
run of each is foretold from what the posterior makes of it, beside the forecast's committed errors on the
same tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

import scaling_jax as sj
from scaling_jax.forecasting.lessons import Past

__all__ = ["beside_the_forecast"]

COMMITTED = Path(__file__).parents[1] / "results/forecasting.json"
LAWS = {("N", "D"): (sj.laws.chinchilla, ["alpha", "beta"]), ("x",): (sj.laws.power_law_floor, ["alpha"])}


def beside_the_forecast(past: Sequence[Past]) -> tuple[str, pd.DataFrame]:
    """The printed comparison, and a row per task."""
    table = pd.DataFrame(json.loads(COMMITTED.read_text())["results"]["tasks"])
    told = [(one.suite, one.curve) for one in past]
    if list(zip(table["suite"], table["curve"], strict=True)) != told:
        raise ValueError("the committed forecasts are of other tasks: run `forecasting FOLDER` first")
    table["forecast"] = table["error"].abs()
    place = table.groupby("curve").cumcount()
    last = table.groupby("curve")["error"].transform("size") - 1
    table["cut"] = np.where(place == last, "longest", np.where(place == 0, "shortest", ""))
    for (suite, cut), part in table[table["cut"] != ""].groupby(["suite", "cut"], sort=False):
        if len(part) > 1:
            seen = pooled([past[i] for i in part.index])
            table.loc[part.index, ["pooled", "lower", "upper", "alone"]] = seen
            print(suite, cut, f"{len(part)} families", flush=True)
    truth = np.array([one.truth for one in past])
    table["covered"] = np.where(
        table["pooled"].notna(), (table["lower"] <= truth) & (truth <= table["upper"]), np.nan
    )
    for name in ("pooled", "alone"):
        table[name] = (table[name] - truth).abs()
    table = table.dropna(subset="pooled")
    by_suite = table.groupby("suite")[["pooled", "alone", "forecast", "covered"]].mean()
    by_family = table.groupby("family")[["pooled", "alone", "forecast", "covered"]].mean()
    means = pd.DataFrame({"by family": by_family.mean(), "by suite": by_suite.mean()}).T
    p = wilcoxon(by_suite["pooled"], by_suite["forecast"]).pvalue
    text = "\n".join([
        f"absolute log error of {len(table)} extrapolations in {len(by_suite)} suites, and how often the",
        "pooled posterior's 90 % interval held; alone: the same law without pooling, at its optimum",
        means.round(4).to_string(), "", by_suite.round(4).to_string(), "",
        f"the forecast is nearer in {(by_suite['forecast'] < by_suite['pooled']).sum()} of {len(by_suite)} "
        f"suites (Wilcoxon's signed ranks: p = {p:.2g})",
    ])  # fmt: skip
    return text, table


def pooled(past: Sequence[Past]) -> np.ndarray:
    """(tasks, 4) log prediction, its 90 % interval for a new run, and the optimum's own prediction."""
    law, exponents = LAWS[past[0].known.names]
    parts = [
        pd.DataFrame(np.exp(one.known.inputs), columns=list(one.known.names)).assign(
            loss=np.exp(one.known.target),
            run=one.known.run if one.known.run is not None else np.arange(len(one.known.target)),
            task=i,
        )
        for i, one in enumerate(past)
    ]
    effects = any(part["run"].duplicated().any() for part in parts)
    rows = pd.concat(parts, ignore_index=True)
    fits = sj.fit_groups(law, rows, by="task", run="run" if effects else None)
    found = fits.posterior(pool=exponents, method="laplace", draws=400)
    out = np.full((len(past), 4), np.nan)
    for i, one in enumerate(past):
        at = dict(zip(one.known.names, np.exp(one.point)[:, None], strict=True))
        if i in found:
            band = found[i].predict(at, interval="prediction").iloc[0]
            out[i] = np.log([*band[["prediction", "lower", "upper"]], float(fits[i].predict(at)[0])])
    return out
