"""The members of an ensemble: laws, each under several weightings of the rows, fitted to every cut-off of
every table in one batch per law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.forecasting.mixed import Shrunk, shrink
from scaling_jax.forecasting.population import Population
from scaling_jax.forecasting.rows import WEIGHTINGS, Cut

__all__ = ["Batch", "Member", "fit_members"]


@dataclass(frozen=True)
class Member:
    """A law under one weighting of the rows."""

    law: Law
    weighting: str

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.law.name if self.weighting == "all" else f"{self.law.name}, {self.weighting}"


@dataclass(frozen=True, eq=False)
class Batch:
    """Every member fitted to every cut-off.

    Args:
        members: (members,).
        cuts: (cuts,).
        predicted: per cut (members, points), log predictions.
        unsure: per cut (members, points), standard deviations of those as the parameters move.
        scale: (members, cuts) residual scales.
        fits: per law its fits, weighting by weighting, each to all cuts.
    """

    members: list[Member]
    cuts: list[Cut]
    predicted: list[np.ndarray]
    unsure: list[np.ndarray]
    scale: np.ndarray
    fits: list[Shrunk]

    @classmethod
    def of(cls, fits: Sequence[Shrunk], cuts: Sequence[Cut]) -> Batch:
        """What fits of laws, weighting by weighting, say of the points of all cut-offs."""
        n, turns = len(cuts), range(len(WEIGHTINGS))
        sizes = [len(cut.points) for cut in cuts]
        which = np.repeat(np.arange(len(WEIGHTINGS) * n), sizes * len(WEIGHTINGS))
        points = np.concatenate([cut.points for cut in cuts] * len(WEIGHTINGS))
        ends = np.cumsum(sizes * len(WEIGHTINGS))[:-1]
        said = [np.split(fit.predict(which, points), ends) for fit in fits]
        unsure = [np.split(fit.uncertainty(which, points), ends) for fit in fits]
        return cls(
            members=[Member(fit.law, w) for fit in fits for w in WEIGHTINGS],
            cuts=list(cuts),
            predicted=[np.stack([one[t * n + c] for one in said for t in turns]) for c in range(n)],
            unsure=[np.stack([one[t * n + c] for one in unsure for t in turns]) for c in range(n)],
            scale=np.concatenate([fit.scale.reshape(len(WEIGHTINGS), n) for fit in fits]),
            fits=list(fits),
        )

    def under(self, populations: Sequence[Sequence[Population]]) -> Batch:
        """The same members drawn towards other populations (laws, cuts); nothing is refitted."""
        fits = zip(self.fits, populations, strict=True)
        return Batch.of([fit.under(list(own) * len(WEIGHTINGS)) for fit, own in fits], self.cuts)

    def ahead(self, c: int, points: np.ndarray) -> Batch:
        """One cut-off alone, with other points (n, inputs) to predict."""
        rows, n = self.cuts[c].rows, len(self.cuts)
        cut = Cut(rows, points, np.full(len(points), np.nan))
        pieces = [np.full(len(points), t * n + c) for t in range(len(WEIGHTINGS))]
        said = np.stack([fit.predict(which, points) for fit in self.fits for which in pieces])
        unsure = np.stack([fit.uncertainty(which, points) for fit in self.fits for which in pieces])
        return replace(self, cuts=[cut], predicted=[said], unsure=[unsure], scale=self.scale[:, [c]])

    def fit_of(self, member: int) -> tuple[Shrunk, int]:
        """The fits of a member's law, and which of their pieces is the member's own of the whole table."""
        law, turn = divmod(member, len(WEIGHTINGS))
        return self.fits[law], turn * len(self.cuts)


def fit_members(
    used: Sequence[Law], populations: Sequence[Sequence[Population] | None], cuts: Sequence[Cut]
) -> Batch:
    """Fits laws under all weightings to all cut-offs; populations per law: one per cut-off, or None."""
    pieces = [cut.rows.piece(w) for w in WEIGHTINGS for cut in cuts]
    fits = [
        shrink(law, None if own is None else list(own) * len(WEIGHTINGS), pieces)
        for law, own in zip(used, populations, strict=True)
    ]
    return Batch.of(fits, cuts)
