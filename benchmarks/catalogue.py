"""The catalogue's laws on published tables, each figure reached beside the one that is known.

`python -m benchmarks.catalogue [FOLDER] [--save]` takes the folder of shared tables and prints what no
other command does: learning rates and batches, experts, repeats, vocabularies, Farseer, distillation,
quantisation, parallel streams, and SLDBench's scorer. `benchmarks.schedules`, `mixtures`,
`repeated_sampling` and `sldbench` print theirs. A figure is held `within` a tolerance of the known one; an
objective may be below it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling_jax as sj
from benchmarks.report import save
from benchmarks.sldbench import TASKS, UNTIED, Candidate, foretold, read, score

FOLDER = Path("../shared/data")
REPEATS = {  # Huber objectives of 161 runs
    "data_constrained": 0.00623214,
    "data_constrained_overfit": 0.00477532,
    "power_sum": 0.00655891,
    "data_constrained_saturated": 0.00620127,
    "chinchilla": 0.00865038,
}
CLARK_POOLED = {"a": -0.0900842, "b": -0.140491, "c": 0.0056320, "d": 2.70385}  # of natural logarithms
CLARK_POOLED |= {"E_start": 3.870, "E_max": 385.9}
CLARK_POOLED |= {"c": CLARK_POOLED["c"] * np.log(10), "d": CLARK_POOLED["d"] / np.log(10)}
CLARK_ROUTERS = {"S-Base": 0.00322752, "RL-R": 0.00322925, "Hash": 0.00298166}
SPARSE = {4.6137344: 0.00348232, 2.3068672: 0.02637822, 1.1534336: 0.00730300}
STREAMS = {"stack": 3.67674055e-5, "pile": 1.81393159e-5}
STEP = {"settings": {"lr": ["N", "D"], "batch": ["D"]}}
REPEATED = {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.353, "R_D": 15.39, "R_N": 5.31}
OF_FOUR_DIGITS, OF_THREE_DIGITS = 2e-4, 2e-4  # what the last digit of the printed constants moves a score by
AT_MOST = 1e-6  # by which an objective counts as the same
WORDS_IN_THOUSANDS = 1e3
ALL_WORDS = 1054  # rows with compute enough, of every vocabulary


@dataclass(frozen=True)
class Figure:
    """One number: what it is, what is known of it, what was reached, and how near it must be."""

    of: str
    what: str
    known: float
    reached: float
    within: float
    one_sided: bool = False

    @property
    def holds(self) -> bool:
        return self.reached <= self.known + self.within if self.one_sided else self.gap <= self.within

    @property
    def gap(self) -> float:
        return abs(self.reached - self.known)


Figures = Iterator[Figure]


def objective(of: str, what: str, known: float, reached: float, relative: float = AT_MOST) -> Figure:
    """A figure that may be lower than the known one."""
    return Figure(of, what, known, reached, relative * known, one_sided=True)


def near(of: str, what: str, known: float, reached: float, relative: float) -> Figure:
    return Figure(of, what, known, reached, relative * abs(known))


def train(folder: Path, name: str) -> pd.DataFrame:
    table = pd.read_csv(folder / name)
    return table[table["split"] == "train"]


def step_law(folder: Path) -> Figures:
    """Optimal rates and batches by Step Law's protocol, of SLDBench's rows and of those released alone."""
    columns = {"data_size": "D", "non_embedding_param_size": "N", "lm_loss": "loss"}
    runs = train(folder, "sldbench/lr_bsz.csv.gz").rename(columns=columns)
    found = sj.sweep_optima(runs.assign(batch=runs["bsz"] * 2048), **STEP)
    lr, batch = {"A": 1.586, "p_N": -0.7081, "p_D": 0.3088}, {"A": 0.4605, "p_D": 0.5812}
    yield from _of_step("Step Law, 2,702 runs", found, 231, lr, batch)
    alone = pd.read_csv(folder / "step_law/dense.csv.gz")
    alone = alone.assign(batch=alone["batch_sequences"] * 2048)
    found = sj.sweep_optima(alone, **STEP, loss="smooth_loss")
    yield from _of_step(
        "Step Law, released runs", found, 129, {"p_N": -0.7662, "p_D": 0.1970}, {"p_D": 0.6125}
    )
    said = pd.read_csv(folder / "step_law/bootstrap_published.csv.gz").mean(numeric_only=True).to_numpy()
    for known in (-0.7129, 0.3075, 0.5709):
        yield Figure("Step Law, bootstrap", "mean exponent", known, said[np.abs(said - known).argmin()], 1e-4)


def _of_step(of: str, found: Any, kept: int, lr: dict[str, float], batch: dict[str, float]) -> Figures:
    yield Figure(of, "runs kept", kept, len(found.optima), 0)
    for setting, known in (("lr", lr), ("batch", batch)):
        for name, value in known.items():
            within = 1e-3 * value if name == "A" else 1e-4
            yield Figure(of, f"{setting} {name}", value, found.params.loc[setting, name], within)


def timescale(folder: Path) -> Figures:
    """Weight decay in proportion to the batch, and the timescale at ten times the tokens per parameter."""
    law = sj.laws.adamw_timescale
    decay = law(1e9, [2e10, 2e11], [1e5, 2e5], 1e-3, c=1.0, m=-0.527)
    twice = law(1e9, 2e10, 2e5, 1e-3, c=1.0, m=-0.527) / decay[0]
    yield Figure("AdamW timescale", "decay at twice the batch", 2.0, float(twice), 1e-12)
    tau = np.array([1e5, 2e5]) / (1e-3 * np.array([2e10, 2e11]) * decay)
    yield Figure("AdamW timescale", "ratio at ten times D/N", 0.2972, tau[1] / tau[0], 1e-4)


def experts(folder: Path) -> Figures:
    """Clark's law of three routers and of all pooled, up-cycled models, and constants that were printed."""
    runs = pd.read_csv(folder / "routed_lm/final_losses.csv")
    runs = runs[runs["in_headline_fit"] == 1]
    inputs = {"N": "dense_parameter_count", "E": "num_experts"}
    for router, known in CLARK_ROUTERS.items():
        rows = runs[runs["router_type"].isin([router, "Dense"])]
        fit = sj.fit(
            sj.laws.routed, rows, inputs=inputs, target="loss_validation", objective=sj.SquaredError()
        )
        rmse = np.sqrt(fit.objective_value / len(rows)) / np.log(10)
        yield objective(f"Clark, {router}", "rms of log10 residuals", known, rmse, 1e-3)
    pooled = train(folder, "sldbench/moe.csv.gz")
    fit = sj.fit(sj.laws.routed, pooled, inputs=inputs, target="loss_validation", objective=sj.SquaredError())
    yield objective("Clark, pooled", "half the sum of squares", 0.03908038, fit.objective_value / 2)
    grown = train(folder, "scalebench/sparsity.csv")
    fits = sj.fit_groups(
        sj.laws.interaction, grown, by="D2", inputs={"x1": "P", "x2": "N_active"},
        objective=sj.SquaredError(on="raw"),
    )  # fmt: skip
    for tokens, known in SPARSE.items():
        half = fits[tokens].objective_value / 2
        yield near("sparsity", f"half the sum of squares, {tokens:.2f}e9 tokens", known, half, 1e-4)
    joint = dict(sj.published["ludziejewski2025"].params)
    for E, known in {1: (30.364, 0.1817, 53.984, 0.1965), 8: (21.84, 0.1676, 119.84, 0.2339)}.items():
        at = sj.laws.joint_moe_at(E, **joint)
        for name, value in zip(("A", "alpha", "B", "beta"), known, strict=True):
            yield near(f"joint law, {E} experts", name, value, float(at[name]), 3e-3)
    ling = sj.published["ling2025"]
    yield Figure("efficiency leverage", "A .031, G 12, 1e22", 7.245, float(ling(0.031, 12, 1e22)), 1e-3)
    best = 2 ** (-ling.params["beta"] / (2 * ling.params["gamma"]))
    yield Figure("efficiency leverage", "best granularity", 11.3, best, 0.05)


