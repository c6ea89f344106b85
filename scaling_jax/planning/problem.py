"""A question about the best run, in words of the user: what is chosen, what it costs, what limits it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Numbers
from scaling_jax.core.checked import real_number, shown
from scaling_jax.core.law import Law
from scaling_jax.planning.closed import closed_form
from scaling_jax.planning.cost import Cost, Formula, formula, of, training
from scaling_jax.planning.kinks import solve_on_faces
from scaling_jax.planning.optimum import Lanes, Optimum, Shape, solve
from scaling_jax.planning.source import Source

__all__ = ["Best", "Ends", "LimitValue", "Limits", "Problem", "given_values", "read_problem"]

Ends: TypeAlias = tuple[float | None, float | None]
LimitValue: TypeAlias = float | str | Ends | Sequence[float] | np.ndarray
Limits: TypeAlias = Mapping["str | Cost", LimitValue]
"""What is said of inputs, of formulas of inputs and of costs: a value, a formula, (low, high), or a list of
values to choose from."""

MOST_FREE = 5
ALIASES = {"epochs": "D / U", "tokens_per_param": "D / N"}
HIGHER_IS_BETTER = ("accuracy", "score", "reward", "leverage", "worth")
BINDS = 1e-6  # of the worth of compute, for a limit to be called binding
LOGS = np.array([18.0, 21.0, 24.0])  # where the shape of a cost is looked at
NUDGE = 1e-4
MOST_CHOICES = 10_000


class Best(NamedTuple):
    """Best runs of parameter vectors at goals, each (vectors, goals) or a dict of such; NaN where none is.

    Args:
        inputs: every input of the law, and whatever cost and limits know besides.
        loss, spent: what the law predicts, and cost.
        worth: -dL / d ln C.
        slopes: d ln x* / d ln C of every free input.
        prices: -dL for every e-fold by which a limit is relaxed, by the limit's words.
        residual: of the first-order conditions, relative.
        basins: local optima that a scan saw.
        feasible, inside: whether the goal can be met, and whether the optimum is no end of the search.
    """

    inputs: dict[str, Numbers]
    loss: Numbers
    spent: Numbers
    worth: Numbers
    slopes: dict[str, Numbers]
    prices: dict[str, Numbers]
    residual: Numbers
    basins: Numbers
    feasible: Numbers
    inside: Numbers

    def rows(self, which: slice) -> Best:
        """Of some of the parameter vectors."""
        return Best(*(_rows(part, which) for part in self))


def _rows(part: Any, which: slice) -> Any:
    return {name: values[which] for name, values in part.items()} if isinstance(part, dict) else part[which]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is asked of a law.

    Args:
        source: law and parameters.
        cost: what is spent.
        free: inputs that are chosen.
        fixed: input -> value, of the law or of cost and limits.
        defined: inputs that are formulas of others.
        ranges: free input -> (low, high), infinite or zero where open.
        choices: free input -> values to choose from.
        limits: words, formula, low, high of what else is bounded.
        sign: 1 where less of what the law predicts is better, -1 where more is.
    """

    source: Source
    cost: Cost
    free: tuple[str, ...]
    fixed: dict[str, float]
    defined: tuple[tuple[str, Formula], ...]
    ranges: dict[str, tuple[float, float]]
    choices: dict[str, np.ndarray]
    limits: tuple[tuple[str, Formula, float, float | Numbers], ...]
    sign: float

    def __post_init__(self) -> None:
        shares = self.source.law.simplex
        loose = [name for name in shares if name in (*self.free, *self.choices)]
        if loose and not any(name in shares for name, _ in self.defined):
            rest = " - ".join(["1", *(name for name in shares if name != loose[-1])])
            raise ValueError(
                f"The shares {', '.join(shares)} add up to one, and {', '.join(loose)} are free: say what "
                f"is left for the last, limits={{{loose[-1]!r}: {rest!r}}}, or give each its value."
            )

    def holding(self, *names: str) -> Problem:
        """The same question with the values of these inputs given at each solve."""
        if unknown := [name for name in names if name not in (*self.free, *self.choices)]:
            known = ", ".join((*self.free, *self.choices))
            raise ValueError(f"{unknown[0]!r} is not what this plan chooses; it chooses {known}.")
        return replace(
            self,
            free=tuple(name for name in self.free if name not in names),
            ranges={name: ends for name, ends in self.ranges.items() if name not in names},
            choices={name: values for name, values in self.choices.items() if name not in names},
        )

    def costing(self, words: str) -> Problem:
        """The same question at another cost."""
        return replace(self, cost=of(words))

    def within(self, most: Numbers) -> Problem:
        """The same question with its cost as a limit, one for each goal."""
        limit = (self.cost.words, _of_cost(self.cost), -np.inf, most)
        return replace(self, limits=(*self.limits, limit))

    @cached_property
    def pivot(self) -> int:
        """The free input in which cost is most nearly a power, and which spends what the others leave."""
        slopes = _cost_slopes(self)
        rising = (slopes > 0).all(axis=1)
        if not rising.any():
            raise ValueError(
                f"The cost {self.cost.words} does not rise with anything that is left to choose "
                f"({', '.join(self.free)}): give another cost=, or leave an input free."
            )
        bent = np.where(rising, np.ptp(slopes, axis=1), np.inf)
        return int(np.argmin(np.round(bent, 6)))

    def best(
        self,
        numbers: Numbers,
        goals: Numbers,
        reach: bool = False,
        held: Mapping[str, Numbers] | None = None,
    ) -> Best:
        """The best run of each parameter vector (vectors, labels) at each goal.

        Args:
            numbers: parameters.
            goals: (goals,) or (vectors, goals): budgets, or what is to be reached.
            reach: whether goals are values of what the law predicts, to be reached at least cost.
            held: values of inputs besides `fixed`, each broadcasting to (vectors, goals).
        """
        held = dict(held or {})
        if not held and (known := self._without_search(numbers, goals, reach)) is not None:
            return known
        names = tuple(dict.fromkeys([*self.fixed, *self.choices, *held]))
        picks = _product(self.choices)
        count = len(next(iter(picks.values()))) if picks else 1
        shape = np.broadcast_shapes((len(numbers), 1), np.shape(goals), *(np.shape(v) for v in held.values()))
        whole = (count, *shape)

        def flat(values: object) -> np.ndarray:
            return np.broadcast_to(np.asarray(values, dtype=np.float64), whole).ravel()

        given = self.fixed | {name: values[:, None, None] for name, values in picks.items()} | held
        size = int(np.prod(whole))

        def table(columns: list[object]) -> np.ndarray:
            return np.stack([flat(c) for c in columns], 1) if columns else np.zeros((size, 0))

        lanes = Lanes(
            numbers=np.broadcast_to(numbers[:, None, :], (*whole, numbers.shape[1])).reshape(size, -1),
            goal=flat(goals),
            fixed=table([given[name] for name in names]),
            low=table([self.ranges[name][0] for name in self.free]),
            high=table([self.ranges[name][1] for name in self.free]),
            least=table([low for _, _, low, _ in self.limits]),
            most=table([high for _, _, _, high in self.limits]),
        )
        law = self.source.law
        form = Shape(
            law=law,
            cost=self.cost.form,
            free=self.free,
            logs=tuple(_is_log(law, name) for name in self.free),
            fixed=names,
            defined=self.defined,
            limits=tuple(formula for _, formula, _, _ in self.limits),
            pivot=0 if reach else self.pivot,
            reach=reach,
            sign=self.sign,
        )
        found = solve(form, lanes, self.cost.numbers)
        found = solve_on_faces(form, lanes, self.cost.numbers, found)
        chosen = _chosen(found.spent if reach else self.sign * found.loss, count)

        def one(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values.reshape(count, -1), chosen[None], 0)[0].reshape(shape)

        inputs = {name: one(flat(given[name])) for name in names}
        inputs |= {name: one(found.inputs[:, i]) for i, name in enumerate(self.free)}
        lost = np.isnan(one(found.loss))
        inputs |= {name: np.where(lost, np.nan, inputs[name]) for name in self.choices}
        inputs |= _computed(self.defined, inputs)
        worth = one(found.worth)
        scale = -worth if reach else 1.0  # slopes along the loss to slopes along the logarithm of cost
        slopes = {name: scale * one(found.slopes[:, i]) for i, name in enumerate(self.free)}
        prices = {words: one(price) for words, price in self._prices(form, found).items()}
        return Best(
            inputs,
            one(found.loss),
            one(found.spent),
            worth,
            slopes,
            prices,
            one(found.residual),
            one(found.basins),
            one(found.feasible.astype(float)) > 0,
            one(found.inside.astype(float)) > 0,
        )

    def _prices(self, form: Shape, found: Optimum[Numbers]) -> dict[str, Numbers]:
        """(lanes,) the price of every end that may bind, by what it says."""
        prices: dict[str, Numbers] = {}
        for i, name in enumerate(self.free):
            low, high = self.ranges[name]
            lowest = low > 0 if form.logs[i] else np.isfinite(low)
            prices |= {f"{name} >= {low:.6g}": found.price_low[:, i]} if lowest else {}
            prices |= {f"{name} <= {high:.6g}": found.price_high[:, i]} if np.isfinite(high) else {}
        for i, (words, _, low, most) in enumerate(self.limits):
            if np.ndim(most):
                continue  # one for each goal: nobody reads its price
            high = float(most)
            if low == high:
                prices[f"{words} = {low:.6g}"] = found.price_most[:, i]
                continue
            prices |= {f"{words} >= {low:.6g}": found.price_least[:, i]} if low > 0 else {}
            prices |= {f"{words} <= {high:.6g}": found.price_most[:, i]} if np.isfinite(high) else {}
        return prices

    def _without_search(self, numbers: Numbers, goals: Numbers, reach: bool) -> Best | None:
        """The closed form, where law, cost and the lack of limits allow one."""
        flop = self.cost.numbers
        plain = self.cost.form == training().form and self.free == ("N", "D")
        bounded = any(np.isfinite(high) or low > 0 for low, high in self.ranges.values())
        if not plain or self.limits or bounded:
            return None
        found = closed_form(self.source.law, numbers, float(flop[0]), goals, reach)
        if found is None:
            return None
        N, D, loss, worth, slope, exists, reached = found
        nothing = np.where(np.isnan(loss), np.nan, 0.0)
        return Best(
            inputs={"N": N, "D": D},
            loss=loss,
            spent=flop[0] * N * D,
            worth=worth,
            slopes={"N": slope, "D": 1 - slope},
            prices={},
            residual=nothing,
            basins=np.ones(loss.shape),
            feasible=reached,
            inside=exists,
        )


