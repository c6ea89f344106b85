"""Whether chains may be believed: each parameter's draws by chain, their ranks, and ArviZ's verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.plot.axes import grid_for
from scaling_jax.plot.labels import note
from scaling_jax.plot.palette import palette_of
from scaling_jax.plot.style import PAGE, picture
from scaling_jax.posterior.diagnostics import ESS_GOOD, RHAT_GOOD

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from scaling_jax.posterior import Posterior

__all__ = ["posterior", "posterior_data"]

MOST, BINS = 6, 20
ROW = 1.15  # inches


@checked
def posterior_data(result: Posterior, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Draws of a posterior by chain, with their ranks among all draws.

    Args:
        result: of `fit.posterior()`.
        names: parameters; the first six by default.

    Returns:
        Columns: parameter, chain, draw, value, rank (0 to 1).

    Raises:
        ValueError: for parameters that it has not.
    """
    known = {name: values for name, values in result.sites.items() if values.ndim == 2}
    chosen = list(names) if names is not None else [n for n in known if np.ptp(known[n]) > 0][:MOST]
    if unknown := [name for name in chosen if name not in known]:
        raise ValueError(f"names={shown(unknown)}: the posterior holds {', '.join(known)}.")
    parts = []
    for name in chosen:
        values = known[name]
        rank = (values.ravel().argsort().argsort() + 0.5) / values.size
        chain, draw = np.indices(values.shape)
        part = {"parameter": name, "chain": chain.ravel(), "draw": draw.ravel()}
        parts.append(pd.DataFrame({**part, "value": values.ravel(), "rank": rank}))
    return pd.concat(parts, ignore_index=True)


@checked
@picture
def posterior(
    result: Posterior, names: Sequence[str] | None = None, ax: Sequence[Axes] | None = None
) -> np.ndarray:
    """Left the draws of every chain in their order, right how often each chain's ranks fall where: level for
    chains that agree. R-hat and effective sample sizes are ArviZ's. Numbers in `posterior_data`.

    Args:
        result, names: as in `posterior_data`.
        ax: two axes for every parameter, row by row.

    Returns:
        (parameters, 2) axes.
    """
    table = posterior_data(result, names)
    chosen = list(dict.fromkeys(table["parameter"]))
    axes = grid_for(ax, len(chosen), 2, PAGE, ROW * len(chosen) + 0.4).reshape(-1, 2)
    for (left, right), name in zip(axes, chosen, strict=True):
        page, own = palette_of(left), table[table["parameter"] == name]
        for k, (_, chain) in enumerate(own.groupby("chain")):
            colour = page.accents[k % len(page.accents)]
            left.plot(chain["draw"], chain["value"], color=colour, lw=0.3, alpha=0.7)
            heights, edges = np.histogram(chain["rank"], bins=BINS, range=(0, 1))
            right.stairs(heights / heights.mean(), edges, color=colour, lw=1.0, baseline=None)
        right.axhline(1, color=page.quiet, lw=0.8, ls="--")
        right.set(xlim=(0, 1), ylim=(0, 2))
        left.set(ylabel=name, xlim=(0, own["draw"].max()))
        told = result.diagnostics.loc[name]
        good = told["r_hat"] <= RHAT_GOOD and told["ess_bulk"] >= ESS_GOOD
        words = f"R-hat {told['r_hat']:.3f}, worth {told['ess_bulk']:,.0f} draws"
        note(right, words + ("" if good else ": sample longer"), "upper left")
    page = palette_of(axes[0, 0])
    for one, words in zip(
        axes[0], ("draws of each chain", "their ranks: level where chains agree"), strict=True
    ):
        one.set_title(words, fontsize="small", color=page.ink)
    axes[-1, 0].set_xlabel("draw")
    axes[-1, 1].set_xlabel("rank among all draws")
    for left, right in axes[:-1]:
        left.tick_params("x", labelbottom=False)
        right.tick_params("x", labelbottom=False)
    return axes