def repeats(folder: Path) -> Figures:
    """Five laws of repeated data on the same runs."""
    runs = train(folder, "sldbench/data_constrained.csv.gz")
    for name, known in REPEATS.items():
        law = sj.laws.power_sum("N", "D", "U") if name == "power_sum" else getattr(sj.laws, name)
        fit = sj.fit(
            law,
            runs,
            inputs={key: UNTIED[key] for key in law.inputs},
            fixed={"L_0": np.log(50257)} if "L_0" in law.params else None,
        )
        yield objective(name, "Huber 1e-3 on logs", known, fit.objective_value)


def vocabularies(folder: Path) -> Figures:
    """Tao's objective at the printed constants and at the optimum; SLDBench's powers and their logarithm."""
    runs = pd.read_csv(folder / "vocab/runs.csv.gz")
    tao = sj.published["tao2024"]
    runs = runs.assign(
        N=runs["Non_vocab_parameters"],
        V=runs["vocab_size"] * runs["embed_dim"],
        D=runs["num_characters"] * sj.laws.tokens_per_character(runs["vocab_size"] / WORDS_IN_THOUSANDS),
        loss=runs["Lossu"],
    )
    runs = runs[runs["FLOPs"] >= 2.18e17]
    at = sj.certify(tao.law, runs, params=dict(tao.params), **tao.protocol).objective_value
    fit = sj.fit(tao.law, runs, **tao.protocol).objective_value
    if len(runs) == ALL_WORDS:
        yield near("vocabulary, as coded", "Huber 1e-3 at the printed constants", 0.06229175, at, 1e-7)
        yield objective("vocabulary, as coded", "Huber 1e-3", 0.06229135, fit)
    else:
        yield objective(f"vocabulary, {len(runs)} of {ALL_WORDS} rows", "Huber 1e-3, as printed", at, fit)
    yield from logarithmic(folder)


