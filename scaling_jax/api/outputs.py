"""Fits of several outputs of the same runs: a mapping from output to result."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from scaling_jax.api.groups import FitGroups
from scaling_jax.core.checked import checked
from scaling_jax.tables.frames import TableLike

if TYPE_CHECKING:
    from scaling_jax.uncertainty.draws import DrawsGroups

__all__ = ["FitOutputs"]


class FitOutputs(FitGroups):
    """One law fitted to several outputs of the same runs, such as the losses on several domains.

    Made by `sj.fit(law, runs, target=[...])`: a mapping from output to its `FitResult`. Parameters are each
    output's own, save those that are `shared`. Whatever is resampled takes all outputs of a run together, so
    that functions of several outputs, such as their mean, have the right intervals.
    """

    kind = "output"

    @checked
    def predict(self, other: TableLike, interval: object = None, level: float = 0.9) -> pd.DataFrame:
        """Every output's prediction for other runs.

        Args:
            other: a table or mapping of inputs, as in `FitResult.predict`.
            interval: None, "confidence" or "prediction", as in `FitResult.predict`.
            level: probability between the two ends of each band.

        Returns:
            One row per run and one column per output; with an interval the columns are pairs of output and
            prediction, lower, upper, extrapolation.

        Raises:
            DataError: if an input is missing or outside its domain.

        >>> import scaling_jax as sj
        >>> table = {"x": [1, 10, 100], "loss_code": [4, 2, 1], "loss_web": [9.0, 3.0, 1.0]}
        >>> fits = sj.fit(sj.laws.power_law, table, target=["loss_code", "loss_web"])
        >>> fits.predict({"x": [1000]}).round(4).to_dict("list")
        {'loss_code': [0.5], 'loss_web': [0.3333]}
        """
        if interval is None:
            found = super().predict(other)
            return found.set_axis(other.index) if isinstance(other, pd.DataFrame) else found
        bands = {key: draws.predict(other, str(interval), level) for key, draws in self.draws.items()}
        return pd.concat(bands, axis=1, names=["output", ""])

    @cached_property
    def draws(self) -> DrawsGroups:
        """The bootstrap behind `conf_int` and `predict(interval=)`: 1,000 replicates, seed 0, kept."""
        return self.bootstrap()

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of all parameters of all outputs from `draws`."""
        return self.draws.conf_int(level)

    @checked
    def bootstrap(
        self,
        n: int = 1000,
        *,
        seed: int = 0,
        method: str | None = None,
        scale: str | None = None,
        paired: bool = True,
    ) -> DrawsGroups:
        """Refits all outputs to `n` resampled tables, in which a run is drawn with all its outputs.

        Args:
            n, seed: as in `FitResult.bootstrap`.
            method: "run" or "bayesian"; None is what the objective asks for.
            scale, paired: as in `FitGroups.bootstrap`, and not to be chosen here.

        Returns:
            A `DrawsGroups`: `.conf_int(level)`, `.derive(function)` of all outputs' parameters,
            `.predict(...)`; replicate i of every output belongs to the same resampled runs.

        Raises:
            ValueError: for another method, or one that tears the outputs of a run apart.
        """
        from scaling_jax.uncertainty.bootstrap import bootstrap_outputs

        if not paired or scale is not None:
            raise ValueError("Outputs of a run are resampled together: leave scale= and paired= out.")
        return bootstrap_outputs(self, n, seed, method)
