"""The answer that runs are to be trained for: a loss, the best run of a budget, a parameter.

Of each law it is a number and its gradient; of a budget's best size through the optimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scaling_jax.core.arrays import Columns
from scaling_jax.engine.coordinates import searched_as_logs
from scaling_jax.engine.predict import predict
from scaling_jax.planning.belief import Goal, log_gradients
from scaling_jax.planning.problem import read_problem
from scaling_jax.planning.recipes import compute_of
from scaling_jax.planning.source import Source
from scaling_jax.tables.scale import budgets_of

__all__ = ["Answer", "answer_of"]

STEP = 1e-4  # of a parameter, or its logarithm, by which a derived answer is differentiated


@dataclass(frozen=True, eq=False)
class Answer:
    """What is wanted.

    Args:
        at: inputs whose losses are wanted, or None.
        flops: budget whose best run is meant, or None.
        of: "loss", or the input of that run that is wanted.
        parameter: the parameter that is wanted, or None.
    """

    at: Columns | None
    flops: float | None
    of: str
    parameter: str | None

    @property
    def words(self) -> str:
        """What it is."""
        if self.parameter is not None:
            return self.parameter
        if self.at is not None:
            if len(next(iter(self.at.values()))) > 1:
                return f"the loss at {len(next(iter(self.at.values())))} runs"
            return "the loss at " + ", ".join(f"{name} = {v[0]:.3g}" for name, v in self.at.items())
        what = "the loss at" if self.of == "loss" else f"the best {self.of} for"
        return f"{what} {self.flops:.3g} FLOP"

    def of_law(self, one: Source) -> Goal:
        """The answer if this law is followed.

        Raises:
            ValueError: where the law has no such answer.
        """
        law = one.law
        if self.of != "loss" and (self.flops is None or set(law.inputs) != {"N", "D"}):
            raise ValueError(f"of={self.of!r}: with flops= and a law of N and D, give 'loss', 'N' or 'D'.")
        if self.parameter is not None:
            if self.parameter not in law.labels:
                raise ValueError(
                    f"parameter={self.parameter!r}: law '{law.name}' has {', '.join(law.labels)}."
                )
            i = law.labels.index(self.parameter)
            return Goal(np.eye(len(one.numbers))[[i]], one.numbers[[i]], np.array([np.nan]), None)
        if self.at is not None:
            if set(self.at) != set(law.inputs):
                raise ValueError(
                    f"Law '{law.name}' has the inputs {', '.join(law.inputs)}; at= gives "
                    f"{', '.join(self.at)}."
                )
            return _losses_at(one, self.at)
        budget = np.array([self.flops], dtype=np.float64)
        if set(law.inputs) == {"N", "D"}:
            if self.of != "loss":
                return _optimum_at(one, budget, self.of)
            best = read_problem(one, None, None, None).best(one.numbers[None], budget)
            return _losses_at(one, {name: best.inputs[name][0] for name in law.inputs})
        if len(law.inputs) == 1:
            return _losses_at(one, {law.inputs[0]: budget})
        raise ValueError(f"Law '{law.name}' has the inputs {', '.join(law.inputs)}: give them by at=.")


def answer_of(at: object, flops: float | None, of: str, parameter: str | None) -> Answer:
    """The answer in the user's words.

    Raises:
        ValueError: for none, several, or what makes no sense.
    """
    if sum(what is not None for what in (at, flops, parameter)) != 1:
        raise ValueError("Say what the runs are for: one of at={'N': ..., 'D': ...}, flops= or parameter=.")
    if of not in ("loss", "N", "D"):
        raise ValueError(f"of={of!r}: with flops= and a law of N and D, give 'loss', 'N' or 'D'.")
    budget = None if flops is None else float(budgets_of(flops)[0])
    if at is None:
        return Answer(None, budget, of, parameter)
    if not isinstance(at, Mapping) or not at:
        raise ValueError(
            f"at={at!r}: give a mapping of the law's inputs to numbers, {{'N': 7e9, 'D': 1.4e12}}."
        )
    columns = {str(name): budgets_of(value, str(name)) for name, value in at.items()}
    try:
        wide = np.broadcast_arrays(*columns.values())
    except ValueError as error:
        raise ValueError(f"at={at!r}: the inputs differ in length.") from error
    return Answer(dict(zip(columns, wide, strict=True)), None, of, parameter)


def _losses_at(one: Source, inputs: Columns) -> Goal:
    slopes = np.zeros((len(next(iter(inputs.values()))), len(one.numbers)))
    if one.draws is None:
        slopes = log_gradients(one.law, one.numbers, inputs)
    values = np.log(predict(one.law, one.numbers[None], inputs)[0])
    return Goal(slopes, values, np.log10(compute_of(inputs)), inputs)


def _optimum_at(one: Source, budget: np.ndarray, of: str) -> Goal:
    """The best N or D of a budget, differentiated through the optimum."""
    log = searched_as_logs(one.law.label_domains)
    step = np.where(log, STEP, STEP * np.maximum(np.abs(one.numbers), STEP))
    up, down = (
        np.where(log, one.numbers * np.exp(sign * np.diag(step)), one.numbers + sign * np.diag(step))
        for sign in (1, -1)
    )
    best = read_problem(one, None, None, None).best(np.vstack([one.numbers[None], up, down]), budget)
    there = np.log(best.inputs[of][:, 0])
    above, below = np.split(there[1:], 2)
    return Goal(((above - below) / (2 * step))[None], there[:1], np.log10(budget), None)
