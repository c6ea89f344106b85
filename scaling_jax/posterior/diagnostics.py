"""How far chains may be believed: R-hat and effective sample sizes on ranks, in numbers and in plain words.

After Vehtari, Gelman, Simpson, Carpenter and Bürkner 2021 (arXiv:1903.08008).
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["chain_table", "verdict"]

RHAT_GOOD = 1.01
ESS_GOOD = 400


def chain_table(named: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """R-hat and bulk and tail effective sample size per quantity of (chains, draws)."""
    from numpyro.diagnostics import effective_sample_size

    out = {}
    for name, x in named.items():
        halves = _split(np.asarray(x, dtype=np.float64))
        if not np.ptp(halves) > 0:
            out[name] = {"r_hat": np.nan, "ess_bulk": np.nan, "ess_tail": np.nan}
            continue
        low, high = np.quantile(halves, [0.05, 0.95])
        tails = [effective_sample_size(inside.astype(float)) for inside in (halves <= low, halves >= high)]
        folded = np.abs(halves - np.median(halves))
        out[name] = {
            "r_hat": float(max(_r_hat(_ranked(halves)), _r_hat(_ranked(folded)))),
            "ess_bulk": float(effective_sample_size(_ranked(halves))),
            "ess_tail": float(min(tails)),
        }
    return out


def _split(x: np.ndarray) -> np.ndarray:
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def _r_hat(x: np.ndarray) -> Any:
    from numpyro.diagnostics import gelman_rubin

    return gelman_rubin(x)


def _ranked(x: np.ndarray) -> np.ndarray:
    """Normal scores of the ranks over all chains."""
    import jax
    from jax.scipy.special import ndtri

    order = np.argsort(x, axis=None, kind="stable")
    ranks = np.empty(x.size)
    ranks[order] = np.arange(1, x.size + 1)
    with jax.enable_x64(True):
        return np.asarray(ndtri(((ranks - 0.375) / (x.size + 0.25)).reshape(x.shape)))


def verdict(table: Any, n_divergent: int, n_draws: int) -> list[str]:
    """What a reader must know, most serious first: sentences, the last of them good news where there is
    any."""
    r_hat, ess = table["r_hat"], table["ess_bulk"]
    worst, fewest = r_hat.idxmax(), ess.idxmin()
    out = []
    if n_divergent:
        out.append(
            f"{n_divergent} of {n_draws:,} draws diverged: the chains step over part of the posterior. "
            "Raise target_accept (0.99), or give "
            "tighter priors to what the data do not identify."
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
