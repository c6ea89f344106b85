"""Repeated sampling: seven Pythias fitted whole, and 10,000 samples forecast from few.

`python -m benchmarks.repeated_sampling FOLDER [--save]` takes the folder of shared tables (successes of
10,000 samples of 128 MATH problems, Brown et al. 2024, arXiv:2407.21787). It prints the beta-binomial fits,
then how often nominal 90 % intervals from few samples, drawn without replacement, held the share that all
10,000 solved; and the same for tables simulated from the law itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save

SAMPLES = (30, 100, 300, 1000)
THINNINGS = 10
SIMULATED = 200
LAWS = ((0.25, 15.0), (0.08, 60.0), (0.5, 5.0))


def main(folder: Path, keep: bool) -> None:
    table = pd.read_csv(folder / "repeated_sampling/successes.csv")
    table = table[table["benchmark"] == "MATH"]
    whole = sj.repeated_sampling(table, successes="correct", trials="n", by="model").table
    real = pd.concat([_thinned(table, n) for n in SAMPLES]).round(3)
    simulated = pd.DataFrame([_simulated(*law) for law in LAWS]).round(3)
    text = "\n\n".join([
        f"Beta-binomial, 128 problems x 10,000 samples\n{whole.to_string()}",
        f"Share solved by 10,000 samples, forecast from few: means over {THINNINGS} thinnings, nominal 90 %\n"
        f"{real.to_string(index=False)}\nheld, all models: "
        + ", ".join(f"{n} samples {h:.2f}" for n, h in real.groupby("samples")["held"].mean().items()),
        f"The same from 100 samples of {SIMULATED} simulated tables of 128 problems\n"
        f"{simulated.to_string(index=False)}",
    ])  # fmt: skip
    print(text)
    if keep:
        records = (whole.reset_index(), real, simulated)
        save("repeated_sampling", text, [one.to_dict("records") for one in records])


def _thinned(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Forecasts from n of each problem's samples: one row per model."""
    rng = np.random.default_rng(n)
    many = pd.concat([table.assign(draw=i) for i in range(THINNINGS)], ignore_index=True)
    few = rng.hypergeometric(many["correct"], many["n"] - many["correct"], n)
    many = many.assign(trials=n, successes=few, key=many["model"] + "|" + many["draw"].astype(str))
    found = sj.repeated_sampling(many, by="key").pass_at(1e4)
    found["model"] = found["group"].str.split("|").str[0]
    truth = (table["correct"] > 0).groupby(table["model"]).mean()
    found["solved"] = found["model"].map(truth)
    return _held(found).groupby("model", as_index=False)[COLUMNS].mean().assign(samples=n)


def _simulated(alpha: float, beta: float) -> dict[str, float]:
    """How often forecasts and intervals of alpha hold where the law is true."""
    rng = np.random.default_rng(0)
    rates = rng.beta(alpha, beta, (SIMULATED, 128))
    counts = {
        "table": np.repeat(np.arange(SIMULATED), 128),
        "trials": 100,
        "successes": rng.binomial(100, rates).ravel(),
    }
    found = sj.repeated_sampling(counts, by="table")
    solved = (rng.binomial(10_000, rates) > 0).mean(axis=1)
    forecast = _held(found.pass_at(1e4).assign(solved=solved))
    ends = found.conf_int()
    known = (ends["alpha lower"] <= alpha) & (alpha <= ends["alpha upper"])
    of_beta = (ends["beta lower"] <= beta) & (beta <= ends["beta upper"])
    return {"alpha": alpha, "beta": beta, **forecast[COLUMNS].mean().to_dict(),
            "alpha held": known.mean(), "beta held": of_beta.mean()}  # fmt: skip


COLUMNS = ["solved", "predicted", "lower", "upper", "error", "held"]


def _held(found: pd.DataFrame) -> pd.DataFrame:
    inside = (found["lower"] <= found["solved"]) & (found["solved"] <= found["upper"])
    return found.assign(held=inside.astype(float), error=(found["predicted"] - found["solved"]).abs())


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--save" in sys.argv)
