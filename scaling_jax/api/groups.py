"""Fits of many groups: a mapping from the group's key to its result, with tables over all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from scaling_jax.api.result import FitResult
from scaling_jax.core.checked import checked
from scaling_jax.core.keyed import Keyed
from scaling_jax.core.printed import Printed
from scaling_jax.fitting.certified import certified
from scaling_jax.fitting.fits import Fits
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.reporting.blocks import Section
from scaling_jax.reporting.shown import Shown
from scaling_jax.reporting.summary import groups_sections, groups_text
from scaling_jax.tables.frames import TableLike

if TYPE_CHECKING:
    from scaling_jax.posterior import PosteriorGroups
    from scaling_jax.uncertainty.draws import DrawsGroups

__all__ = ["FitGroups"]


class _OnDemand(Mapping[Hashable, FitResult]):
    """Results by key, each made once, when it is asked for."""

    def __init__(self, fits: Fits):
        self.fits = fits
        self._at = {key: i for i, key in enumerate(fits.keys)}
        self._made: dict[Hashable, FitResult] = {}

    def __getitem__(self, key: Hashable) -> FitResult:
        i = self._at[key]
        if key not in self._made:
            self._made[key] = FitResult.of(self.fits[i])
        return self._made[key]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)


class FitGroups(Keyed[FitResult], Shown):
    """Fits of one law to many groups: a mapping from the group's key to its `FitResult`.

    Made by `sj.fit_groups`. Groups that could not be fitted are there too, with status `failed` and a reason.

    Args:
        fits: the results by key.
        shared: parameters that took one value for all groups.
        gain_left: share of the joint objective that a Newton step in the shared values would still gain.
    """

    kind = "group"

    def __init__(
        self, fits: Mapping[Hashable, FitResult], shared: tuple[str, ...] = (), gain_left: float = 0.0
    ):
        super().__init__(fits)
        self.shared = shared
        self.gain_left = gain_left

    @classmethod
    def of(cls, fitted: Sequence[Fitted], **joint: Any) -> Self:
        """The records of groups, each with its questions once somebody asks for it."""
        return cls(_OnDemand(fitted if isinstance(fitted, Fits) else Fits.of(fitted)), **joint)

    @property
    def _fits(self) -> Fits:
        """The groups as arrays, as far as they were solved so."""
        known = self._members
        return known.fits if isinstance(known, _OnDemand) else Fits.of(list(self.values()))

    @cached_property
    def params(self) -> pd.DataFrame:
        """One row per group, one column per parameter, natural units."""
        labels = next(iter(self.values())).law.labels
        index = pd.Index(list(self))
        index.names = (
            [self.kind]
            if index.nlevels == 1
            else [f"{self.kind} {level}" for level in range(1, index.nlevels + 1)]
        )
        return pd.DataFrame(self._fits.numbers, index=index, columns=list(labels))

    @cached_property
    def certificates(self) -> pd.DataFrame:
        """One row per group: objective, rows, and what the certificate says, names joined by commas.

        It looks at all groups at once: thousands take moments.
        """
        return certified(self._fits).set_index(self.params.index)

    @property
    def converged(self) -> pd.Series:
        """Of each group whether its certificate calls it an optimum that the data determine."""
        return self.certificates["status"] == "converged"

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per group: parameters, objective, rows, status, verdict, agreement, how many warnings."""
        from scaling_jax.diagnosis.verdict import verdicts, warned_of

        said, fits = self.certificates, list(self.values())
        judged = verdicts(fits)
        found = said[["objective", "rows", "status"]].assign(
            verdict=[one.word for one in judged],
            agree=said["n_agree"].astype(str) + "/" + said["n_finished"].astype(str),
            warnings=[len(warned_of(fit, one)) for fit, one in zip(fits, judged, strict=True)],
        )
        return self.params.join(found)

    @checked
    def posterior(self, pool: Sequence[str] = (), **options: Any) -> PosteriorGroups:
        r"""The joint posterior of all groups, in which the groups of a pooled parameter are draws from one
        population.

        $$\theta_g \sim N(\mu, \tau), \quad \mu \sim \text{the law's prior}, \quad \tau \sim
        \text{half-normal, as wide as that prior}$$

        on the logarithm for positive parameters. A group with few runs borrows from the others as far as they
        agree.

        Args:
            pool: parameters whose groups lend each other strength, usually the exponents.
            **options: as in `FitResult.posterior`; priors may also name `alpha_mean` (on the log for positive
                parameters) and `alpha_sd`. nu and run_sd are common to all groups, sigma is each group's own.

        Returns:
            A `PosteriorGroups`: a mapping from group to `Posterior`, with `.population`, `.params`,
            `.summary()`, `.to_arviz()`. Groups that could not be fitted are left out, and said so.

        Raises:
            ValueError: for unknown parameters or options.
        """
        from scaling_jax.posterior.sample import sample_groups

        return sample_groups(self, pool, self.shared, **options)

    def predict(self, other: TableLike) -> pd.DataFrame:
        """Predictions for the same runs by every group that was fitted: one column per group."""
        return pd.DataFrame({key: f.predict(other) for key, f in self.items() if not f.reason})

    @checked
    def bootstrap(
        self,
        n: int = 1000,
        *,
        seed: int = 0,
        method: str | None = None,
        scale: str | None = None,
        paired: bool = False,
    ) -> DrawsGroups:
        """`FitResult.bootstrap` of every fitted group in one batch; shared parameters are refitted jointly.

        Args:
            n, seed, method, scale: as in `FitResult.bootstrap`.
            paired: resample training runs that several groups know by the same name (`run=`) together, so
                that groups may be compared draw by draw.

        Returns:
            A `DrawsGroups`: a mapping from group to `Draws`, with `.conf_int(level)`, `.derive(function)`
            over all groups, `.predict(other, interval=, level=)`. Of groups that share parameters, replicate
            i of every group belongs to one joint refit.

        Raises:
            ValueError: for an unknown method, or paired draws by a method that is not "run".

        >>> import scaling_jax as sj
        >>> x, loss = [1, 10, 100, 1000] * 2, [4, 2.1, 1, 0.5, 9, 3, 1, 0.3]
        >>> table = {"x": x, "loss": loss, "family": list("aaaabbbb")}
        >>> fits = sj.fit_groups(sj.laws.power_law, table, by="family")
        >>> faster = fits.bootstrap(50).derive(lambda g: g["b"]["alpha"] - g["a"]["alpha"])
        >>> bool(faster.loc["quantity", "lower"] > 0)
        True
        """
        from scaling_jax.uncertainty.bootstrap import bootstrap_groups

        return bootstrap_groups(self, n, seed, method, scale, paired)

    def summary(self) -> str:
        """One line per group, and how many need a second look."""
        return Printed(groups_text(self, self.table, self.shared, self.gain_left, self.kind))

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self)} fits>"

    def _title(self) -> str:
        return f"{len(self)} {self.kind}s fitted"

    def _sections(self) -> list[Section]:
        return groups_sections(self, self.table, self.shared, self.gain_left, self.kind)
