"""What a posterior is to its user: draws that predict as a bootstrap's do, and the chains behind them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.keyed import Keyed
from scaling_jax.core.printed import Printed
from scaling_jax.core.settings import own_settings
from scaling_jax.posterior.diagnostics import chain_table, chain_verdict
from scaling_jax.posterior.model import OFFSET
from scaling_jax.posterior.sampled import Sampled
from scaling_jax.reporting.blocks import Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.uncertainty.draws import FitEnsemble
from scaling_jax.uncertainty.ensemble import Ensemble, tail_of
from scaling_jax.uncertainty.tails import binomial_quantile, overdispersed_shares

__all__ = ["Posterior", "PosteriorGroups"]


@dataclass(frozen=True, eq=False)
class Posterior(FitEnsemble, Shown):
    """The posterior of one fit: plausible parameter vectors, and everything that follows from them.

    Made by `fit.posterior()`. `conf_int`, `derive` and `predict` report medians and equal-tailed intervals; a
    "prediction" band adds what the observation model says of a row of a new run.

    Args:
        sampled: the chains and the model.
        group: which group of the model this fit is.
    """

    sampled: Sampled
    group: int = 0

    @classmethod
    def of(cls, sampled: Sampled, group: int) -> Posterior:
        """One group's share of what was sampled."""
        fit, chains = sampled.fits[group], sampled.chains
        design = sampled.design
        draws = chains.energy.size
        named: dict[str, np.ndarray] = {}
        for p in design.free:
            value = chains.sites[p.name]
            value = value if p.name in design.shared else value[:, :, group]
            named[p.name] = value.reshape(draws, -1)
        for p in fit.law.parameters:
            if p.name in design.held:
                held = np.ravel(np.asarray(sampled.table.held[p.name])[group])
                named[p.name] = np.broadcast_to(held, (draws, p.size))
        for name, leader in design.tied:
            named[name] = named[leader]
        numbers = np.concatenate([named[p.name] for p in fit.law.parameters], axis=1)
        middle, words = np.median(numbers, axis=0), f"posterior, {sampled.words}"
        return cls(fit.law.labels, middle, numbers, words, fit, sampled, group)

    @cached_property
    def sites(self) -> dict[str, np.ndarray]:
        """(chains, draws, ...) parameters, sigma, nu, run_sd and run_offset, natural units."""
        design, found = self.sampled.design, {}
        for name, values in self.sampled.chains.sites.items():
            if name == OFFSET:
                found[name] = values[:, :, np.asarray(self.sampled.table.group) == self.group]
            else:
                found[name] = values if name in design.common else values[:, :, self.group]
        return found

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """R-hat and bulk and tail effective sample size per sampled number."""
        return pd.DataFrame(chain_table(self.sampled.flat(self.sites, None))).T

    @property
    def n_divergent(self) -> int:
        """Draws whose trajectory left the posterior."""
        return int(self.sampled.chains.diverging.sum())

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before quoting an interval; empty when there is nothing."""
        return _warnings(self.sampled, self.diagnostics)

    def _middle(self, draws: np.ndarray, estimate: np.ndarray) -> float:
        return float(np.nanmedian(draws))

    def _curve(self, curves: np.ndarray, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return np.nanmedian(curves, axis=0)

    def _scattered(self, curve: np.ndarray, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """Each row a run of its own, with an offset and scatter; of known standard errors the median."""
        design, se = self.sampled.design, self.fit.data().target_se
        if design.counts and se is not None:
            trials = int(np.round(np.median(se) ** -2.0))
            if design.law.of_scatter:
                return overdispersed_shares(curve, trials, self.numbers[:, -1:], rng, size)
            return binomial_quantile(rng.uniform(size=size), trials, np.clip(curve, 0.0, 1.0)) / trials
        sigma = self._noise("sigma")[:, None]
        if se is not None:
            sigma = np.sqrt(sigma**2 + np.median(se) ** 2)
        if design.student:
            noise = sigma * rng.standard_t(np.broadcast_to(self._noise("nu")[:, None], size))
        else:
            noise = sigma * rng.standard_normal(size)
        if design.run_effects:
            noise = noise + self._noise("run_sd")[:, None] * rng.standard_normal(size)
        with np.errstate(over="ignore"):
            return curve * np.exp(noise) if design.on_log else curve + noise

    def _noise(self, name: str) -> np.ndarray:
        if name in self.sites:
            return self.sites[name].ravel()
        return np.full(len(self.numbers), float(self.sampled.table.held[name]))

    @checked
    def prior_sensitivity(self, factor: float = 2.0) -> pd.DataFrame:
        r"""How far each parameter's mean moves when all priors of the law's parameters are raised to a power.

        $$p_\lambda(\theta \mid y) \propto p(\theta)^{\lambda}\, p(y \mid \theta), \qquad
          \lambda \in \{1/f, f\}$$

        by reweighting the draws, without sampling again.

        Args:
            factor: f: 2 makes every prior half and twice as informative.

        Returns:
            One row per parameter: weaker, stronger (shift of the mean in posterior standard deviations), and
            worth (share of the draws that the weights leave effective; below about 0.1 the shift is only a
            sign that priors matter).

        Source: Kallioinen, Paananen, Bürkner and Vehtari 2024 (arXiv:2107.14054).
        """
        if not 0 < factor < np.inf:
            raise ValueError(f"factor={factor:g}: give a positive number, such as 2.")
        log_prior = np.zeros(len(self.numbers))
        for p in self.sampled.design.free:
            if p.name not in self.sampled.design.pooled:
                value = self.params[p.labels].to_numpy()
                with own_settings():
                    log_prior += np.asarray(self.sampled.table.priors[p.name].log_prob(value)).sum(axis=1)
        out: dict[str, np.ndarray] = {}
        worth, spread = 1.0, self.numbers.std(axis=0)
        for word, power in (("weaker", 1 / factor - 1), ("stronger", factor - 1)):
            moved = power * (log_prior - log_prior.mean())
            weight = np.exp(moved - moved.max())
            weight = weight / weight.sum()
            shift = weight @ self.numbers - self.numbers.mean(axis=0)
            out[word] = np.divide(shift, spread, out=np.zeros_like(shift), where=spread > 0)
            worth = min(worth, 1.0 / float(np.sum(weight**2)) / len(weight))
        return pd.DataFrame(out, index=list(self.fit.law.labels)).assign(worth=worth)

    @checked
    def summary(self, level: float = 0.9) -> str:
        """Parameters with their intervals, chains in plain words."""
        return Printed(_report(self._title(), self.sampled, self._table(level)))

    def _table(self, level: float) -> pd.DataFrame:
        """Every sampled number with its interval and how well it was sampled."""
        named = self.sampled.flat(self.sites, None)
        numbers = np.stack([draws.ravel() for draws in named.values()], axis=-1)
        everything = Ensemble(list(named), np.nanmedian(numbers, axis=0), numbers, self.method)
        table = everything.conf_int(level).rename(columns={"estimate": "median", "se": "sd"})
        return table.join(self.diagnostics)

    def _title(self) -> str:
        return f"Posterior of {self.fit.law.name}: {len(self.fit.data())} rows, {self.sampled.words}"

    def _sections(self) -> list[Section]:
        table = self._table(0.9)
        said = _verdict(self.sampled, table)
        words = [Words(one, "care" if self.warnings else "lead") for one in said]
        return [Section("", [*words, grid_of(table, True)])]

    def to_arviz(self) -> Any:
        """Posterior, posterior predictive, log likelihood, observed and constant data as ArviZ holds them.

        An `InferenceData` under ArviZ 0.x and a `DataTree` from 1.0 on; attributes name the law, the
        fingerprint of the data, versions and seed. The log likelihood is per row, so `arviz.loo` works.
        """
        from scaling_jax.posterior._arviz import to_arviz

        return to_arviz(self.sampled, [self.group], None)

    def __str__(self) -> str:
        return self.summary()


class PosteriorGroups(Keyed[Posterior], Shown):
    """The joint posterior of many groups: a mapping from the group's key to its `Posterior`.

    Made by `fits.posterior(pool=[...])`. Pooled parameters have a population, whose mean and standard
    deviation are in `population` (on the log for positive parameters).

    Args:
        sampled: the chains and the model.
        skipped: key -> why a group is not in the model.
    """

    def __init__(self, sampled: Sampled, skipped: Mapping[Hashable, str] | None = None):
        super().__init__({fit.key: Posterior.of(sampled, g) for g, fit in enumerate(sampled.fits)})
        self.sampled = sampled
        self.skipped = dict(skipped or {})

    @cached_property
    def population(self) -> pd.DataFrame:
        """One row per draw: mean and sd of each population, shared parameters, common noise."""
        found = {name: self.sampled.chains.sites[name] for name in self.sampled.design.common}
        return pd.DataFrame({name: values.ravel() for name, values in self.sampled.flat(found, None).items()})

    @cached_property
    def params(self) -> pd.DataFrame:
        """Posterior medians, one row per group, one column per parameter."""
        labels = list(self.sampled.design.law.labels)
        medians = [np.median(member.numbers, axis=0) for member in self.values()]
        return pd.DataFrame(medians, index=pd.Index(list(self), name="group"), columns=labels)

    @cached_property
    def diagnostics(self) -> pd.DataFrame:
        """R-hat and effective sample sizes of every sampled number of every group."""
        return pd.DataFrame(chain_table(self.sampled.flat(self.sampled.chains.sites, list(self)))).T

    @property
    def n_divergent(self) -> int:
        """Draws whose trajectory left the posterior."""
        return int(self.sampled.chains.diverging.sum())

    @property
    def warnings(self) -> list[str]:
        """What a reader must know, most serious first."""
        return [*_warnings(self.sampled, self.diagnostics), *self._left_out()]

    def _left_out(self) -> list[str]:
        return [f"Group {shown(key)} is left out: {why}" for key, why in self.skipped.items()]

    @checked
    def summary(self, level: float = 0.9) -> str:
        """The populations with their intervals, the groups' medians, chains in plain words."""
        text = _report(self._title(), self.sampled, self._table(level), self.diagnostics)
        return Printed(
            "\n".join([text, *self._left_out(), "", self.params.to_string(float_format=lambda x: f"{x:.4g}")])
        )

    def _table(self, level: float) -> pd.DataFrame:
        """What all groups have in common, with intervals and how well it was sampled."""
        tail = tail_of(level)
        low, middle, high = (
            np.quantile(self.population, [tail, 0.5, 1 - tail], axis=0)
            if len(self.population.columns)
            else ([], [], [])
        )
        table = pd.DataFrame({"median": middle, "lower": low, "upper": high}, index=self.population.columns)
        return table.join(self.diagnostics)

    def _title(self) -> str:
        design = self.sampled.design
        pooled = f"{', '.join(design.pooled)} pooled" if design.pooled else "nothing pooled"
        return f"Posterior of {design.law.name} for {len(self)} groups, {pooled}: {self.sampled.words}"

    def _sections(self) -> list[Section]:
        said = [*_verdict(self.sampled, self.diagnostics), *self._left_out()]
        common = self._table(0.9)
        parts = [Section("", [Words(one, "care" if self.warnings else "lead") for one in said])]
        if len(common):
            parts.append(Section("What the groups have in common", [grid_of(common, True)]))
        return [*parts, Section("Medians of each group", [grid_of(self.params, True)])]

    def to_arviz(self) -> Any:
        """The joint posterior as ArviZ holds it, with a dimension of groups; see `Posterior.to_arviz`."""
        from scaling_jax.posterior._arviz import to_arviz

        return to_arviz(self.sampled, list(range(len(self))), list(self))

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<PosteriorGroups of {len(self)} groups: {self.sampled.words}>"