def read_problem(
    source: Source,
    cost: Cost | Callable[..., ArrayLike] | str | None,
    limits: Limits | None,
    better: str | None,
) -> Problem:
    """The question in words that a solver takes.

    Raises:
        TypeError: for a cost or limits that are none.
        ValueError: for a limit on something unknown, or limits that contradict themselves.
    """
    law = source.law
    if limits is not None and not isinstance(limits, Mapping):
        raise TypeError(f"limits={limits!r}: give a mapping, for example {{'N': 7e9, 'D': (None, 1e13)}}.")
    said = {_unaliased(key, law.inputs): value for key, value in (limits or {}).items()}
    plain = {k: v for k, v in said.items() if isinstance(k, str) and k.isidentifier()}
    defined = tuple((name, formula(text)) for name, text in plain.items() if isinstance(text, str))
    names = {*law.inputs, *(name for name, _ in defined), *plain}
    cost = _default_cost(names) if cost is None else cost
    if not isinstance(cost, Cost):
        if not (callable(cost) or isinstance(cost, str)):
            raise TypeError(f"cost={cost!r}: give one of sj.cost, or a function of the law's inputs.")
        cost = of(cost)
    bounds = [_bound(key, value) for key, value in said.items() if key not in plain]
    needed = dict.fromkeys([
        *law.inputs,
        *cost.needs,
        *(name for _, one in defined for name in one.needs),
        *(name for _, one, _, _ in bounds for name in one.needs),
    ])  # fmt: skip
    for name in plain:
        if name not in needed:
            raise ValueError(f"limits names {name!r}, which is no input here{_near(name, tuple(needed))}")
    fixed, ranges, choices = _read_inputs(plain)
    known = {*fixed, *choices, *(name for name, _ in defined)}
    if lost := [name for name in needed if name not in law.inputs and name not in known]:
        raise ValueError(
            f"Cost and limits need {', '.join(lost)}, which law '{law.name}' does not have: give "
            f"limits={{{lost[0]!r}: value or formula}}."
        )
    free = tuple(name for name in law.inputs if name not in known)
    if len(free) > MOST_FREE:
        raise ValueError(
            f"{len(free)} inputs are free ({', '.join(free)}), and {MOST_FREE} can be: fix others."
        )
    for name in free:
        domain = law.input_domains[name]
        low, high = ranges.get(name, (-np.inf, np.inf))
        ranges[name] = (max(low, domain.lower), min(high, domain.upper))
    return Problem(
        source, cost, free, fixed, _in_order(defined, known), {n: ranges[n] for n in free}, choices,
        tuple(bounds), _sign(law.target, better),
    )  # fmt: skip


