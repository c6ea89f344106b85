"""What a decision is made from: the law, parameters and draws in whatever the user hands in.

Fits, their bootstraps and posteriors, chains, printed constants, `(law, params)`, groups of any of these, and
whatever says by `as_source` how it is to be read (Approaches 1 and 2 do) all become a `Source`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Array, Columns, Named, Numbers
from scaling_jax.core.law import Law, check_law
from scaling_jax.engine.coordinates import to_natural
from scaling_jax.engine.predict import predict
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.joined import chained
from scaling_jax.published.entry import Entry
from scaling_jax.uncertainty.bootstrap import REPLICATES, bootstrap_groups, draws_of
from scaling_jax.uncertainty.chain import Chain
from scaling_jax.uncertainty.draws import Draws, FitEnsemble

__all__ = [
    "AnySource",
    "AsBelief",
    "AsSource",
    "LawSource",
    "Optima",
    "Source",
    "Sources",
    "source_of",
    "sources_of",
]

NO_DATA = (
    "This result was read from JSON, which holds no data, so there are no intervals: use .with_data(runs)."
)
CLOSE = 0.02  # of an objective: a rival optimum that near is told
Quantity: TypeAlias = Callable[[Named, Named], Array]
"""From the parameters and inputs of one run, in jax.numpy, to a number that follows from them."""


@dataclass(frozen=True, eq=False)
class Source:
    """A law with the parameters that a decision is made from.

    Args:
        law: the law.
        numbers: (labels,) the parameters, natural units.
        draws: (draws, labels) plausible parameters, or None.
        method: how the draws were made, in words.
        median: whether what is said is the median over draws (of a posterior) and not what follows from
            `numbers`.
        rows: input -> (rows,) of the fitted runs; empty where they are not known.
        ends: input -> lowest and highest of the fitted runs, where those are known.
        count: how sizes and compute were counted, as the user or the paper said.
        also: further quantities of a run, by name: the loss in the middle of a chain, the size behind a
            frontier in compute.
        rivals: (rivals, labels) other optima of the fit that the data hardly tell from this one.
        notes: what a reader must know before acting on it.
        ahead: (knots,) standard deviation of the law's own error in logs at 0, 1, 2, ... decades of compute
            beyond the fitted runs, where it is known and the draws do not hold it.
        band: (knots,) the same of all that is not known, draws and error together.
        run_sd: scatter of one run's log loss, where it is known.
    """

    law: Law
    numbers: Numbers
    draws: Numbers | None = None
    method: str = ""
    median: bool = False
    rows: Columns = field(default_factory=dict)
    ends: dict[str, tuple[float, float]] = field(default_factory=dict)
    count: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, Quantity] = field(default_factory=dict)
    rivals: Numbers | None = None
    notes: tuple[str, ...] = ()
    ahead: Numbers | None = None
    band: Numbers | None = None
    run_sd: float = np.nan

    def errors_at(self, decades: float) -> tuple[float, float]:
        """The law's own error so many decades beyond the fitted runs, and all that is not known; NaN where
        that is not known."""
        both = (self.ahead, self.band)
        own, whole = (np.nan if e is None else float(np.interp(decades, range(len(e)), e)) for e in both)
        return own, whole

    @property
    def params(self) -> dict[str, Numbers]:
        """The parameters by name."""
        return self.law.unflatten(self.numbers)


@runtime_checkable
class AsSource(Protocol):
    """Whatever knows itself how a decision is made from it, with draws of its own where they are wanted."""

    def as_source(self, draws: bool) -> Source: ...


@runtime_checkable
class AsBelief(Protocol):
    """Whatever knows what it believes of runs yet to be trained, its own error told apart from its draws."""

    def as_belief(self) -> Source: ...


@runtime_checkable
class Optima(Protocol):
    """What knows the best runs without a law, as the results of Approaches 1 and 2 do."""

    def optimal(self, flops: ArrayLike, *, level: float = ...) -> pd.DataFrame: ...

    def exponents(self, *, level: float = ...) -> pd.DataFrame: ...


@runtime_checkable
class WithDraws(Protocol):
    """Draws of one fit's parameters, as a bootstrap or a posterior has them."""

    @property
    def fit(self) -> Fitted: ...

    @property
    def numbers(self) -> np.ndarray: ...


@runtime_checkable
class WithConstants(Protocol):
    """Whatever carries a law with its constants, as a published entry does."""

    @property
    def law(self) -> Law: ...

    @property
    def params(self) -> Mapping[str, ArrayLike]: ...


@runtime_checkable
class Bootstrapped(Protocol):
    """Groups that draw all their members together, as the result of `sj.fit_groups` does."""

    def bootstrap(self, n: int) -> Mapping[Hashable, WithDraws]: ...


LawSource: TypeAlias = (
    Source | AsSource | Fitted | WithDraws | Chain | WithConstants | tuple[Law, Mapping[str, ArrayLike]]
)
"""Whatever stands for a law with parameters: a fit, its bootstrap or posterior, a chain, an entry, the result
of Approach 1 or 2, `(law, params)`."""
AnySource: TypeAlias = LawSource | Mapping[Hashable, LawSource]
"""One of these, or groups of them."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Groups that a decision is made from.

    Args:
        members: group -> source.
        failed: group -> why nothing can be said of it.
    """

    members: dict[Hashable, Source]
    failed: dict[Hashable, str]


