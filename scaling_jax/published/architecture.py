"""Printed constants of laws that ask how a model is built: experts, how finely they are cut, streams."""

from __future__ import annotations

import numpy as np

from scaling_jax import laws
from scaling_jax.core.objective import Huber, SquaredError
from scaling_jax.published.entry import Entry

__all__ = ["ENTRIES"]

CLARK = "Clark et al. 2022 (arXiv:2202.01169)"


def _clark(router: str, numbers: tuple[float, ...]) -> Entry:
    return Entry(
        f"clark2022_{router.lower().replace('-', '')}",
        laws.routed,
        dict(zip(laws.routed.params, numbers, strict=True)),
        CLARK,
        {"N": (1.5e7, 1.3e9), "E": (1.0, 512.0)},
        runs=f"{router} and dense models at 130e9 tokens, every other block routed, one expert per token",
        count={"N": "of the dense model that is routed"},
        protocol={"objective": SquaredError()},
        remark="Three digits: N at which experts stop helping, 10^(-b/c), follows from them to an order of "
        "magnitude only. On the released final losses certified optima differ in b by up to .01.",
    )


CLARKS = [
    _clark("S-BASE", (-0.082, -0.108, 0.009, 1.104, 1.847, 314.5)),
    _clark("RL-R", (-0.083, -0.126, 0.012, 1.111, 1.880, 470.0)),
    _clark("HASH", (-0.087, -0.136, 0.012, 1.157, 4.175, 477.7)),
]

LUDZIEJEWSKI = Entry(
    "ludziejewski2025",
    laws.joint_moe,
    {
        "a": 35.91, "alpha": -0.1889, "delta": -0.2285, "gamma": 0.0098,
        "b": 35.98, "beta": -0.1775, "omega": 0.5529, "zeta": -0.0259,
        "c": 1.3637, "E_start": 2.0732, "E_max": 290.4521,
    },
    "Ludziejewski et al. 2025 (arXiv:2502.05172)",
    {"N": (3e7, 1.1e9), "D": (1e9, 1e11), "E": (1.0, 32.0)},
    runs="more than 280 runs of 1 to 32 experts, high losses weighted less; their losses are not released",
    count={"N": "active, embeddings included", "C": "6ND of active parameters"},
    protocol={"objective": Huber(1e-2)},
    remark="At each E it is the Chinchilla law of the paper's own table to .3 %. Dense models count as 2.07 "
    "experts, so E = 1 is no special value. Ranges of N and D approximate.",
)  # fmt: skip

KRAJEWSKI = "Krajewski et al. 2024 (arXiv:2402.07871)"
KRAJEWSKIS = [
    Entry(
        "krajewski2024",
        laws.granular_moe,
        {"a": 18.1, "alpha": 0.115, "b": 30.8, "beta": 0.147, "g": 2.1, "gamma": 0.58, "c": 0.47},
        KRAJEWSKI,
        {"N": (1.29e8, 3.7e9), "D": (1.6e10, 1.3e11), "G": (1.0, 16.0)},
        runs="mixtures of 64 experts",
        remark="A floor of .47 with exponents near .12 is not identified. Whether N is active or total reads "
        "differently in different places. Ranges approximate.",
    ),
    Entry(
        "krajewski2024_dense",
        laws.chinchilla,
        {"E": 0.47, "A": 16.3, "B": 26.7, "alpha": 0.126, "beta": 0.127},
        KRAJEWSKI,
        {"N": (1.29e8, 3.7e9), "D": (1.6e10, 1.3e11)},
        runs="dense models beside the mixtures",
        remark="The floor is that of the mixtures, and is not identified. Ranges approximate.",
    ),
]

LING = Entry(
    "ling2025",
    laws.efficiency_leverage,
    {"a": 1.23, "d": -0.0761, "gamma": 0.0167, "beta": -0.117, "A_start": 0.0163},
    "Ling Team 2025 (arXiv:2507.17702)",
    {"A": (0.008, 1.0), "G": (2.0, 16.0), "C": (1e18, 1e22)},
    runs="mixtures of experts with leverage below 6",
    remark="Only log2 of the granularity with log10 of compute gives the printed leverages (7.2 at A .031, "
    "G 12, 1e22 FLOP) and best granularity (11). The printed A_max 5.28e16 means infinity and is left out.",
)


def _chen(data: str, E: float, A: float, alpha: float, k: float) -> Entry:
    return Entry(
        f"chen2025_{data}",
        laws.parallel_streams,
        {"E": E, "A": A * 1e9, "alpha": alpha, "k": k},
        "Chen et al. 2025 (arXiv:2505.10475)",
        {"N": (5.3e8, 4.5e9), "P": (1.0, 8.0)},
        runs="24 models of six sizes with 1, 2, 4 and 8 streams, 42e9 tokens",
        count={"N": "non-embedding, with those that streams add"},
        protocol={"objective": Huber(1e-3)},
        remark="Printed A is in 1e9 parameters. The certified optimum of the same objective.",
    )


