"""Laws of learning-rate curves on loss curves under nine schedules, and what many long curves cost.

`python -m benchmarks.schedules [folder of the shared tables]` fits `laws.tissue` and `laws.multi_power` to
three schedules of each of three model sizes and predicts six others, with the numbers to be met beside;
scores the published constants; repeats the authors' AdamW and says how far it ends above the optimum, as
their constants do; times a warm fit of all nine from 32 starts; tells the error of views of a schedule by how
many stretches they have; and reads 1,000 curves of 50,000 updates.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import optax
import pandas as pd

import scaling_jax as sj
from benchmarks.report import peak_megabytes, save
from tests.cases.schedules import (
    CURVES,
    PUBLISHED,
    TISSUE,
    as_published,
    counting_warmup,
    fitted,
    scores,
    span,
)

LAWS = (sj.laws.tissue, sj.laws.multi_power)
OPTIMUM_R2 = [0.9974, 0.9968, 0.9961]  # of the true optimum on the six other schedules, by size
STARTS, KNOTS = 32, (8, 12, 16, 24, 32, 64)
RATES, UPDATES = (5e-2, 5e-3), 200  # of the authors' AdamW; the lower rate is theirs for exponents
AS_PRINTED = {25: 2.9e-4, 100: 2.8e-4, 400: 5.8e-4}  # summed Huber loss of the printed constants, by size


def of_tissue(curves: pd.DataFrame) -> pd.DataFrame:
    """Found and wanted at two momenta that are held, and what is found where the span is fitted."""
    rows = []
    for momentum in (0.998, 0.999):
        for size, found in fitted(sj.laws.tissue, curves, {"span": span(momentum)}).iterrows():
            params, objective, r2, mae = TISSUE[size, momentum]
            wanted = dict(zip(("L0 wanted", "A wanted", "alpha wanted"), params[:3], strict=True))
            wanted |= {"C wanted": params[3] / (1 - momentum), "objective wanted": objective}
            rows.append(
                {"momentum": momentum, "size": size, **found, **wanted, "R2 wanted": r2} | {"MAE wanted": mae}
            )
    free = fitted(sj.laws.tissue, curves).reset_index().assign(momentum="fitted")
    return pd.concat([pd.DataFrame(rows), free], ignore_index=True).set_index(["momentum", "size"])


def of_multi_power(curves: pd.DataFrame) -> pd.DataFrame:
    """What is found, free and at the published beta, beside the objective of the true optimum and its R2."""
    parts = []
    for beta in ("fitted", 0.6):
        found = fitted(sj.laws.multi_power, curves, None if beta == "fitted" else {"beta": beta})
        wanted = [PUBLISHED[size][2] if beta == "fitted" else None for size in found.index]
        r2 = [
            {25: 0.9974, 100: 0.9968, 400: 0.9961}[size] if beta == "fitted" else None for size in found.index
        ]
        parts.append(found.reset_index().assign(held=beta, **{"objective wanted": wanted, "R2 wanted": r2}))
    return pd.concat(parts, ignore_index=True).set_index(["held", "size"])


def as_printed(curves: pd.DataFrame) -> pd.DataFrame:
    """Scores of the published constants on the six schedules that they were not fitted to."""
    views, rows = counting_warmup(), []
    for size, (_, (r2, mae), _) in PUBLISHED.items():
        unseen = curves[(curves["size_m"] == size) & (curves["split"] == "test")]
        unseen = unseen.sort_values("schedule", kind="stable")
        told = [
            sj.laws.multi_power(one["step"].to_numpy(), views[name], **as_published(size))
            for name, one in unseen.groupby("schedule")
        ]
        found = scores(unseen, np.concatenate(told))
        rows.append({"size": size, **found, "R2 wanted": r2, "MAE wanted": mae})
    return pd.DataFrame(rows).set_index("size")


def of_adamw(curves: pd.DataFrame) -> pd.DataFrame:
    """Objectives over the certified optimum's: the best and the median of 32 starts after 200 updates."""
    rows = []
    for size, one in curves[curves["split"] == "train"].groupby("size_m"):
        asked = {"run": "schedule", "inputs": {"lr": CURVES}, "starts": STARTS}
        best = sj.fit(sj.laws.multi_power, one, **asked).objective_value
        row = {"size": size, "optimum": best, "printed": AS_PRINTED[size] / PUBLISHED[size][2]}
        for rate in RATES:
            solver = sj.Optax(optax.adamw(rate), steps=UPDATES)
            left = sj.fit(sj.laws.multi_power, one, solver=solver, screen=False, polish=False, **asked)
            ends = left.evidence.finished_value
            ends = ends[np.isfinite(ends)] / best
            row |= {f"best at {rate:g}": ends.min(), f"median at {rate:g}": np.median(ends)}
        rows.append(row)
    return pd.DataFrame(rows).set_index("size")


