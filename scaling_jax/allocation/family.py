"""Approaches 1, 2 and 3 on one table, and where they disagree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax import laws
from scaling_jax.allocation.envelope import Envelope, envelope
from scaling_jax.allocation.isoflop import Isoflop, isoflop
from scaling_jax.api.fit import fit
from scaling_jax.api.result import FitResult
from scaling_jax.core.checked import checked
from scaling_jax.core.law import Law
from scaling_jax.fitting.spec import asked
from scaling_jax.reporting.blocks import Items, Section, Words, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.runs import DataError
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = ["Approaches", "approaches"]

Approach: TypeAlias = Envelope | Isoflop | FitResult
NAMES = {1: "1, envelope", 2: "2, isoFLOP", 3: "3, law"}
ASKED = ("N", "loss")
BEYOND = 10.0  # of the largest compute: where approaches are compared unless said otherwise
SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Approaches(Shown):
    """What three readings of one table say; made by `sj.approaches`.

    Args:
        members: 1, 2, 3 -> the result of that approach, which has `.optimal(flops, level)`,
            `.exponents(level)` and draws.
        missing: 1, 2, 3 -> why there is none.
        largest: compute of the largest run, FLOP.
    """

    members: Mapping[int, Approach]
    missing: Mapping[int, str]
    largest: float

    @checked
    def optimal(self, flops: ArrayLike, level: float | None = 0.9) -> pd.DataFrame:
        """The best run of each budget by every approach, with intervals; see `sj.compute_optimal`."""
        parts = [one.optimal(flops, level).assign(approach=NAMES[n]) for n, one in self.members.items()]
        whole = pd.concat(parts, ignore_index=True)
        return whole[["approach", *whole.columns.drop("approach")]]

    @checked
    def exponents(self, level: float | None = 0.9) -> pd.DataFrame:
        """How N* and D* grow with compute by every approach: rows (approach, N or D)."""
        parts = {NAMES[n]: one.exponents(level).loc[["N", "D"]] for n, one in self.members.items()}
        return pd.concat(parts, names=["approach", "quantity"])

    @checked
    def disagreements(self, flops: float | None = None, level: float = 0.9) -> list[str]:
        """Where the intervals of two approaches are apart, in sentences.

        Args:
            flops: the budget of the plans that are compared; ten times the largest run's compute without it.
            level: of the intervals.
        """
        budget = BEYOND * self.largest if flops is None else flops
        found = []
        for name in ("N", "D"):
            rows = self.exponents(level).xs(name, level="quantity")
            found += _apart(rows, "estimate", "lower", "upper", f"the exponent of {name}*")
        rows = self.optimal(budget, level).set_index("approach")
        for name in ASKED:
            words = f"the best size for {budget:.3g} FLOP" if name == "N" else f"its {name}"
            found += _apart(rows, name, f"{name}_lower", f"{name}_upper", words)
        return found

    def __str__(self) -> str:
        budget = BEYOND * self.largest
        exponents = self.exponents().to_string(float_format=lambda x: f"{x:.3f}")
        plans = self.optimal(budget).to_string(index=False, float_format=lambda x: f"{x:.4g}")
        return "\n".join([exponents, "", plans, "", *self._apart(), *self._left_out()])

    def _apart(self) -> list[str]:
        same = f"No two intervals are apart, of exponents or of plans for {BEYOND * self.largest:.3g} FLOP."
        return self.disagreements() or [same]

    def _left_out(self) -> list[str]:
        return [f"Approach {n} is left out: {why}" for n, why in self.missing.items()]

    def _title(self) -> str:
        return f"Approaches {', '.join(map(str, self.members))} on one table"

    def _sections(self) -> list[Section]:
        budget = BEYOND * self.largest
        first, *more = self._apart()
        rest = (*more, *self._left_out())
        return [
            Section(
                "",
                [Words(first, "care" if self.disagreements() else "lead"), *([Items(rest)] if rest else [])],
            ),
            Section(f"The best run of {budget:.3g} FLOP", [grid_of(self.optimal(budget))]),
            Section("How it grows with compute, exponents", [grid_of(self.exponents(), True)]),
        ]

    def __repr__(self) -> str:
        return f"<Approaches {', '.join(map(str, self.members))}; largest run {self.largest:.3g} FLOP>"


@checked
def approaches(
    runs: TableLike,
    *,
    budget: str | ArrayLike | None = None,
    N: str = "N",
    D: str = "D",
    loss: str = "loss",
    run: str | None = None,
    law: Law = laws.chinchilla,
    **options: Any,
) -> Approaches:
    """Approaches 1, 2 and 3 on one table of runs.

    Args:
        runs: one row per run, or per checkpoint.
        budget: the column of compute budgets, or amounts at which losses are read off along runs, for
            Approach 2.
        N, D, loss: columns of parameters, tokens and loss.
        run: the column that names runs, for Approach 1 and for whatever resamples runs.
        law: the law of N and D of Approach 3.
        **options: of `sj.fit` for Approach 3.

    Returns:
        An `Approaches`: `.optimal(flops)`, `.exponents()`, `.disagreements()`, and the results themselves in
        `.members`. An approach that the table does not allow is left out, with the reason in `.missing`.

    Raises:
        DataError: for a table that no approach can read.
        TypeError: for options that `sj.fit` does not know.

    Source: Hoffmann et al. 2022 (arXiv:2203.15556), section 3.

    >>> import numpy as np, pandas as pd, scaling_jax as sj
    >>> C, N = (grid.ravel() for grid in np.meshgrid([1e19, 1e20, 1e21], np.geomspace(1e8, 1e10, 15)))
    >>> table = pd.DataFrame({"C": C, "N": N, "D": C / (6 * N)})
    >>> table["loss"] = sj.published["hoffmann2022"](table["N"], table["D"])
    >>> found = sj.approaches(table, budget="C")
    >>> found.exponents(level=None)["estimate"].round(2).tolist()
    [0.45, 0.55, 0.45, 0.55]
    """
    _check_options(law, options)
    runs = as_frame(as_columns(runs))
    tries: dict[int, Callable[[], Approach]] = {
        1: lambda: envelope(runs, run=_named(run, "run=, the column of runs"), N=N, D=D, loss=loss),
        2: lambda: isoflop(runs, budget=_budget(budget), N=N, D=D, loss=loss, run=run),
        3: lambda: fit(law, runs, inputs={"N": N, "D": D}, target=loss, run=run, **options),
    }
    members: dict[int, Approach] = {}
    missing: dict[int, str] = {}
    for number, attempt in tries.items():
        try:
            members[number] = attempt()
        except DataError as error:
            missing[number] = str(error)
    if not members:
        raise DataError(" ".join(missing.values()))
    sizes = (
        runs[[N, D]].to_numpy(dtype=np.float64) if {N, D} <= set(runs.columns) else np.full((1, 2), np.nan)
    )
    return Approaches(members, missing, TOKENS_FLOP * float(np.nanmax(sizes[:, 0] * sizes[:, 1])))


def _check_options(law: Law, options: Mapping[str, Any]) -> None:
    """Refuses what is no option of a fit, before three approaches are tried."""
    if said := sorted({"inputs", "target"} & set(options)):
        raise TypeError(f"approaches({said[0]}=...): name the columns by N=, D= and loss=.")
    asked(law, {name: value for name, value in options.items() if name != "strict"}, "approaches", "")


def _named(column: str | None, words: str) -> str:
    if column is None:
        raise DataError(f"it needs {words}.")
    return column


def _budget(budget: str | ArrayLike | None) -> str | ArrayLike:
    if budget is None:
        raise DataError("it needs budget=, the column of compute budgets, or amounts of compute.")
    return budget


def _apart(rows: pd.DataFrame, value: str, lower: str, upper: str, what: str) -> list[str]:
    """Sentences for pairs of rows whose intervals do not touch."""
    found = []
    for (one, a), (other, b) in combinations(rows.iterrows(), 2):
        if max(a[lower], b[lower]) > min(a[upper], b[upper]) * (1 + SAME):
            found.append(
                f"Approaches {one} and {other} disagree on {what}: {a[value]:.4g} ({a[lower]:.4g} to "
                f"{a[upper]:.4g}) and {b[value]:.4g} ({b[lower]:.4g} to {b[upper]:.4g})."
            )
    return found
