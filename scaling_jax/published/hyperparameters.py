"""Printed laws of the best learning rate and batch against sizes: DeepSeek, Porian, Li (Step Law), MiniCPM,
Zhang."""

from __future__ import annotations

from scaling_jax import laws
from scaling_jax.core.objective import SquaredError
from scaling_jax.published.entry import Entry

__all__ = ["ENTRIES", "LEARNING_RATE", "TOKENS_PER_BATCH"]

LEARNING_RATE, TOKENS_PER_BATCH = "peak learning rate", "tokens per batch"
STEP = "Li et al. 2025 (arXiv:2503.04715)"
DEEPSEEK = "DeepSeek-AI 2024 (arXiv:2401.02954)"
PORIAN = "Porian et al. 2024 (arXiv:2406.19146)"
ZHANG = "Zhang et al. 2024 (arXiv:2410.21676)"
Ranges = dict[str, tuple[float, float]]


def _optimum(
    key: str, scale: float, powers: dict[str, float], cite: str, range: Ranges, unit: str,
    remark: str, count: dict[str, str] | None = None, runs: str = "", protocol: bool = False,
) -> Entry:  # fmt: skip
    return Entry(
        key,
        laws.power_product(*powers),
        {"A": scale} | {f"p_{name}": power for name, power in powers.items()},
        cite,
        range,
        units={"target": unit},
        runs=runs,
        count=count or {},
        remark=remark,
        protocol={"objective": SquaredError()} if protocol else {},
    )


GRID = "2,819 dense runs of 60e6 to 1.07e9 parameters in 18 cells of size and data"
DECAY = "The rate decays to a fixed 1e-5, which the exponents of N and D owe something to."
NON_EMBEDDING = {"N": "non-embedding"}
AT_OPTIMUM = "At Chinchilla-optimal D only, so N and D cannot be told apart."
ENTRIES: list[Entry] = [
    _optimum(
        "li2025_lr", 1.79, {"N": -0.713, "D": 0.307}, STEP, {"N": (6e7, 1.08e9), "D": (2e9, 1e11)},
        LEARNING_RATE,
        f"{DECAY} The released 1,911 rows alone give N^-.766 D^.197. Rows of a cell are not independent: "
        "`sj.sweep_optima` resamples cells.",
        NON_EMBEDDING, GRID, True,
    ),
    _optimum(
        "li2025_batch", 0.58, {"D": 0.571}, STEP, {"D": (2e9, 1e11)}, TOKENS_PER_BATCH,
        "That N does not matter is a choice: freed, its exponent is -.16.", NON_EMBEDDING, GRID, True,
    ),
    _optimum(
        "deepseek2024_lr", 0.3118, {"C": -0.1250}, DEEPSEEK, {"C": (1e17, 2e19)}, LEARNING_RATE,
        "Others quote .3188. Compute there is M D, with M the non-embedding FLOP per token, not 6ND.",
        {"C": "non-embedding FLOP per token, times tokens"},
    ),
    _optimum(
        "deepseek2024_batch", 0.2920, {"C": 0.3271}, DEEPSEEK, {"C": (1e17, 2e19)}, TOKENS_PER_BATCH,
        "Compute there is M D, with M the non-embedding FLOP per token, not 6ND.",
        {"C": "non-embedding FLOP per token, times tokens"},
    ),
    _optimum(
        "porian2024_lr", 3.7, {"N": -0.36}, PORIAN, {"N": (5e6, 9e8)}, LEARNING_RATE,
        f"{AT_OPTIMUM} Second hand; range approximate.",
    ),
    _optimum(
        "porian2024_batch", 0.7576, {"N": 0.703}, PORIAN, {"N": (5e6, 9e8)}, TOKENS_PER_BATCH,
        f"{AT_OPTIMUM} Second hand; range approximate.",
    ),
    _optimum(
        "hu2024_batch", 1.21e9, {"L": -6.24}, "Hu et al. 2024, MiniCPM (arXiv:2404.06395)", {"L": (2.5, 4.0)},
        TOKENS_PER_BATCH, "Against the loss on C4 that the run is to reach. Range approximate.",
    ),
    _optimum(
        "zhang2024_critical_batch", 93.20 * 512 * 1e6**-0.47, {"N": 0.47}, ZHANG, {"N": (8.5e7, 1.2e9)},
        "tokens per batch, critical",
        "Critical batch (a fifth more updates than linear scaling), along Chinchilla-optimal runs; at fixed "
        "D it hardly depends on N (exponent .087), and at fixed N it grows about as D^.47. That N is in 1e6 "
        "and B in sequences of 512 is our reading. Range approximate.",
    ),
]  # fmt: skip