GOOD, APPROXIMATE = "The chains agree", "Approximate"


def _verdict(sampled: Sampled, diagnostics: pd.DataFrame) -> list[str]:
    chains = sampled.chains
    if chains.log_weight is not None:
        return [_laplace_verdict(importance_worth(chains.log_weight))]
    return chain_verdict(diagnostics, int(chains.diverging.sum()), chains.energy.size)


def _warnings(sampled: Sampled, diagnostics: pd.DataFrame) -> list[str]:
    """The verdict where it is no good one."""
    found = _verdict(sampled, diagnostics)
    return [] if found[0].startswith((GOOD, APPROXIMATE)) else found


def _laplace_verdict(worth: float) -> str:
    word, trust = "Mind", "not to be trusted here: use method='nuts'"
    if worth > 0.5:
        word, trust = APPROXIMATE, "close to the posterior"
    elif worth > 0.1:
        trust = "rough"
    left = f"importance weights leave {worth:.0%} of the draws"
    return f"{word}: the Laplace approximation is {trust} ({left})."


def importance_worth(log_weight: np.ndarray) -> float:
    """Share of draws that importance weights leave effective."""
    weight = np.exp(log_weight - log_weight.max())
    return float(weight.sum() ** 2 / np.sum(weight**2) / weight.size)


def _report(
    title: str, sampled: Sampled, table: pd.DataFrame, diagnostics: pd.DataFrame | None = None
) -> str:
    shown = {"r_hat": "{:.3f}".format, "ess_bulk": "{:,.0f}".format, "ess_tail": "{:,.0f}".format}
    body = table.to_string(float_format=lambda x: f"{x:.4g}", formatters=shown) if len(table) else ""
    found = _verdict(sampled, table if diagnostics is None else diagnostics)
    return "\n".join([title, "", body, "", *found])