def of_views() -> pd.DataFrame:
    """The largest error of a loss, nats, by schedule and stretches, against a view of every update."""
    constants = as_published(25)
    rows = {}
    for name, rates in CURVES.items():
        steps = np.arange(2200, len(rates) + 1, 200)
        exact, *others = (
            sj.laws.multi_power(steps, sj.schedules.curve(rates, knots=k), **constants)
            for k in (min(len(rates), 4096), *KNOTS)
        )
        rows[name] = [float(np.abs(other - exact).max()) for other in others]
    return pd.DataFrame(rows, index=pd.Index(KNOTS, name="stretches")).T


def seconds_of_a_fit(law: sj.Law, curves: pd.DataFrame) -> tuple[float, float]:
    """Of nine schedules of every size at once, once the programs are there: wall and processor, the best
    of five."""
    took = []
    for _ in range(6):
        began, spent = time.perf_counter(), time.process_time()
        sj.fit_groups(law, curves, by="size_m", run="schedule", inputs={"lr": CURVES}, starts=STARTS)
        took.append((time.perf_counter() - began, time.process_time() - spent))
    return min(took[1:])


def cost_of_reading() -> tuple[float, float, float]:
    """Of 1,000 curves of 50,000 updates, 100 checkpoints each: seconds and megabytes beyond the rates of
    reading them, and the whole process's peak."""
    curves = {i: sj.schedules.cosine(50_000, 1e-3 * (1 + i / 1000), warmup=500) for i in range(1000)}
    step, run = np.tile(np.arange(500, 50_001, 500), 1000), np.repeat(np.arange(1000), 100)
    table = {"step": step, "run": run, "loss": 3.0 + 1.0 / step}
    before, spent = peak_megabytes(), time.process_time()
    sj.read_runs(sj.laws.tissue, table, run="run", inputs={"lr": curves})
    return time.process_time() - spent, peak_megabytes() - before, peak_megabytes()


def six(number: float) -> str:
    return f"{number:.6g}"


def main(folder: Path) -> None:
    took, more, peak = cost_of_reading()  # first: what fits take would hide its peak
    curves = pd.read_csv(folder / "lr_schedules/curves.csv")
    tables = {
        "tissue, three schedules fitted, R2 and MAE (nats/token) on six others": of_tissue(curves),
        "multi_power, the same; beta fitted, and held near the published values": of_multi_power(curves),
        "multi_power at the published constants, warm-up counted": as_printed(curves),
        f"multi_power by AdamW, {UPDATES} updates from {STARTS} starts and nothing after, as its authors "
        "fit: objectives in multiples of the optimum's, and that of the printed constants": of_adamw(curves),
        "error of a view by its stretches, nats": of_views(),
    }
    seconds = {law.name: seconds_of_a_fit(law, curves) for law in LAWS}
    said = [f"{title}\n\n{table.to_string(float_format=six, na_rep='')}\n" for title, table in tables.items()]
    said += [
        f"{name}: fit of 9 schedules of 3 sizes from {STARTS} starts, warm: {wall:.2f} s, {cpu:.2f} s of "
        "processors (wanted: 2 s)"
        for name, (wall, cpu) in seconds.items()
    ]
    said += [
        f"1,000 curves of 50,000 updates, 100,000 checkpoints: read in {took:.1f} s of a processor, "
        f"{more:.0f} MB beside the rates' 400; peak of the process {peak:.0f} MB (wanted: below 1,000)"
    ]
    text = "\n".join(said)
    print(text)
    plain = {title: table.reset_index().astype(object) for title, table in tables.items()}
    record = {title: t.where(t.notna(), None).to_dict("records") for title, t in plain.items()}
    save("schedules", text, record | {"fit_s": seconds, "read_s": took, "read_mb": more, "peak_mb": peak})


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))
