"""What a sampler hands back: draws of every group and population, with the chains they came in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.posterior.build import OBSERVATIONS
from scaling_jax.posterior.model import OFFSET, Design, Table, model
from scaling_jax.posterior.sampler import Chains, Settings

__all__ = ["Sampled"]


@dataclass(frozen=True, eq=False)
class Sampled:
    """One run of the sampler.

    Args:
        fits: the fits it started from, one per group.
        design, table: the model and its data.
        chains: what came out.
        places: (rows,) where the rows of all fits, one after the other, lie in the blocks laid flat.
        settings: how long and how carefully.
        observation: how rows are observed, a key of `OBSERVATIONS`.
        how: the method in words.
    """

    fits: tuple[Fitted, ...]
    design: Design
    table: Table
    chains: Chains
    places: np.ndarray
    settings: Settings
    observation: str
    how: str

    @property
    def model(self) -> Callable[[], None]:
        """The NumPyro model with its data, for rendering, tracing, or NumPyro's own tools."""
        return partial(model, self.design, self.table)

    def flat(
        self, quantities: Mapping[str, np.ndarray], keys: Sequence[Hashable] | None
    ) -> dict[str, np.ndarray]:
        """Every sampled number but the runs' offsets by its printed name, (chains, draws)."""
        out = {}
        for name, values in quantities.items():
            if name == OFFSET:
                continue
            axes = list(values.shape[2:])
            for index in np.ndindex(*axes):
                named = list(map(str, index))
                if keys is not None and name in self.design.own:
                    named[0] = str(keys[index[0]])
                out[f"{name}[{','.join(named)}]" if named else name] = values[:, :, *index]
        return out

    @property
    def words(self) -> str:
        """Model and sampler in one line."""
        runs = ", runs with offsets of their own" if self.design.run_effects else ""
        known = ", known standard errors" if self.design.known_se and not self.design.counts else ""
        return f"{OBSERVATIONS[self.observation]}{known}{runs}; {self.how}"
