r"""Which runs to train next, for the answer that is wanted.

Before the runs the log losses of every place are Gaussian: the law's, linear in its parameters about the
estimate, and an error of the law that walks along the decades of compute and is pinned at the answer,

$$\operatorname{cov}(y_i, y_j) = g_i^\top P g_j + \kappa^2 \min(x^* - x_i,\; x^* - x_j) + \sigma^2 [i = j],$$

g the gradient of the log loss. A run changes the variance of the answer by a known amount, whatever it will
show. Without the walk the best design trusts the law: it buys hundreds of cheap runs; with it the runs that
are near in scale are worth their price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.law import Law
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.drift import walk_of
from scaling_jax.planning.optimal_design import least_variance
from scaling_jax.planning.problem import read_problem
from scaling_jax.planning.recipes import compute_of, last_rows, residuals_of, run_scatter
from scaling_jax.planning.source import Source, WithDraws, source_of
from scaling_jax.reporting.blocks import Items, Section, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.tables.frames import TableLike, as_columns, as_frame
from scaling_jax.tables.numbers import floats
from scaling_jax.tables.read import read_inputs
from scaling_jax.tables.scale import budgets_of
from scaling_jax.uncertainty.ensemble import check_level, tail_of
from scaling_jax.uncertainty.tails import normal_quantile

__all__ = ["NextRuns", "next_runs", "precision_for"]

DISCREPANCY = 0.001  # did best beside 0, .002 and .005 in benchmarks.next_runs, over three kinds of truth
RUN_SD = 0.004
LOGS, RELATIVE = 1.0, 0.3  # belief about parameters before any run
SIZES, DECADES_DOWN = 13, 3.5
RATIOS = (5.0, 20.0, 80.0)
POWERS = (1.0, 0.7, 0.4, 0.0)
MOST_RUNS = 400
GAIN = 1e-4  # of the standard deviation, below which further runs do not help
MANY = 1e6  # repeats of every candidate, for the least that these sizes can reach
STEP = 1e-4  # of a parameter, or its logarithm, by which a derived answer is differentiated


@dataclass(frozen=True, eq=False)
class NextRuns(Shown):
    """Runs worth training; made by `sj.next_runs`.

    Args:
        table: a row per place chosen, dearest first: the law's inputs, runs (how many there), cost (of all of
            them), share of the budget.
        before, after: standard deviation of the answer (the log of a loss, an optimum or a positive
            parameter), without and with the runs.
        floor: what any number of runs at the candidates would leave.
        spent: cost of the chosen.
        budget: what was to be spent.
        answer: what is wanted, in words.
        level: of `halfwidth`.
    """

    table: pd.DataFrame
    before: float
    after: float
    floor: float
    spent: float
    budget: float
    answer: str
    level: float

    @property
    def halfwidth(self) -> float:
        """Half the interval of the answer with the runs."""
        return float(normal_quantile(1 - tail_of(self.level)) * self.after)

    def __str__(self) -> str:
        runs = int(self.table["runs"].sum())
        percent = 100 * normal_quantile(1 - tail_of(self.level))
        lines = [
            f"{runs} runs for {self.spent:.3g} of {self.budget:.3g}: the interval of {self.answer} goes from "
            f"+-{percent * self.before:.2g} % to +-{percent * self.after:.2g} % ({100 * self.level:.3g} %).",
            f"Any number of runs at these sizes leaves +-{percent * self.floor:.2g} %.",
        ]
        return "\n".join([*lines, self.table.to_string(index=False, float_format=lambda v: f"{v:.3g}")])

    def __repr__(self) -> str:
        return f"<NextRuns: {int(self.table['runs'].sum())} runs, sd {self.before:.3g} to {self.after:.3g}>"

    def _title(self) -> str:
        return f"Runs to train next for {self.answer}"

    def _sections(self) -> list[Section]:
        said = tuple(str(self).splitlines()[:2])
        return [Section("", [Items(said), grid_of(self.table, index=False)])]


@checked
def next_runs(
    source: Any,
    budget: float,
    *,
    at: Mapping[str, float] | None = None,
    flops: float | None = None,
    of: str = "loss",
    parameter: str | None = None,
    candidates: TableLike | None = None,
    cost: str | ArrayLike | None = None,
    replicate: bool = True,
    discrepancy: float | str = "table",
    run_sd: float | None = None,
    level: float = 0.9,
) -> NextRuns:
    r"""The runs, within a budget, after which the answer is known best.

    $$\min_n \operatorname{Var}[q \mid n \text{ runs}] \quad \text{where } \sum_i n_i k_i \le B$$

    of the answer q, k_i being the cost of a run at place i and B the budget; runs err by the
    law's own error, a walk of `discrepancy` per root decade of compute that ends at the answer, and by
    `run_sd`.

    Args:
        source: a fit (its runs count as made), draws of one, a published entry or `(law, params)` where no
            run exists yet.
        budget: what the runs may cost together, in the unit of the cost.
        at, flops, parameter: the answer: the loss at given inputs ({"N": 7e10, "D": 1.4e12}), something of
            the best run of a budget, or a parameter by name. The best design for a contrast of two recipes is
            that of its level, trained with both.
        of: what of a budget's best run is the answer: "loss", or an input, "N" or "D".
        candidates: table of places that may be trained, the law's inputs as columns; by default a grid of
            sizes and tokens per parameter whose runs cost at most the budget.
        cost: column of the candidates or one number each; 6 N D, or compute itself, by default.
        replicate: whether a candidate may be trained more than once (with other seeds).
        discrepancy: the law's own error, as a share of the loss per root decade of compute: "table" reads it
            off what a fit leaves unexplained (.001 without one); 0 trusts the law.
        run_sd: scatter of one run's log loss; what the fit leaves by default, .004 without one.
        level: of the interval.

    Returns:
        A `NextRuns`: `.table` (places and how many runs), `.before`, `.after`, `.floor`, `.halfwidth`;
        printed, sentences.

    Raises:
        ValueError: for an answer that is none or several, candidates or costs that make no sense, or a budget
            that pays for no candidate.

    Source: c-optimal design, Pukelsheim 1993; the discrepancy, Kennedy and O'Hagan 2001.

    >>> import scaling_jax as sj
    >>> plan = sj.next_runs(sj.published["besiroglu2024_huber"], 1e22, flops=1e24)
    >>> bool(plan.after < plan.before and plan.spent <= 1e22)
    True
    """
    check_level(level)
    _check_discrepancy(discrepancy)
    budget = float(budgets_of(budget, "budget")[0])
    if run_sd is not None and not 0 <= run_sd < np.inf:
        raise ValueError(f"run_sd={run_sd!r}: give a finite number, zero or more.")
    one = source_of(source, draws=False)
    goal = _goal(one, at, flops, of, parameter)
    places, prices = _candidates(one, candidates, cost, budget)
    model = _Model.of(one, source, places, goal, discrepancy, run_sd)
    affordable = prices <= budget * (1 + 1e-9)
    if not affordable.any():
        raise ValueError(
            f"The cheapest candidate costs {prices.min():.3g}, more than the budget of {budget:.3g}."
        )
    most = MANY if replicate else 1.0
    plans = [model.greedy(prices, budget, power, most) for power in POWERS]
    plans += model.by_program(prices, budget, most)
    counts = min(plans, key=model.variance)
    chosen = np.flatnonzero(counts)
    table = pd.DataFrame({name: column[chosen] for name, column in places.items()})
    table["runs"] = counts[chosen].astype(int)
    table["cost"] = counts[chosen] * prices[chosen]
    table["share"] = table["cost"] / budget
    return NextRuns(
        table=table.sort_values("cost", ascending=False, ignore_index=True),
        before=float(np.sqrt(model.variance(np.zeros(len(prices))))),
        after=float(np.sqrt(model.variance(counts))),
        floor=float(np.sqrt(model.variance(np.full(len(prices), most)))),
        spent=float(counts @ prices),
        budget=budget,
        answer=goal.words,
        level=level,
    )


def _check_discrepancy(given: object) -> None:
    if given == "table" or (
        isinstance(given, int | float | np.number) and not isinstance(given, bool) and 0 <= given < np.inf
    ):
        return
    raise ValueError(
        f"discrepancy={shown(given)}: give 'table', or a share of the loss per root decade such as 0.005."
    )


@checked
def precision_for(source: Any, budgets: ArrayLike, **options: Any) -> pd.DataFrame:
    """What precision budgets buy: `sj.next_runs` for each.

    Args:
        source: as in `next_runs`.
        budgets: what may be spent.
        **options: as in `next_runs`.

    Returns:
        A row per budget: budget, runs, sd (of the answer), halfwidth (of its interval), and floor, which no
        number of runs at the candidates gets below: where sd comes near it, only larger runs help. What a
        smaller budget paid for a larger one pays for too, so that sd never rises.

    Raises:
        ValueError: as `next_runs`.

    >>> import scaling_jax as sj
    >>> bought = sj.precision_for(sj.published["besiroglu2024_huber"], [1e20, 1e22], flops=1e24)
    >>> bool(bought["sd"].is_monotonic_decreasing)
    True
    """
    asked = budgets_of(budgets, "budgets")
    rows: dict[float, dict[str, float]] = {}
    best: NextRuns | None = None
    for budget in np.unique(asked).tolist():
        found = next_runs(source, budget, **options)
        # what a smaller budget paid for a larger one pays for too
        best = found if best is None or found.after <= best.after else best
        rows[budget] = {
            "budget": budget,
            "runs": int(best.table["runs"].sum()),
            "sd": best.after,
            "halfwidth": best.halfwidth,
            "floor": min(found.floor, best.floor),
        }
    return pd.DataFrame([rows[budget] for budget in asked.tolist()])


@dataclass(frozen=True, eq=False)
class _Goal:
    """The answer wanted.

    Args:
        slopes: (labels,) its gradient, by the logarithm of positive parameters.
        decades: log10 of the compute it belongs to; None where it is the law's itself.
        words: what it is.
    """

    slopes: np.ndarray
    decades: float | None
    words: str


@dataclass(frozen=True, eq=False)
class _Model:
    """The Gaussian belief about candidates and answer, given the runs that exist.

    Args:
        joint: (candidates + 1, candidates + 1) covariance, the answer last.
        noise: variance of one run.
        features: (candidates + 1, directions) gradients, the answer last.
    """

    joint: np.ndarray
    noise: float
    features: np.ndarray

    @classmethod
    def of(
        cls,
        one: Source,
        source: Any,
        places: dict[str, np.ndarray],
        goal: _Goal,
        discrepancy: float | str,
        run_sd: float | None,
    ) -> _Model:
        fit = source if isinstance(source, Fitted) else source.fit if isinstance(source, WithDraws) else None
        made = {name: np.empty(0) for name in one.law.inputs}
        step = DISCREPANCY if isinstance(discrepancy, str) else discrepancy
        if fit is not None and fit.runs is not None:
            step = walk_of(residuals_of([fit])).rms if isinstance(discrepancy, str) else step
            ends = last_rows(fit.data())
            made = {name: column[ends] for name, column in fit.data().inputs.items()}
        n = len(next(iter(made.values())))
        sd = run_sd if run_sd is not None else run_scatter(fit) if fit is not None and n else RUN_SD
        rows = {name: np.concatenate([made[name], places[name]]) for name in one.law.inputs}
        fixed = set(fit.fixed) if fit is not None else set()
        free = np.array([label not in fixed for label in one.law.labels])
        log = searched_as_logs(one.law.label_domains)
        G = _gradients(one.law, one.numbers, rows, log)
        spread = np.where(log, LOGS, RELATIVE * np.abs(one.numbers) + 1e-3) * free
        x = np.log10(compute_of(rows))
        below = np.maximum((x.max() if goal.decades is None else goal.decades) - x, 0.0)
        F = np.vstack([G, goal.slopes]) * spread
        walk = np.zeros((len(F), len(F)))
        walk[:-1, :-1] = np.minimum.outer(below, below)
        joint = F @ F.T + step**2 * walk
        if n:
            seen, cross = joint[:n, :n] + sd**2 * np.eye(n), joint[n:, :n]
            joint = joint[n:, n:] - cross @ np.linalg.solve(seen, cross.T)
        else:
            joint = joint[n:, n:]
        return cls((joint + joint.T) / 2, max(float(sd), 1e-9) ** 2, F[n:, free])

    def variance(self, counts: np.ndarray) -> float:
        """Of the answer, after so many runs at each candidate."""
        used = np.flatnonzero(counts)
        own = self.joint[-1, -1]
        if not len(used):
            return float(own)
        seen = self.joint[np.ix_(used, used)] + np.diag(self.noise / counts[used])
        cross = self.joint[-1, used]
        return float(max(own - cross @ np.linalg.solve(seen, cross), 0.0))

    def by_program(self, prices: np.ndarray, budget: float, most: float) -> list[np.ndarray]:
        """The design that trusts the law and knows of no other runs, in whole runs; none where it fails."""
        sd = np.full(len(prices), self.noise**0.5)
        try:
            found = least_variance(self.features[:-1], self.features[-1], sd, prices)
        except ValueError:
            return []
        counts = np.zeros(len(prices))
        counts[found.support] = np.floor(found.shares * budget / prices[found.support] + 1e-9).clip(max=most)
        return [counts]

    def greedy(self, prices: np.ndarray, budget: float, power: float, most: float) -> np.ndarray:
        """(candidates,) how many runs at each, at most so many: always that which takes most from the
        variance per cost to this power, until nothing affordable helps."""
        counts, left, joint = np.zeros(len(prices)), budget, self.joint.copy()
        for _ in range(MOST_RUNS):
            gain = np.square(joint[-1, :-1]) / (np.diag(joint)[:-1] + self.noise)
            gain = np.where((prices <= left * (1 + 1e-9)) & (counts < most), gain, 0.0)
            if gain.max() <= 2 * GAIN**2 * joint[-1, -1]:
                break
            i = int(np.argmax(gain / prices**power))
            counts[i], left = counts[i] + 1, left - prices[i]
            joint = joint - np.outer(joint[:, i], joint[i]) / (joint[i, i] + self.noise)
        return counts


def _gradients(
    law: Law, numbers: np.ndarray, inputs: Mapping[str, np.ndarray], log: np.ndarray
) -> np.ndarray:
    """(rows, labels) of the log loss, by the logarithm of positive parameters."""

    def value(p: jax.Array, row: dict[str, jax.Array]) -> jax.Array:
        return jnp.log(law.apply(law.unflatten(p), row))

    with jax.enable_x64(True):
        rows = {name: jnp.asarray(inputs[name], dtype=jnp.float64) for name in law.inputs}
        slopes = jax.vmap(jax.grad(value), (None, 0))(jnp.asarray(numbers, dtype=jnp.float64), rows)
        return np.nan_to_num(np.asarray(slopes) * np.where(log, numbers, 1.0))


def _goal(
    one: Source, at: Mapping[str, float] | None, flops: float | None, of: str, parameter: str | None
) -> _Goal:
    if sum(what is not None for what in (at, flops, parameter)) != 1:
        raise ValueError("Say what the runs are for: one of at={'N': ..., 'D': ...}, flops= or parameter=.")
    law = one.law
    if of != "loss" and (flops is None or of not in ("N", "D") or set(law.inputs) != {"N", "D"}):
        raise ValueError(f"of={of!r}: with flops= and a law of N and D, give 'loss', 'N' or 'D'.")
    if parameter is not None:
        if parameter not in law.labels:
            raise ValueError(f"parameter={parameter!r}: law '{law.name}' has {', '.join(law.labels)}.")
        return _Goal(np.eye(len(one.numbers))[law.labels.index(parameter)], None, parameter)
    if at is not None:
        if set(at) != set(law.inputs):
            raise ValueError(
                f"Law '{law.name}' has the inputs {', '.join(law.inputs)}; at= gives {', '.join(at)}."
            )
        told = ", ".join(f"{name} = {float(value):.3g}" for name, value in at.items())
        return _loss_at(one, {name: np.array([float(value)]) for name, value in at.items()}, told)
    budget = budgets_of(flops if flops is not None else np.nan)[:1]
    told = f"{budget[0]:.3g} FLOP"
    if set(law.inputs) == {"N", "D"}:
        if of != "loss":
            return _optimum_at(one, budget, of, told)
        best = read_problem(one, None, None, None).best(one.numbers[None], budget)
        return _loss_at(one, {name: best.inputs[name][0] for name in law.inputs}, told)
    if len(law.inputs) == 1:
        return _loss_at(one, {law.inputs[0]: budget}, told)
    raise ValueError(f"Law '{law.name}' has the inputs {', '.join(law.inputs)}: give them by at=.")


def _loss_at(one: Source, inputs: dict[str, np.ndarray], told: str) -> _Goal:
    slopes = _gradients(one.law, one.numbers, inputs, searched_as_logs(one.law.label_domains))[0]
    return _Goal(slopes, float(np.log10(compute_of(inputs))[0]), f"the loss at {told}")


def _optimum_at(one: Source, budget: np.ndarray, of: str, told: str) -> _Goal:
    """The best N or D of a budget, differentiated through the optimum."""
    log = searched_as_logs(one.law.label_domains)
    step = np.where(log, STEP, STEP * np.maximum(np.abs(one.numbers), STEP))
    up, down = (
        np.where(log, one.numbers * np.exp(sign * np.diag(step)), one.numbers + sign * np.diag(step))
        for sign in (1, -1)
    )
    best = read_problem(one, None, None, None).best(np.vstack([up, down]), budget)
    above, below = np.split(np.log(best.inputs[of][:, 0]), 2)
    return _Goal((above - below) / (2 * step), float(np.log10(budget[0])), f"the best {of} for {told}")


def _candidates(
    one: Source, candidates: TableLike | None, cost: str | ArrayLike | None, budget: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Places (candidates,) by input, and what a run at each costs."""
    law = one.law
    if candidates is None:
        places = _grid(law, budget)
        if isinstance(cost, str):
            raise ValueError(f"cost={shown(cost)}: a column of the candidates, which are not given.")
        prices = compute_of(places) if cost is None else np.asarray(cost, dtype=np.float64)
    else:
        frame = as_frame(as_columns(candidates))
        places = read_inputs(law, frame)
        if isinstance(cost, str) and cost not in frame.columns:
            raise ValueError(f"cost={shown(cost)}: the candidates have {', '.join(map(str, frame.columns))}.")
        given = compute_of(places) if cost is None else floats(frame[cost]) if isinstance(cost, str) else cost
        prices = np.asarray(given, dtype=np.float64)
    n = len(next(iter(places.values())))
    if prices.shape != (n,) or not (np.isfinite(prices) & (prices > 0)).all():
        raise ValueError(f"cost: give a positive, finite number for each of {n} candidates.")
    return places, prices


def _grid(law: Law, budget: float) -> dict[str, np.ndarray]:
    """Runs that cost from a ten-thousandth of the budget to all of it."""
    flops = budget * np.logspace(-DECADES_DOWN, 0, SIZES)
    if set(law.inputs) == {"N", "D"}:
        C, ratio = (grid.ravel() for grid in np.meshgrid(flops, RATIOS))
        N = np.sqrt(C / (6 * ratio))
        return {"N": N, "D": ratio * N}
    if len(law.inputs) == 1:
        return {law.inputs[0]: flops}
    raise ValueError(f"Law '{law.name}' has the inputs {', '.join(law.inputs)}: give candidates=.")
