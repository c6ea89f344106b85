"""The design: which runs are made, in which order, and why.

One trunk at a constant learning rate per (size, seed) carries a short decay branch to every D at which a
budget
C = 6 N D cuts that size: a whole isoFLOP family costs little more than its longest run. Steps are counted in
updates of BATCH sequences. Stages follow one another so that stopping early leaves complete budgets, from the
smallest upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .corpus import PROSE, PYTHON, Corpus
from .model import CONTEXT, Size

BATCH = 8  # sequences
TOKENS_PER_STEP = BATCH * CONTEXT
WARMUP = 15  # updates: 5 % of the shortest run
DECAY = 0.2  # the last fifth of a D-token run falls linearly to zero
MIN_STEPS = 300

# Depth 4 throughout: one family along one direction, and even at width 8 the blocks outweigh the embedding.
SIZES = tuple(
    Size(width, 4, heads)
    for width, heads in [
        (8, 1),
        (12, 1),
        (16, 2),
        (20, 2),
        (24, 2),
        (32, 2),
        (40, 2),
        (48, 3),
        (64, 4),
        (80, 5),
        (96, 6),
    ]
)
BUDGETS = tuple(float(f"{5e10 * 10 ** (k / 3):.2g}") for k in range(7))


# Sizes that are trained at each budget: those whose N is within a factor of SPREAD of the optimum, which the
# pilot put near here and which is taken to grow as the square root of the budget.
OPTIMUM = (5e10, 1.8e4)
SPREAD = 6


@dataclass(frozen=True)
class End:
    """A reported D: the step at which a run's rate has reached zero, and the budget that asked for it."""

    step: int
    budget: float | None = None


@dataclass(frozen=True)
class Run:
    arm: str
    size: Size
    lr: float
    ends: tuple[End, ...]
    seed: int = 0
    schedule: str = "constant"
    unique_steps: int | None = None  # updates' worth of distinct data; None: every sequence is seen once
    parent: str | None = None  # the saved weights to continue from
    pretrain_tokens: int = 0
    corpus: Corpus = PYTHON
    keep: bool = False  # whether a later arm continues from the ends

    @property
    def name(self) -> str:
        parts = [self.arm, f"d{self.size.width}", f"seed{self.seed}"]
        if self.arm == "lr":
            parts.append(f"lr{self.lr:.3g}")
        if self.schedule == "cosine":
            parts.append(f"to{self.ends[-1].step}")
        if self.unique_steps:
            parts.append(f"unique{self.unique_steps * TOKENS_PER_STEP}")
        if self.arm == "transfer":
            parts.append(f"from{self.pretrain_tokens}")
        return "-".join(parts)

    def rate(self, step: np.ndarray, end: End) -> np.ndarray:
        """The learning rate of updates `step` (from 0) on the way to `end`."""
        warm = np.minimum(1.0, (step + 1) / WARMUP)
        if self.schedule == "cosine":
            return self.lr * warm * 0.5 * (1 + np.cos(np.pi * step / end.step))
        return self.lr * warm * np.minimum(1.0, (end.step - step) / (DECAY * end.step))

    def fork(self, end: End) -> int:
        """The last step that the runs to `end` and beyond it share."""
        return end.step if self.schedule == "cosine" else int((1 - DECAY) * end.step)

    def checkpoints(self) -> list[int]:
        """Log-spaced steps of the trunk; the same for every run, as far as it goes."""
        grid = np.unique(np.round(16 * 1.3 ** np.arange(40)).astype(int))
        return [int(s) for s in grid if s <= self.fork(self.ends[-1])]


def n_steps(size: Size, budget: float) -> int:
    return round(budget / (6 * size.n_params * TOKENS_PER_STEP))


def near_optimum(size: Size, budget: float) -> bool:
    return 1 / SPREAD <= size.n_params / (OPTIMUM[1] * (budget / OPTIMUM[0]) ** 0.5) <= SPREAD


def ends(size: Size, budgets: tuple[float, ...]) -> tuple[End, ...]:
    """The D of each budget whose optimum is near this size."""
    found = [End(n_steps(size, c), c) for c in budgets if near_optimum(size, c)]
    return tuple(e for e in found if e.step >= MIN_STEPS)


def search_steps(size: Size) -> int:
    """Length of a learning-rate trial: 3e11 FLOP, but neither too short to tell nor longer than need be."""
    return int(np.clip(n_steps(size, 3e11), 600, 4000))


SEED_WIDTHS = (12, 16, 24, 32, 48)
REPEAT_WIDTHS = (16, 32)
TRANSFER_WIDTHS = (16, 32)
COSINE_WIDTHS = (16, 24, 32, 48)
LOW = BUDGETS[:4]


def stages(search: Callable[[Size, int], int]) -> Iterator[list[Run]]:
    """Runs in the order of training; `search` trains a size's learning-rate trials and returns the best."""
    rate: dict[Size, float] = {}
    exponent = -6
    for size in SIZES:  # ascending, so that the neighbour's answer is a good first guess
        exponent = search(size, exponent)
        rate[size] = 2.0**exponent
    by_width = {size.width: size for size in SIZES}

    def trunk(size: Size, budgets: tuple[float, ...], seed: int = 0) -> Run:
        keep = seed == 0 and size.width in TRANSFER_WIDTHS
        return Run("main", size, rate[size], ends(size, budgets), seed, keep=keep)

    def trunks(budgets: tuple[float, ...], seed: int = 0) -> list[Run]:
        runs = [trunk(size, budgets, seed) for size in SIZES if seed == 0 or size.width in SEED_WIDTHS]
        return [run for run in runs if run.ends]

    yield trunks(LOW)
    yield [run for seed in (1, 2) for run in trunks(LOW, seed)]
    yield [
        Run("repeat", size, rate[size], tuple(End(s) for s in (1024, 2048, 4096, 8192)), unique_steps=unique)
        for size in map(by_width.get, REPEAT_WIDTHS)
        for unique in (256, 1024)
    ]
    yield [
        Run(
            "transfer", size, rate[size], tuple(End(s) for s in (320, 640, 1280, 2560, 5120)),
            parent=end and f"{trunk(size, LOW).name}-end{end.step}.npz",
            pretrain_tokens=end.step * TOKENS_PER_STEP if end else 0,
            corpus=PROSE,
        )
        for size in map(by_width.get, TRANSFER_WIDTHS)
        for end in (None, *ends(size, LOW)[::2])
    ]  # fmt: skip
    yield [
        Run("cosine", size, rate[size], (End(n_steps(size, budget), budget),), schedule="cosine")
        for budget in (BUDGETS[2], BUDGETS[4])
        for size in map(by_width.get, COSINE_WIDTHS)
    ]
    for k in range(len(LOW), len(BUDGETS)):
        yield trunks(BUDGETS[: k + 1])
    yield [run for seed in (1, 2) for run in trunks(BUDGETS[:5], seed)]