def given_values(given: object) -> dict[str, float]:
    """The values of a law's other inputs, each a finite number.

    Raises:
        ValueError: for anything else.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"given={shown(given)}: give a mapping of inputs to numbers, such as {{'U': 1e11}}.")
    try:
        known = {str(name): float(real_number(value)) for name, value in given.items()}
    except Exception:  # of any type, for what is no number
        raise ValueError(
            f"given={shown(given)}: give one number for each of the other inputs, such as {{'U': 1e11}}."
        ) from None
    if wrong := [name for name, value in known.items() if not np.isfinite(value)]:
        raise ValueError(f"given {wrong[0]}={known[wrong[0]]}: give a finite number.")
    return known


def _unaliased(key: str | Cost, inputs: Sequence[str]) -> str | Cost:
    return ALIASES.get(key, key) if isinstance(key, str) and key not in inputs else key


def _read_inputs(
    plain: Mapping[str, object],
) -> tuple[dict[str, float], dict[str, tuple[float, float]], dict[str, np.ndarray]]:
    """Limits on inputs themselves: values, ranges and lists."""
    fixed: dict[str, float] = {}
    ranges: dict[str, tuple[float, float]] = {}
    choices: dict[str, np.ndarray] = {}
    for name, value in plain.items():
        if isinstance(value, str):
            continue
        if isinstance(value, tuple) and len(value) == 2:
            low, high = _ends(name, value)
            if low == high:
                fixed[name] = low
            else:
                ranges[name] = (low, high)
        elif isinstance(value, list | tuple | range | np.ndarray):
            choices[name] = _values(name, value)
        else:
            fixed[name] = float(_values(name, [value])[0])
    total = int(np.prod([len(values) for values in choices.values()], dtype=int))
    if total > MOST_CHOICES:
        raise ValueError(
            f"The lists in limits make {total:,} combinations, and {MOST_CHOICES:,} are tried at most."
        )
    return fixed, ranges, choices


def _bound(key: Hashable, value: object) -> tuple[str, Formula, float, float]:
    """A limit on a formula of inputs or on a cost."""
    if isinstance(key, Cost):
        words, limited = f"{key.words} ({key.unit})" if key.unit else key.words, _of_cost(key)
        ends: object = value if isinstance(value, tuple) else (None, value)
    elif isinstance(key, str):
        words, limited, ends = key, formula(key), value if isinstance(value, tuple) else (value, value)
    else:
        raise TypeError(f"limits names {key!r}: name an input, a formula such as 'D / N', or one of sj.cost.")
    return (words, limited, *_ends(words, ends))


@lru_cache(maxsize=128)
def _of_cost(cost: Cost) -> Formula:
    """A cost as a formula; one for equal costs, so that programs are shared."""
    return Formula(cost.needs, lambda inputs: cost.value(inputs, jnp.asarray(cost.numbers)), cost.words)


def _ends(name: str, value: object) -> tuple[float, float]:
    """The two ends of a range, open ones infinite."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"limits {name!r}: {value!r} is no range; give (low, high), None for an open end.")
    low, high = (None if end is None else float(_values(name, [end])[0]) for end in value)
    if low is not None and high is not None and low > high:
        raise ValueError(f"limits {name!r}: the lower end {low:g} is above the upper end {high:g}.")
    return (-np.inf if low is None else low), (np.inf if high is None else high)


