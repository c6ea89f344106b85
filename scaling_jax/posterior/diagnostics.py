"""How far chains may be believed: R-hat and effective sample sizes on ranks, in numbers and in plain words.

After Vehtari, Gelman, Simpson, Carpenter and Bürkner 2021 (arXiv:1903.08008).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from scaling_jax.core.optional import needs

__all__ = ["chain_table", "chain_verdict"]

RHAT_GOOD = 1.01
ESS_GOOD = 400
TAILS = (0.05, 0.95)


def chain_table(named: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """R-hat and bulk and tail effective sample size per quantity of (chains, draws); NaN for constants."""
    stats = needs("arviz_stats.base", "bayes", "Diagnostics of chains need").array_stats
    out = {}
    for name, x in named.items():
        chains = np.asarray(x, dtype=np.float64)
        if not np.ptp(chains) > 0:
            out[name] = {"r_hat": np.nan, "ess_bulk": np.nan, "ess_tail": np.nan}
            continue
        axes = {"chain_axis": 0, "draw_axis": 1}
        out[name] = {
            "r_hat": float(stats.rhat(chains, method="rank", **axes)),
            "ess_bulk": float(stats.ess(chains, method="bulk", **axes)),
            "ess_tail": float(stats.ess(chains, method="tail", prob=TAILS, **axes)),
        }
    return out


def chain_verdict(table: pd.DataFrame, n_divergent: int, n_draws: int) -> list[str]:
    """What a reader must know, in sentences, most serious first; good news where there is nothing else."""
    r_hat, ess = table["r_hat"], table["ess_bulk"]
    worst, fewest = r_hat.idxmax(), ess.idxmin()
    out = []
    if n_divergent:
        out.append(
            f"{n_divergent} of {n_draws:,} draws diverged: the chains step over part of the posterior. "
            "Raise target_accept (0.99), or give tighter priors to what the data do not identify."
        )
    if r_hat[worst] > RHAT_GOOD:
        out.append(
            f"The chains disagree about {worst} (R-hat {r_hat[worst]:.3f}, should be below {RHAT_GOOD}): "
            "sample longer."
        )
    if ess[fewest] < ESS_GOOD:
        out.append(
            f"{fewest} has the worth of only {ess[fewest]:.0f} independent draws: intervals are rough; "
            "sample longer."
        )
    if not out:
        out.append(
            f"The chains agree: no divergences, largest R-hat {r_hat[worst]:.3f} ({worst}), "
            f"fewest effective draws {ess[fewest]:,.0f} ({fewest})."
        )
    return out
