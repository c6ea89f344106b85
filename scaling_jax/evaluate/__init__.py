r"""How well a law predicts runs it has not seen: splits of a table, error measures, all splits in one batch.

A split is two sets of rows, the training runs and the target. Splits are made from columns
(`by_size(runs["N"])`), narrowed (`.first(runs["D"], 0.3)`), and handed, thousands at once, to `score`. The
splits are those of Choshen, Zhang and Andreas 2024 (arXiv:2410.11840) and Alabdulmohsin et al. 2022
(arXiv:2209.06640).
"""

from scaling_jax.diagnosis.measures import (
    MEASURES,
    are,
    huber_error,
    log_rmse,
    macro,
    measure,
    r_squared,
    signed_error,
)
from scaling_jax.evaluate.decisions import decisions
from scaling_jax.evaluate.score import fit_splits, score
from scaling_jax.evaluate.splits import (
    Split,
    by_compute,
    by_fraction,
    by_size,
    leave_one_out,
    windows,
    within,
)

__all__ = [
    "MEASURES",
    "Split",
    "are",
    "by_compute",
    "by_fraction",
    "by_size",
    "decisions",
    "fit_splits",
    "huber_error",
    "leave_one_out",
    "log_rmse",
    "macro",
    "measure",
    "r_squared",
    "score",
    "signed_error",
    "windows",
    "within",
]