def _values(name: str, values: object) -> np.ndarray:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.array([np.nan])
    if not len(found) or not np.isfinite(found).all():
        raise ValueError(
            f"limits {name!r}: {values!r} is not what a limit is made of; give a number, (low, high), a list "
            "of numbers, or a formula."
        )
    return found


def _default_cost(names: set[str]) -> Cost:
    if {"N", "D"} <= names:
        return training()
    if "C" in names:
        return of("C", "FLOP")
    raise ValueError(
        f"What a run costs is not clear from the inputs {', '.join(sorted(names))}: give cost=, for example "
        "sj.cost.of('6 * N * D', 'FLOP') or a function of these inputs."
    )


def _sign(target: str, better: object) -> float:
    if not (better is None or (isinstance(better, str) and better in ("lower", "higher"))):
        raise ValueError(f"better={shown(better)}: say 'lower' or 'higher'.")
    higher = (
        any(word in target.lower() for word in HIGHER_IS_BETTER) if better is None else better == "higher"
    )
    return -1.0 if higher else 1.0


def _is_log(law: Law, name: str) -> bool:
    domain = law.input_domains[name]
    return domain.log or domain.lower > 0 or (domain.lower == 0 and bool(np.isinf(domain.upper)))


def _near(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f": did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}."


def _in_order(defined: tuple[tuple[str, Formula], ...], known: set[str]) -> tuple[tuple[str, Formula], ...]:
    """Formulas such that each needs only what stands before it."""
    left, done = dict(defined), []
    while left:
        ready = [name for name, one in left.items() if not set(one.needs) & set(left)]
        if not ready:
            raise ValueError(f"limits define {', '.join(left)} by each other.")
        done += [(name, left.pop(name)) for name in ready]
    return tuple(done)


def _product(choices: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every combination of the lists, one array per input."""
    grid = np.meshgrid(*choices.values(), indexing="ij")
    return {name: values.ravel() for name, values in zip(choices, grid, strict=True)}


def _chosen(score: np.ndarray, count: int) -> np.ndarray:
    """(lanes,) which combination is best."""
    scores = score.reshape(count, -1)
    return np.where(np.isnan(scores), np.inf, scores).argmin(axis=0)


def _computed(
    defined: tuple[tuple[str, Formula], ...], inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    if not defined:
        return {}
    with jax.enable_x64(True):
        found = {name: jnp.asarray(values) for name, values in inputs.items()}
        for name, one in defined:
            found[name] = one.value(found)
        return {name: np.asarray(found[name]) for name, _ in defined}


def _cost_slopes(problem: Problem) -> np.ndarray:
    """(free, points) d ln c / d ln x of every free input at a few places."""

    def log_cost(nudged: str, by: float) -> np.ndarray:
        inputs = {name: np.full(len(LOGS), value) for name, value in problem.fixed.items()}
        inputs |= {name: np.full(len(LOGS), values[0]) for name, values in problem.choices.items()}
        for name in problem.free:
            low, high = problem.ranges[name]
            at = np.geomspace(low, high, 5)[1:4] if low > 0 and np.isfinite(high) else np.exp(LOGS)
            inputs[name] = at * np.exp(by * (name == nudged))
        for name in problem.source.law.inputs:
            inputs.setdefault(name, np.full(len(LOGS), 1.0))
        inputs |= _computed(problem.defined, inputs)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(problem.cost(**inputs) * np.ones(len(LOGS)))

    rows = [(log_cost(name, NUDGE) - log_cost(name, -NUDGE)) / (2 * NUDGE) for name in problem.free]
    return np.nan_to_num(np.array(rows).reshape(len(problem.free), -1))