def logarithmic(folder: Path) -> Figures:
    """Powers of seven parameters end at the law of logarithms, which has five."""
    runs = train(folder, "sldbench/vocab.csv.gz")
    inputs = {"N": "non_vocab_parameters", "V": "vocab_size", "D": "num_characters"}
    asked: dict[str, Any] = {"inputs": inputs, "target": "unigram_normalized_loss"}
    asked |= {"objective": sj.SquaredError(on="raw")}
    log = sj.fit(sj.laws.vocabulary_log, runs, **asked)
    powers = sj.fit(sj.laws.vocabulary, runs, starts=32, **asked)
    yield objective("vocabulary", "powers, beside logarithms", log.objective_value, powers.objective_value)
    near_log = {"alpha": 2e-5, "beta": -7e-6}
    there = sj.fit(sj.laws.vocabulary, runs, fixed=near_log, starts=32, **asked)
    yield near("vocabulary", "powers of 2e-5 and 7e-6", log.objective_value, there.objective_value, 1e-4)


def five_domains(folder: Path, most: int | None = None) -> Figures:
    """The power law of shares beside Ye's exponential, on the same losses, all or the first few."""
    runs = train(folder, "sldbench/domain_mixture.csv.gz")
    domains = [name for name in runs if name.startswith("proportion")]
    losses = [name for name in runs if name.startswith("loss")]
    asked: dict[str, Any] = {"by": "group"} if "group" in runs else {}
    for loss in losses[:most]:
        total = {}
        for form, make in (("exponential", sj.laws.mixing_exponential), ("power", sj.laws.mixing_power)):
            law = make(*domains)
            words: dict[str, Any] = {"target": loss, "objective": sj.Huber(0.01, on="raw")}
            fits = sj.fit_groups(law, runs, **asked, **words) if asked else {"": sj.fit(law, runs, **words)}
            total[form] = sum(fit.objective_value for fit in fits.values())
        yield objective(
            "five domains", f"{loss}, power, the exponential's", total["exponential"], total["power"]
        )


def farseer(folder: Path) -> Figures:
    """Errors of the printed constants, and what joint fits leave."""
    runs = pd.read_csv(folder / "scalebench/farseer.csv")
    entry = sj.published["li2025_farseer"]
    miss = 100 * np.abs(entry(runs["N"].to_numpy(), runs["D"].to_numpy()) / runs["loss"] - 1)
    fitted = runs["split"] == "train"
    yield Figure("Farseer, printed", "mean error, %, of 404 runs", 0.2263, miss[fitted].mean(), 1e-4)
    yield Figure("Farseer, printed", "mean error, %, of 7 larger", 0.4764, miss[~fitted].mean(), 1e-4)
    largest = runs.loc[runs["N"].idxmax()]
    told = float(entry(largest["N"], largest["D"]))
    yield Figure("Farseer, printed", "bits of the largest run", 0.440217, told, 1e-6)
    for what, known, way in (
        ("Huber 1e-3 on logs", 0.00039019, sj.Huber(1e-3)),
        ("half the squares of logs", 0.00062814, sj.SquaredError()),
    ):
        found = sj.fit(entry.law, runs[fitted], objective=way).objective_value
        yield objective("Farseer, refitted", what, known, found / (2 if way.kind == "squared" else 1))