CHENS = [
    _chen("stack", 0.6912, 0.011307, 0.18936, 0.39346),
    _chen("pile", 1.2886, 0.197517, 0.19628, 0.33444),
]

TAO = Entry(
    "tao2024",
    laws.vocabulary,
    {
        "E": -5.53278, "A": 1.83139 * 1e6**0.446606, "alpha": 0.446606, "B": 0.195842 * 1e6**0.670737,
        "beta": 0.670737, "C": 2.12411 * 1e9**0.446606, "gamma": 0.446606,
    },
    "Tao et al. 2024 (arXiv:2407.13623)",
    {"N": (3.3e7, 1.13e9), "V": (4e6, 1e8), "D": (4e8, 1.5e11)},
    units={"V": "vocabulary parameters, words times width"},
    runs="checkpoints of 20 runs, 1,054 of 1,200 with at least 2.2e17 FLOP",
    count={"N": "without vocabulary parameters"},
    protocol={"objective": Huber(1e-3, on="raw"), "tied": [("alpha", "gamma")]},
    remark="D must be characters times `tokens_per_character(V / 1000)`: the authors' code hands words in "
    "thousands to a polynomial of words, and the constants belong to that. Rows of a run are dependent. "
    "Printed in units of 1e6 parameters and 1e9 characters.",
)  # fmt: skip


def _chen_qat(what: str, k: float, gamma_N: float, gamma_D: float, gamma_G: float) -> Entry:
    return Entry(
        f"chen2025qat_{what}",
        laws.precision_qat,
        {"k": k, "gamma_N": gamma_N, "gamma_D": gamma_D, "gamma_G": gamma_G},
        "Chen et al. 2025 (arXiv:2505.14302)",
        {"N": (7.4e7, 6e8), "D": (1e10, 1e11), "G": (32.0, 256.0)},
        runs=f"models trained at {what.upper()} (bits of weights and activations)",
        remark="Added to a Chinchilla law E 1.9279, A 237.7, B 596.2, alpha = beta = .3022. "
        "Range approximate.",
    )


QATS = [
    _chen_qat("w4a4", 0.1582, 0.2186, 0.0745, 0.7779),
    _chen_qat("w4a16", 0.2522, 0.3589, 0.1610, 0.3533),
    _chen_qat("w16a4", 0.1004, 0.1816, 0.0331, 0.9812),
]

SUN = Entry(
    "sun2025_fp",
    laws.precision_fp,
    {
        "E": 1.9061, "A": 69.2343, "alpha": 0.2368, "B": 68973.0621, "beta": 0.5162, "gamma": 11334.5197,
        "delta": 3.1926, "nu": 2.9543,
    },
    "Sun et al. 2025 (arXiv:2501.02423)",
    {"N": (4.1e7, 1.2e9), "D": (1e10, 1e11), "e": (1.0, 5.0), "m": (1.0, 5.0), "G": (32.0, 9131.0)},
    runs="358 runs with weights, activations and gradients quantised",
    remark="Table 2. Losses are not published. Beyond 1.7e15 tokens in BF16, 2.7e13 in E4M3 and 4e11 in E2M1 "
    "(blocks of 128, 1e9 parameters) more data hurts. Range approximate.",
)  # fmt: skip

PRINTED = {  # exp(s N^q + S) and so on, as printed
    "S": (0.1284880679442551, -0.062465473, 0.13),
    "Q": (-1.544209554, 230.73437075885855, -0.1729),
    "E": (3.133347198805445, -1.665630816, 0.0458999999999619),
}


def _at_1e9(constant: float, scale: float, power: float) -> tuple[float, float, float]:
    """Value at 1e9 parameters, exponent there, and bend, of exp(scale N^power + constant)."""
    there = scale * 1e9**power
    return float(np.exp(constant + there)), there * power, power


FARSEER = Entry(
    "li2025_farseer",
    laws.farseer,
    dict(zip(laws.farseer.params, [n for terms in PRINTED.values() for n in _at_1e9(*terms)], strict=True)),
    "Li et al. 2025 (arXiv:2506.10972)",
    {"N": (2e8, 6.4e9), "D": (2e9, 5e11)},
    runs="404 runs of .2e9 to 6.4e9 parameters in steps of root 2; seven larger ones predicted",
    count={"N": "non-embedding"},
    remark="Staged, not an optimum: a joint fit halves the objective on the same runs. Printed as powers of "
    "N (S .1285, s -.06247, q .13; Q -1.544, B 230.7, b -.1729; E 3.133, A -1.666, a .0459).",
)

ENTRIES: list[Entry] = [TAO, *QATS, SUN, FARSEER, *CLARKS, LUDZIEJEWSKI, *KRAJEWSKIS, LING, *CHENS]
