"""Printed constants of fine-tuning, transfer and learning curves: Ivgi, Hernandez, Zhang, Caballero."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from scaling_jax import laws
from scaling_jax.core.objective import Huber, SquaredError
from scaling_jax.published.entry import Entry

__all__ = ["ENTRIES"]

BERT_BASE = 84934656.0


def _ivgi(task: str, metric: str, slope: float, half: float, predicted: float, r2: float) -> Entry:
    return Entry(
        f"ivgi2022_{task}",
        laws.finetuning_line,
        {"alpha": slope, "beta": float(np.log(1 - predicted) - slope * np.log(BERT_BASE))},
        "Ivgi et al. 2022 (arXiv:2202.06387), table of section 4",
        {"N": (12288.0, 6291456.0)},
        units={"target": f"1 - {metric}"},
        runs="13 encoders of 1 to 8 layers, 5 fine-tuning seeds each",
        count={"N": "non-embedding, 12 layers width^2"},
        protocol={"objective": SquaredError()},
        remark=f"The slope is printed ({slope:g}, half width {half:g}); the intercept follows from the "
        f"printed forecast of {predicted:g} for BERT-Base. "
        f"R2 {r2:g}: {'above' if r2 >= 0.95 else 'below'} the .95 that the authors ask for.",
    )


IVGIS = [
    _ivgi("squad11", "F1", -0.22, 0.01, 0.893, 0.998),
    _ivgi("mnli", "accuracy", -0.07, 0.02, 0.769, 0.971),
    _ivgi("qnli", "accuracy", -0.14, 0.05, 0.917, 0.965),
    _ivgi("sst2", "accuracy", -0.10, 0.02, 0.905, 0.951),
    _ivgi("race", "accuracy", -0.06, 0.02, 0.561, 0.916),
    _ivgi("cola", "Matthews correlation", -0.03, 0.01, 0.305, 0.845),
    _ivgi("squad20", "F1", -0.08, 0.03, 0.685, 0.797),
    _ivgi("mrpc", "accuracy", -0.06, 0.03, 0.800, 0.763),
    _ivgi("boolq", "accuracy", -0.03, 0.01, 0.708, 0.749),
]


def _hernandez(variant: str, source: str, k: float, alpha: float, beta: float) -> Entry:
    return Entry(
        f"hernandez2021{variant}",
        laws.hernandez_transfer,
        {"k": k, "alpha": alpha, "beta": beta},
        "Hernandez et al. 2021 (arXiv:2102.01293), eq. 1.1 and table",
        {"D_F": (1e5, 1e9), "N": (1e5, 1e9)},
        units={"k": "characters^(1 - alpha)"},
        runs=f"pre-trained on {source}, fine-tuned on Python",
        count={"N": "non-embedding"},
        remark="Low-data regime only, D_F at most a tenth of what the size can use. "
        "A fit of fits (a logistic in ln N for each D_F), without errors; range approximate.",
    )


HERNANDEZ = [
    _hernandez("", "text", 1.9e4, 0.18, 0.38),
    _hernandez("_mixed", "half text, half other code", 2.1e5, 0.096, 0.38),
]


ZHANG = "Zhang et al. 2024 (arXiv:2402.17193), table of section 4"
METHODS = ("fmt", "prompt", "lora")
FACTORS: dict[str, tuple[str, tuple[float, float]]] = {
    "size": ("model parameters", (1e9, 1.6e10)),
    "pretraining": ("pre-training tokens", (8e10, 3e11)),
    "tuned": ("tuned parameters", (1e5, 1e8)),
}
# Per task: E and beta of each method, then (A, alpha) of each factor and method.
ZHANG_TABLE: dict[str, dict[str, Any]] = {
    "en_de": {
        "E": (0.75, 0.62, 0.62),
        "beta": (0.15, 0.051, 0.081),
        "size": ((1.2e5, 0.52), (3.9e3, 0.40), (2.1e3, 0.36)),
        "pretraining": ((6.3e2, 0.21), (2.7e2, 0.21), (1.4e2, 0.18)),
        "tuned": (None, (1.0, 0.0027), (1.4, -0.0017)),
    },
    "en_zh": {
        "E": (1.0, 0.77, 0.73),
        "beta": (0.14, 0.015, 0.025),
        "size": ((3.3e3, 0.34), (8.5e2, 0.33), (6.6e2, 0.31)),
        "pretraining": ((2.4e2, 0.17), (2e2, 0.20), (1.3e2, 0.18)),
        "tuned": (None, (1.0, 0.0019), (1.2, 0.0044)),
    },
    "mlsum": {
        "E": (0.98, 0.00051, 0.2),
        "beta": (0.087, 0.025, 0.03),
        "size": ((3.3e2, 0.24), (23.0, 0.10), (26.0, 0.11)),
        "pretraining": ((42.0, 0.11), (16.0, 0.069), (17.0, 0.073)),
        "tuned": (None, (2.6, 0.0026), (2.4, 0.00022)),
    },
}


def _zhang(task: str, method: str, factor: str) -> Entry | None:
    table, at = ZHANG_TABLE[task], METHODS.index(method)
    if table[factor][at] is None:  # full tuning has no tuned parameters of its own
        return None
    A, alpha = table[factor][at]
    identified = "" if table["E"][at] > 0.5 else " The floor is not identified."
    shared = {"E": table["E"][at], "beta": table["beta"][at]}
    what, range_of_x = FACTORS[factor]
    return Entry(
        f"zhang2024_{task}_{method}_{factor}",
        laws.zhang_multiplicative,
        shared | {"A": A, "alpha": alpha},
        ZHANG,
        {"X": range_of_x, "D_f": (1e4, 1e6)},
        units={"X": what, "target": "test loss"},
        runs="1e9 to 16e9 parameters, mean of 3 draws of the data; other ranges approximate",
        protocol={"objective": Huber(1e-3, on="raw"), "fixed": shared},
        remark="Stage 2: E and beta come from model size and pre-training jointly, "
        "`sj.fit_groups(..., shared=['beta', 'E'])`, and are then held. "
        f"Two digits, so ratios of A mean an order of magnitude.{identified}",
    )


ZHANGS = [entry for names in itertools.product(ZHANG_TABLE, METHODS, FACTORS) if (entry := _zhang(*names))]


CABALLERO = "Caballero et al. 2023 (arXiv:2210.14891)"
FIGURE_1 = {
    "a": 1e-3, "b": 4.66e3, "c0": 0.05,
    "c1": 0.49, "d1": 3e6, "f1": 1.1,
    "c2": -0.811, "d2": 1e14, "f2": 1.425,
    "c3": 2.1, "d3": 2e20, "f3": 0.05,
}  # fmt: skip
CABALLEROS = [
    Entry(
        "caballero2023_addition",
        laws.bnsl(1),
        {"a": 0.413885, "b": 2.277272, "c0": 0.0550774, "c1": 5.66291, "d1": 612.5837, "f1": 0.0591931},
        f"{CABALLERO}, 4-digit addition",
        {"x": (100.0, 1000.0)},
        units={"x": "training examples", "target": "test loss"},
        runs="17 points, the first 14 fitted; range approximate",
        protocol={"objective": SquaredError()},
        remark="Optimum of ln(y + 1) as the authors' code fits it; ln y, which `protocol` minimises and "
        "which does not depend on the unit, gives 5.983e-4 inside and 1.114e-2 beyond the fit in place of "
        "5.985e-4 and 1.092e-2. The break imprints 3e-4 at x = 405: float64 or nothing.",
    ),
    Entry(
        "caballero2023_figure1",
        laws.bnsl(3),
        FIGURE_1,
        f"{CABALLERO}, figure 1",
        {"x": (1.0, 1e22)},
        remark="A drawing of the form, not a fit.",
    ),
]

ENTRIES: list[Entry] = [*IVGIS, *HERNANDEZ, *ZHANGS, *CABALLEROS]
