"""`sj.contrast`: which of two or many recipes wins, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.fitting.fitted import Fitted
from scaling_jax.planning.contrasted import Contrast
from scaling_jax.planning.ladder import Ladder
from scaling_jax.planning.problem import given_values
from scaling_jax.planning.recipes import Places, last_rows, read_recipes, recipes_of
from scaling_jax.tables.frames import TableLike
from scaling_jax.tables.read import Reading
from scaling_jax.tables.scale import budgets_of
from scaling_jax.tables.sources import Column, Keys
from scaling_jax.uncertainty.ensemble import check_level

__all__ = ["contrast"]


def contrast(
    a: Any,
    b: Any = None,
    *,
    flops: ArrayLike | None = None,
    at: Mapping[str, ArrayLike] | None = None,
    given: Mapping[str, float] | None = None,
    by: Keys | None = None,
    inputs: Mapping[str, Column] | None = None,
    target: Column | None = None,
    run: Column | None = None,
    where: Column | None = None,
    transfer: float | str = "table",
    level: float = 0.9,
    seed: int = 0,
) -> Contrast:
    r"""Which of two or many recipes wins, by how much, and how sure that is.

    $$d(C) = L_b^*(C) - L_a^*(C), \qquad P(d > 0), \qquad m(C) = \frac{C'}{C} \text{ where }
      L_b^*(C') = L_a^*(C)$$

    Args:
        a, b: two recipes, each a fit, its bootstrap or posterior, a published entry, `(law, params)`, or
            whatever else `sj.plan` takes. Or `a` alone: a mapping of names to these, as `sj.fit_groups` and
            its bootstrap and posterior are; or a table of runs, with `by=`.
        flops: training budgets, each spent by every recipe in its own best way (a law of N and D, C = 6 N D)
            or put into its law of compute.
        at: in place of budgets, the law's inputs, as `predict` takes them: {"N": 7e9, "D": 1.4e12}.
        given: values of the laws' other inputs, where budgets are given.
        by: column of a table's recipes. They are then compared without laws: by what each keeps of its
            distance from the others as compute grows, weighed by what the table shows of such trends.
        inputs, target, run, where: of a table, as `sj.fit` takes them; the inputs are N and D, or C.
        transfer: the recipes' own error beyond their runs, as a share of the loss per root decade of compute:
            "table" reads it off what the laws leave unexplained; a number sets it; 0 takes every law as true
            and recipes as having nothing in common, which is overconfident.
        level: probability between the two ends of the intervals.
        seed: of what is drawn.

    Returns:
        A `Contrast`: `.table` (a row per budget and pair: loss_a, loss_b, difference, probability,
        multiplier, and their intervals), `.best` (probability of being the best of all, and regret),
        `.crossover`, `.calls(error)` (what may be called among many comparisons), `.needed()` (what would
        settle them); printed, sentences. Fits are bootstrapped together, runs that several share
        (by name, or trained at the same place) being drawn for all of them at once. Bare constants have no
        probabilities and no intervals.

    Raises:
        TypeError: for something that holds no law.
        ValueError: for fewer than two recipes, budgets or inputs that make no sense, or laws that take other
            inputs.

    Source: DataDecide (Magnusson et al. 2025, arXiv:2504.11393) for the question and the yardstick;
    compute-equivalent gain: Davidson et al. 2023 (arXiv:2312.07413).

    >>> import scaling_jax as sj
    >>> one = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> two = one | {"B": 1.1 * one["B"]}
    >>> law = sj.laws.chinchilla
    >>> sj.contrast((law, one), (law, two), flops=[1e22, 1e24])["multiplier"].round(5).tolist()
    [1.29765, 1.29765]
    """
    check_level(level)
    places = _places(flops, at, given)
    step = _transfer(transfer)
    if by is not None:
        ladder = _ladder(a, by, Reading(inputs, target, run, where), places, step, seed)
        return Contrast(ladder, places, level, ladder.mean_walk)
    recipes, failed = recipes_of(_named(a, b), places, step, seed)
    if len(recipes.sources) < 2:
        reasons = "; ".join(f"{key}: {why}" for key, why in failed.items())
        raise ValueError(f"A contrast needs two recipes. {reasons}".strip())
    notes = [f"{key} is left out: {why}" for key, why in failed.items()]
    notes += [note for source in recipes.sources.values() for note in source.notes]
    if not recipes.has_draws:
        notes.append("Bare constants have no uncertainty: there is no probability and no interval.")
    return Contrast(recipes, places, level, recipes.mean_walk, tuple(dict.fromkeys(notes)))


def _places(flops: ArrayLike | None, at: object, given: Mapping[str, float] | None) -> Places:
    if (flops is None) == (at is None):
        raise ValueError(
            "Say where recipes are compared: either flops=[1e22, 1e24] or at={'N': ..., 'D': ...}."
        )
    if flops is not None:
        return Places(budgets_of(flops), None, given_values(given))
    if not isinstance(at, Mapping) or not at:
        raise ValueError(
            f"at={at!r}: give a mapping of the law's inputs to numbers, {{'N': 7e9, 'D': 1.4e12}}."
        )
    columns = {name: budgets_of(value, name) for name, value in at.items()}
    try:
        wide = np.broadcast_arrays(*columns.values())
    except ValueError as error:
        raise ValueError(f"at={at!r}: the inputs differ in length.") from error
    return Places(None, dict(zip(columns, wide, strict=True)), {})


def _transfer(transfer: object) -> float | str:
    if transfer == "table":
        return "table"
    if (
        isinstance(transfer, int | float | np.number)
        and not isinstance(transfer, bool)
        and 0 <= transfer < np.inf
    ):
        return float(transfer)
    raise ValueError(
        f"transfer={transfer!r}: give 'table', or a share of the loss per root decade such as 0.015."
    )


def _named(a: object, b: object) -> Mapping[Hashable, object]:
    if b is not None:
        keys = [one.key if isinstance(one, Fitted) else None for one in (a, b)]
        names = keys if None not in keys and keys[0] != keys[1] else ["a", "b"]
        return dict(zip(names, (a, b), strict=True))
    if isinstance(a, pd.DataFrame):
        raise ValueError("A table of runs is compared with by=, the column of its recipes.")
    if isinstance(a, Mapping):
        return a
    if isinstance(a, Sequence) and not isinstance(a, tuple | str):
        return {f"recipe {i + 1}": one for i, one in enumerate(a)}
    raise ValueError("A contrast needs two recipes: give both, or a mapping from name to fit.")


def _ladder(
    table: TableLike, by: Keys, reading: Reading, places: Places, step: float | str, seed: int
) -> Ladder:
    """The ladder of a table's recipes, read as `sj.fit_groups` reads one."""
    runs = read_recipes(table, by, reading)
    runs = runs.take(last_rows(runs))
    return Ladder.of(runs, places, None if isinstance(step, str) else step, seed)