def distillation(folder: Path) -> Figures:
    """Eight parameters where nine were printed, two of which are one."""
    runs = train(folder, "scalebench/distillation.csv")
    columns = {"N": "NS", "D": "DS", "L_T": "LT"}
    fit = sj.fit(sj.laws.distillation, runs, inputs=columns, target="LS", objective=sj.Huber(1e-4))
    yield objective(
        "distillation", "Huber 1e-4 on logs, eight parameters", 7.35918e-5, fit.objective_value, 2e-5
    )


def quantised(folder: Path) -> Figures:
    """Printed ratios of what activations and weights of four bits cost, and nothing in groups of one."""
    weights, activations = sj.published["chen2025qat_w4a16"], sj.published["chen2025qat_w16a4"]
    both = sj.published["chen2025qat_w4a4"]
    yield Figure("quantised training", "loss, 594e6, 1e11, 128", 0.05730, float(both(594e6, 1e11, 128)), 1e-5)
    for group, ratio, known in ((32, 100, 1.646), (32, 1000, 1.226), (256, 1000, 1.647)):
        run = (594e6, ratio * 594e6, group)
        found = float(activations(*run) / weights(*run))
        yield Figure(
            "quantised training", f"activations to weights, G {group}, D/N {ratio}", known, found, 1e-3
        )
    yield Figure("quantised training", "groups of one", 0.0, float(both(594e6, 1e11, 1)), 0)


def streams(folder: Path) -> Figures:
    """Parallel streams: the printed constants are the optimum."""
    losses = pd.read_csv(folder / "parscale/losses.csv")
    fits = sj.fit_groups(
        sj.laws.parallel_streams, losses, by="dataset", inputs={"N": "n_params", "P": "n_streams"}
    )
    for data, known in STREAMS.items():
        printed = sj.published[f"chen2025_{data}"].params
        yield objective(f"parallel streams, {data}", "Huber 1e-3 on logs", known, fits[data].objective_value)
        for name, within in {"E": 1e-3, "alpha": 5e-4, "k": 2e-3}.items():
            yield Figure(f"parallel streams, {data}", name, printed[name], fits[data].params[name], within)


def scored(folder: Path) -> Figures:
    """SLDBench's scorer: human laws at their constants, and Clark's under three weights."""
    tasks = {task.name: task for task in TASKS}
    for name, law, params, known, within in (
        ("moe", sj.laws.routed, CLARK_POOLED, 0.7032072, OF_FOUR_DIGITS),
        ("data_constrained", sj.laws.data_constrained, REPEATED, 0.9105673, OF_THREE_DIGITS),
    ):
        table = read(folder / "sldbench", name)
        test = table[table["split"] == "test"]
        told = law(**{k: test[tasks[name].inputs[k]].to_numpy() for k in law.inputs}, **params)
        yield Figure("SLDBench, human constants", name, known, score([told], test, tasks[name]), within)
    rows, test = (read(folder / "sldbench", "moe").query(f"split == '{word}'").reset_index(drop=True)
                  for word in ("train", "test"))  # fmt: skip
    for power, known in ((0.0, 0.7032), (1.0, 0.8263), (2.0, 0.8503)):
        said = foretold(Candidate(sj.laws.routed, power=power), rows, test, tasks["moe"])
        found = score(said, test, tasks["moe"])
        yield Figure("SLDBench, moe, Clark", f"R2, weights N^{power:g}", known, found, 1e-3)


PARTS: list[Callable[[Path], Figures]] = [
    step_law, timescale, experts, repeats, vocabularies, five_domains, farseer, distillation, quantised,
    streams, scored,
]  # fmt: skip


def told(figures: list[Figure]) -> pd.DataFrame:
    """The table that is printed."""
    return pd.DataFrame(
        {
            "of": one.of, "what": one.what, "known": f"{one.known:.7g}", "reached": f"{one.reached:.7g}",
            "rule": f"<= known + {one.within:.1g}" if one.one_sided else f"within {one.within:.1g}",
            "holds": "yes" if one.holds else "NO",
        }
        for one in figures
    )  # fmt: skip


def main(folder: Path, keep: bool) -> None:
    figures = [figure for part in PARTS for figure in part(folder)]
    text = told(figures).to_string(index=False)
    text += f"\n\n{sum(one.holds for one in figures)} of {len(figures)} hold"
    print(text)
    if keep:
        save("catalogue", text, told(figures).to_dict("records"))


if __name__ == "__main__":
    folders = [Path(word) for word in sys.argv[1:] if not word.startswith("--")]
    main(folders[0] if folders else FOLDER, "--save" in sys.argv)
