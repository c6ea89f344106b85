"""Published allocations, each beside what `sj.plan` answers; random problems beside a fine grid; and seconds.

    python -m benchmarks.allocations [FOLDER] [--problems 12] [--save]

FOLDER holds the public tables (for the points of Llama 3's figure); without it those rows are left out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from scaling_jax.planning.source import Source
from tests.cases import plans
from tests.cases.catalogue import JOINT_MOE

LAW = sj.laws.chinchilla
R = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
H = dict(sj.published["hoffmann2022_tex"].params)
S = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.336, "beta": 0.283}
REPEATED = sj.published["muennighoff2023"]
KAPLAN = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
BUDGETS, DRAWS = 20, 1000


class Row(NamedTuple):
    """One published number, and ours."""

    source: str
    what: str
    wanted: float
    found: float


def run_of(source: Any, **asked: Any) -> pd.Series:
    return sj.plan(source, level=None, **asked).table.iloc[0]


def smaller() -> Iterator[Row]:
    tables = {
        "Hoffmann": (H, {2: 1.210187, 4: 2.934729, 8: 125.8109}),
        "replication": (R, {2: 1.259304, 4: 4.465323}),
    }
    for name, (params, factors) in tables.items():
        plan = sj.plan((LAW, params), flops=1e21)
        for times, factor in factors.items():
            yield Row(
                name, f"compute for a model {times} times smaller", factor, plan.smaller(times)["factor"][0]
            )
    best = sj.plan((LAW, R), flops=1e23)
    yield Row(
        "replication", "compute for 8e9 at the loss of 1e23 FLOP", 3.3964248, best.off(N=8e9)["factor"][0]
    )
    yield Row("replication", "FLOP for a loss of 2.0", 2.4748025e23, run_of((LAW, R), loss=2.0)["flops"])
    capped = sj.plan((LAW, R), flops=1e24, limits={"D": (None, 1e12)})
    yield Row("replication", "loss of 1e24 FLOP on 1e12 tokens", 1.962504, capped.table["loss"][0])
    price = capped.multipliers.set_index("limit")["price"]["D <= 1e+12"]
    yield Row("replication", "fall of that loss per e-fold of tokens", 0.010143946, price)


def efficiency() -> Iterator[Row]:
    """Least compute for a published model's loss over what it took, by the replication's law."""
    models = {
        "GPT-3": (175e9, 300e9, 0.6081),
        "Gopher": (280e9, 300e9, 0.4970),
        "Chinchilla": (70e9, 1.4e12, 0.9994),
        "Llama-2-7B": (6.74e9, 2e12, 0.5295),
        "Llama-3-8B": (8.03e9, 15e12, 0.1818),
        "Llama-3-405B": (405e9, 15.6e12, 0.9387),
    }
    for name, (N, D, wanted) in models.items():
        least = run_of((LAW, R), loss=float(LAW(N, D, **R)))["flops"]
        yield Row("replication", f"allocative efficiency of {name}", wanted, least / (6 * N * D))


def served() -> Iterator[Row]:
    """Sardana et al. 2024: models that will be served, in FLOP and in dollars."""
    for size, tokens, N, D, ratio in (
        (1e9, 1e10, 8.63532e8, 3.39828e10, 0.992323), (1e9, 1e11, 5.39401e8, 6.25663e10, 0.828013),
        (7e9, 1e12, 3.78980e9, 6.30861e11, 0.830153), (13e9, 2e12, 7.12031e9, 1.29514e12, 0.836791),
        (30e9, 1e13, 1.39336e10, 4.57641e12, 0.734132), (70e9, 2e12, 5.86061e10, 5.52928e12, 0.988459),
        (70e9, 1e13, 4.24598e10, 8.28178e12, 0.890165),
    ):  # fmt: skip
        a, b = H["alpha"], H["beta"]
        flops = 6 * (size / (a * H["A"] / (b * H["B"])) ** (1 / (a + b))) ** ((a + b) / b)
        base = run_of((LAW, H), flops=flops)
        best = run_of((LAW, H), loss=base["loss"], cost=sj.cost.training() + sj.cost.serving(tokens=tokens))
        what = f"{size:.0e} served {tokens:.0e}"
        yield Row("Sardana", f"{what}: N", N, best["N"])
        yield Row("Sardana", f"{what}: D", D, best["D"])
        yield Row("Sardana", f"{what}: cost ratio", ratio, best["flops"] / (flops + 2 * base["N"] * tokens))
    whole = sj.cost.training() + sj.cost.serving(tokens=2e12)
    best = run_of((LAW, S), loss=1.947, cost=whole)
    yield Row("Sardana", "their example, N", 2.41836e10, best["N"])
    yield Row("Sardana", "their example, D", 2.65705e12, best["D"])
    money = (
        sj.cost.money(price=1.40, peak=3.12e14, mfu=0.5)
        + sj.cost.money(price=0.60, peak=6.24e14, mfu=0.4, of=sj.cost.serving(tokens=1e13))
        + sj.cost.money(price=0.60, peak=6.24e14, mfu=0.2, of=sj.cost.serving(tokens=2.5e12))
    )
    best = run_of((LAW, S), loss=1.947, cost=money)
    yield Row("Sardana", "their example in dollars, N", 2.05273e10, best["N"])
    yield Row("Sardana", "their example in dollars, D", 3.30212e12, best["D"])
    yield Row("Sardana", "their example, dollars", 1.42506e6, best["money"])


def repeated() -> Iterator[Row]:
    """Muennighoff et al. 2023, printed constants: epochs depend on C / U^2 alone."""
    for ratio, epochs in ((1, 1.9472), (4, 4.2683), (16, 9.4884), (100, 27.2086)):
        found = run_of(REPEATED, flops=ratio * 1e20, limits={"U": 1e10})
        yield Row("Muennighoff", f"epochs at C / U^2 = {ratio}", epochs, found["epochs"])
    for unique, N, epochs, loss in (
        (25e9, 6.81516e9, 9.0973, 2.225089), (5e9, 5.539e9, 55.96, 2.37877), (1e11, 8.292e9, 1.869, 2.19422),
    ):  # fmt: skip
        found = run_of(REPEATED, flops=9.3e21, limits={"U": unique})
        yield Row("Muennighoff", f"9.3e21 FLOP, {unique:.1e} unique: N", N, found["N"])
        yield Row("Muennighoff", f"9.3e21 FLOP, {unique:.1e} unique: epochs", epochs, found["epochs"])
        yield Row("Muennighoff", f"9.3e21 FLOP, {unique:.1e} unique: loss", loss, found["loss"])
    other = run_of(sj.published["muennighoff2023_optimum"], flops=9.3e21, limits={"U": 25e9})
    yield Row("Muennighoff", "the same at the other optimum of the fit: N", 3.64e9, other["N"])


def others() -> Iterator[Row]:
    """Precision, experts, ratios and hours."""
    bits = {
        "A": 4299.0, "B": 18060.0, "E": 2.7648, "alpha": 0.4965, "gamma_w": 2.6745, "gamma_a": 2.2102,
        "gamma_kv": 0.9578, "n_w": 0.3037, "n_a": 1.4072, "n_kv": 2.4185,
    }  # fmt: skip
    asked = {"cost": sj.cost.precision("P_w"), "limits": {"P_a": "P_w", "P_kv": "P_w"}}
    for flops in (1e20, 1e24):
        found = run_of((sj.laws.precision, bits), flops=flops, **asked)
        yield Row("Kumar", f"best bits for {flops:.0e} FLOP", 7.002, found["P_w"])
    for flops, experts, N, D in (
        (1e20, 1, 1.7e9, 9.7e9), (1e20, 8, 990e6, 17e9), (1e20, 32, 669e6, 24.9e9),
        (1e22, 1, 18.88e9, 88.3e9), (1e22, 32, 12.28e9, 135.7e9),
    ):  # fmt: skip
        found = run_of((sj.laws.joint_moe, JOINT_MOE), flops=flops, limits={"E": experts})
        yield Row("Ludziejewski", f"{flops:.0e} FLOP, {experts} experts: active N", N, found["N"])
        yield Row("Ludziejewski", f"{flops:.0e} FLOP, {experts} experts: D", D, found["D"])
    c4 = {"E": 1.5083, "a": 141.28, "b": 189.52, "eta": 0.12124}
    plan = sj.plan((sj.laws.overtraining, c4), flops=1e21)
    yield Row("Gadre", "best tokens per parameter on C4", 3.36, plan.table["M"][0])
    for times, factor in ((2, 1.02952), (8, 1.29615), (32, 2.02923)):
        yield Row(
            "Gadre",
            f"compute for {times} times as many",
            factor,
            plan.smaller(1 / times, of="M")["factor"][0],
        )
    hours = sj.cost.gpu_hours(peak=989e12, mfu=0.4)
    yield Row("hardware", "H100-hours of 1e24 FLOP", 702_168.3, float(hours(N=1.0, D=1e24 / 6)))
    gopher = run_of((LAW, H), flops=5.76e23)
    yield Row("Hoffmann", "N at Gopher's budget, constants unrounded", 40.4e9, gopher["N"])
    replicated = run_of(sj.published["besiroglu2024_huber"], flops=5.76e23)
    yield Row("replication", "N at Gopher's budget", 73.19e9, replicated["N"])
    yield Row("replication", "tokens per parameter there", 17.92, replicated["tokens_per_param"])


def llama(folder: Path) -> Iterator[Row]:
    """The points of Llama 3's figure 2, by parabolas in the logarithm of tokens."""
    file = next(iter(sorted((folder / "llama3_isoflop").glob("*.csv"))))
    runs = pd.read_csv(file)
    for words, rows, exponent, factor in (
        ("all ten budgets", runs, 0.5368, 0.2994),
        ("without the two largest", runs[runs["flops"] <= 1e21], 0.4993, 1.628),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = sj.isoflop(rows, budget="flops", N="params", D="tokens")
        line = found.exponents().loc["D"]
        yield Row("Llama 3", f"exponent of D*, {words}", exponent, line["estimate"])
        yield Row("Llama 3", f"factor of D*, {words}", factor, float(np.exp(line["intercept"])))
        if len(rows) == len(runs):
            plan = sj.plan(found, flops=4.0e25, level=None).table.iloc[0]
            yield Row("Llama 3", "D* for 4.0e25 FLOP", 16.5515e12, plan["D"])


def seconds() -> dict[str, float]:
    """Wall seconds of 20 budgets for 1,000 draws of a law without closed form, warm, the best of five."""
    rng, numbers = np.random.default_rng(0), sj.laws.kaplan.flatten(KAPLAN)
    many = Source(sj.laws.kaplan, numbers, numbers * np.exp(0.02 * rng.standard_normal((DRAWS, 4))))
    flops, taken = np.geomspace(1e18, 1e26, BUDGETS), []
    for _ in range(6):
        begin, used = time.perf_counter(), time.process_time()
        plan = sj.plan(many, flops=flops)
        taken.append((time.perf_counter() - begin, time.process_time() - used))
    assert plan.drawn is not None
    first, *warm = taken
    return {
        "first": first[0],
        "warm": min(wall for wall, _ in warm),
        "warm_cpu": min(cpu for _, cpu in warm),
        "worst_residual": float(plan.drawn.residual.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--problems", type=int, default=12)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    parts = [smaller(), efficiency(), served(), repeated(), others()]
    if asked.folder is not None and (asked.folder / "llama3_isoflop").is_dir():
        parts.append(llama(asked.folder))
    table = pd.DataFrame([row for part in parts for row in part], columns=Row._fields)
    table["apart"] = table["found"] / table["wanted"] - 1
    lines = [
        "Published allocations and what sj.plan answers",
        table.to_string(index=False, float_format="{:.7g}".format),
    ]
    took = seconds()
    lines += [
        "",
        f"{BUDGETS} budgets x {DRAWS} draws of Kaplan's law, warm: {took['warm_cpu']:.2f} s of CPU, "
        f"{took['warm']:.2f} s by the clock, {took['first']:.1f} s the first time; worst residual "
        f"{took['worst_residual']:.1g}",
    ]
    print("\n".join(lines), flush=True)
    grid = plans.table(list(plans.PAIRS), asked.problems)
    solved = grid[grid["plan"].notna()]
    said = (
        f"{len(grid)} random problems of {grid['law'].nunique()} laws beside a fine grid: "
        f"{int(grid['agree'].sum())} agree, {int((grid['gap'] > 1e-9).sum())} grid nodes are better; worst "
        f"residual {solved['residual'].max():.1g}; {grid['binding'].nunique()} sets of limits bind"
    )
    print("\n" + said)
    if asked.save:
        record = {"rows": table.to_dict("records"), "seconds": took, "grid": grid.to_dict("records")}
        save("allocations", "\n".join([*lines, "", said]), record)


if __name__ == "__main__":
    main()