def source_of(what: object, draws: bool = True) -> Source:
    """Reads law, parameters and draws out of whatever a decision is made from.

    Args:
        what: a `LawSource`.
        draws: whether a bare fit is to be bootstrapped (1,000 refits, kept on the fit).

    Raises:
        TypeError: for something that holds no law.
        ValueError: for a fit that failed, or parameters that are none.
    """
    if isinstance(what, Source):
        return what
    if isinstance(what, AsSource):
        return what.as_source(draws)
    if isinstance(what, Fitted):
        if not draws or what.reason:
            return _of_fit(what, None)
        if what.runs is None:
            return replace(_of_fit(what, None), notes=(NO_DATA,))
        return _of_fit(what, draws_of(what))
    if isinstance(what, WithDraws):
        return _of_fit(what.fit, what)
    if isinstance(what, Chain):
        return _of_chain(what, draws)
    law, params = _law_and_params(what)
    check_law(law)
    if not isinstance(what, Entry):
        return Source(law, law.numbers_of(params))
    notes = tuple(_counted(what.count))
    return Source(law, law.numbers_of(params), ends=dict(what.range), count=what.count, notes=notes)


def sources_of(what: object, draws: bool = True) -> Sources:
    """`source_of` of every group, with groups of fits bootstrapped in one batch.

    Args:
        what: a mapping from group to what it is made from: the result of `sj.fit_groups`, its bootstrap or
            posterior, or a dict.
        draws: as in `source_of`.

    Raises:
        TypeError: for something that is no mapping.
    """
    if not isinstance(what, Mapping):
        raise TypeError(f"Groups are a mapping from name to fit, not {type(what).__name__}.")
    members: Mapping[Hashable, object] = what
    if draws and what and all(isinstance(one, Fitted) and one.runs is not None for one in what.values()):
        found = (
            what.bootstrap(REPLICATES)
            if isinstance(what, Bootstrapped)
            else bootstrap_groups(what, REPLICATES, 0, None, None, paired=False)
        )
        members = {**what, **found}
    good, failed = {}, {}
    for key, one in members.items():
        try:
            good[key] = source_of(one, draws)
        except ValueError as error:
            failed[key] = str(error)
    return Sources(good, failed)


def _of_fit(fit: Fitted, drawn: WithDraws | None) -> Source:
    if fit.reason:
        raise ValueError(f"There is no fit to plan from: {fit.reason}")
    rows = {} if fit.runs is None else dict(fit.data().inputs)
    return Source(
        law=fit.law,
        numbers=fit.numbers,
        draws=None if drawn is None else np.asarray(drawn.numbers),
        method=drawn.method if isinstance(drawn, FitEnsemble) else "",
        median=isinstance(drawn, FitEnsemble) and not isinstance(drawn, Draws),
        rows=rows,
        ends={name: (float(column.min()), float(column.max())) for name, column in rows.items()},
        count=fit.count,
        rivals=_rivals(fit),
        notes=(*_standing(fit), *_counted(fit.count)),
    )


def _of_chain(chain: Chain, draws: bool) -> Source:
    """The chain as one law, whose draws are those of its stages side by side."""
    stages = [_of_fit(stage, None) for stage in chain.stages]
    law, also = chained(tuple(stage.law for stage in stages), chain.via)
    drawn = draws and all(stage.rows for stage in stages)
    return Source(
        law=law,
        numbers=np.concatenate([stage.numbers for stage in stages]),
        draws=np.concatenate([one.numbers for one in chain.draws], axis=1) if drawn else None,
        method=chain.draws[0].method if drawn else "",
        rows=stages[0].rows,
        ends=stages[0].ends,
        count=stages[0].count,
        also=also,
        notes=tuple(dict.fromkeys(note for stage in stages for note in stage.notes)),
    )


def _law_and_params(what: object) -> tuple[Law, object]:
    if isinstance(what, WithConstants) and isinstance(what.law, Law):
        return what.law, what.params
    if isinstance(what, tuple) and len(what) == 2 and isinstance(what[0], Law):
        return what
    group = "; pick one group: fits[key]." if isinstance(what, Mapping) else "."
    raise TypeError(
        "A plan is made from a fit, its bootstrap or posterior, a chain, a published entry, or (law, "
        f"params), not {type(what).__name__}{group}"
    )


def _standing(fit: Fitted) -> list[str]:
    """What the certificate says of a fit that should not be acted on."""
    if fit.runs is None and fit.stored_certificate is None:
        return []
    if fit.status == "not_converged":
        return [f"The fit of '{fit.law.name}' is not converged: do not act on what follows from it."]
    if fit.status == "underdetermined":
        return [
            f"The fit of '{fit.law.name}' is underdetermined, so what follows from it is one of many answers."
        ]
    return []


def _rivals(fit: Fitted) -> Numbers | None:
    """Other optima that the fit's starts found and whose objective is about as good."""
    gap = fit.certificate.runner_up if fit.runs is not None else np.nan
    if not gap < CLOSE:
        return None
    evidence, runs = fit.evidence, fit.data()
    others = to_natural(fit.law.label_domains, evidence.basins[1:] @ evidence.tie.T + evidence.offset)
    told = predict(fit.law, others, runs.inputs)
    missed = fit.objective.residual(told, runs.target, runs.target_se, others)
    values = fit.objective.rho(missed) @ runs.weight
    near = values < fit.objective_value * (1 + CLOSE)
    return others[near] if near.any() else None


def _counted(count: Mapping[str, str]) -> list[str]:
    """What must be said of a size that leaves something out."""
    if (size := count.get("N")) and "non" in size.lower():
        return [
            f"N is counted '{size}', so C = 6 N D leaves out the embedding's FLOP and N is smaller than the "
            "model: the optimum differs from one in total parameters (Pearce and Song 2024)."
        ]
    return []
