"""Recipes compared: differences, odds, multipliers and crossings, with what may be called and what would
settle the rest; in tables, and in sentences."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pandas as pd

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.printed import Printed
from scaling_jax.planning.evidence import pairs_to_settle
from scaling_jax.planning.reach import reach
from scaling_jax.planning.recipes import Losses, Places
from scaling_jax.reporting.blocks import Items, Section, grid_of
from scaling_jax.reporting.shown import Shown
from scaling_jax.uncertainty.ensemble import check_level, interval, tail_of

__all__ = ["Contrast", "wins"]

NEAR = 3.0
FAR = (5.0, 8.0, 12.0)
STEPS = np.array([*(-x for x in reversed(FAR)), *np.arange(-NEAR, NEAR + 0.125, 0.25), *FAR])
ZOOMS = (0.2, 0.005, 1e-4)
ZOOM = np.linspace(-1.0, 1.0, 9)
MOST_REFINED = 60
CERTAIN = 1e-3
MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class Contrast(Shown):
    """Recipes compared; made by `sj.contrast`.

    Args:
        losses: what each recipe is expected to reach.
        places: where they are compared.
        level: of the intervals.
        walk: step of the recipes' own errors per root decade of compute, NaN where none is known.
        notes: what a reader must know.
    """

    losses: Losses
    places: Places
    level: float
    walk: float
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[Hashable]:
        """What the recipes are called."""
        return self.losses.names

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Positions of the recipes of every pair."""
        return list(combinations(range(len(self.names)), 2))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per place and pair: a, b, the place, loss_a, loss_b, difference, probability, multiplier,
        extrapolation, and with draws `_lower` and `_upper` of the losses, the difference and the
        multiplier.

        difference is loss_b - loss_a, so that above 0 recipe a is better; probability is that of a beating
        b; the multiplier is how many times the compute b needs to reach a's loss (at given inputs: how many
        times the tokens), 0 or infinite where nothing within twelve decades does. extrapolation is in
        decades of compute beyond the runs of the recipe that is known less far.
        """
        point = self._point
        multiplier = self._multipliers
        parts = []
        for (a, b), m in zip(self.pairs, multiplier, strict=True):
            loss_a, loss_b = np.exp(point[a]), np.exp(point[b])
            numbers = {"loss_a": loss_a, "loss_b": loss_b, "difference": loss_b - loss_a}
            ends: dict[str, np.ndarray] = {}
            probability = np.full(len(self.places), np.nan)
            if self.losses.has_draws:
                one, two = np.exp(self._at[a]), np.exp(self._at[b])
                probability = wins(two - one)
                drawn = {"loss_a": one, "loss_b": two, "difference": two - one}
                drawn["multiplier"] = self._drawn_multiplier(a, b)
                for name, values in drawn.items():
                    low, high = _ends(values, self.level)
                    ends |= {f"{name}_lower": low, f"{name}_upper": high}
            numbers |= {"probability": probability, "multiplier": m, "extrapolation": self._beyond(a, b)}
            columns = {"a": self.names[a], "b": self.names[b], **self.where, **numbers, **ends}
            parts.append(pd.DataFrame(columns))
        table = pd.concat(parts, ignore_index=True)
        order = np.arange(len(table)).reshape(len(self.pairs), -1).T.ravel()
        table = table.iloc[order].reset_index(drop=True)[_ordered(table.columns)]
        table.attrs |= {"notes": list(self.notes), "level": self.level}
        return table

    @cached_property
    def odds(self) -> pd.DataFrame:
        """A row per place and pair, without what takes longer: a, b, the place, difference, probability."""
        parts = []
        for a, b in self.pairs:
            loss_a, loss_b = np.exp(self._point[a]), np.exp(self._point[b])
            probability = np.full(len(self.places), np.nan)
            if self.losses.has_draws:
                probability = wins(np.exp(self._at[b]) - np.exp(self._at[a]))
            parts.append(
                pd.DataFrame(
                    {
                        "a": self.names[a],
                        "b": self.names[b],
                        **self.where,
                        "difference": loss_b - loss_a,
                        "probability": probability,
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def best(self) -> pd.DataFrame:
        """A row per place and recipe, the likeliest winner first: recipe, the place, loss, probability of
        being the best of all, and regret, the loss that choosing it is expected to cost against the best."""
        parts = []
        for q in range(len(self.places)):
            where = {name: values[q] for name, values in self.where.items()}
            loss = np.exp(self._point[:, q])
            if self.losses.has_draws:
                drawn = np.exp(self._at[:, :, q])
                first = drawn == drawn.min(axis=0)
                probability = (first / first.sum(axis=0)).mean(axis=1)
                regret = (drawn - drawn.min(axis=0)).mean(axis=1)
            else:
                probability, regret = np.full(len(loss), np.nan), loss - loss.min()
            rows = pd.DataFrame(
                {"recipe": self.names, **where, "loss": loss, "probability": probability, "regret": regret}
            )
            by = ["probability", "loss"] if self.losses.has_draws else ["loss"]
            parts.append(rows.sort_values(by, ascending=[name == "loss" for name in by]))
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def crossover(self) -> pd.DataFrame:
        """A row per pair: a, b, flops at which their losses are equal (NaN without a crossing), the ends of
        its interval, and the probabilities that they cross inside the range looked at (three decades around
        the budgets), above it, and below it or never.

        Draws that do not cross inside stand above or below it, on the side towards which the two come
        closer, so that an end of the interval may be 0 or infinite.

        Raises:
            ValueError: where recipes were compared at given inputs, which lie on no common path.
        """
        if self.places.flops is None:
            raise ValueError("A crossover is a budget: compare the recipes with flops=.")
        last = int(np.argmax(self.places.flops))
        span = float(np.ptp(np.log10(self.places.flops)))
        steps = np.arange(-span - NEAR, NEAR + 0.125, 0.25)
        x = np.log10(self.places.flops[last]) + steps
        point = self.losses.point(steps)[:, last]
        drawn = self.losses.drawn(steps)[:, :, last] if self.losses.has_draws else None
        rows = []
        for a, b in self.pairs:
            at = _crossings((point[b] - point[a])[None], x)[0]
            row = {"a": self.names[a], "b": self.names[b], "flops": _budget(at)}
            if drawn is not None:
                found = _crossings(drawn[b] - drawn[a], x)
                low, high = np.quantile(
                    found, [tail_of(self.level), 1 - tail_of(self.level)], method="nearest"
                )
                row |= {"lower": 10.0**low, "upper": 10.0**high, "inside": np.isfinite(found).mean()}
                row |= {"above": (found == np.inf).mean(), "below": (found == -np.inf).mean()}
            rows.append(row)
        return pd.DataFrame(rows)

    @checked
    def calls(self, error: float = 0.1) -> pd.DataFrame:
        """The comparisons that may be called together so that the expected share of wrong ones is at most
        `error`, however many were made.

        Args:
            error: share of false decisions among those called.

        Returns:
            One row per call, the surest first: the place, winner, loser, probability, and error, the
            expected share of wrong ones down to this row.

        Source: the rule is that of Mueller, Parmigiani and Rice 2006 (Bayesian false discovery rate).
        """
        check_level(error)
        table = self.odds.dropna(subset="probability")
        for_a = (table["probability"] >= 0.5).to_numpy()
        called = table[list(self.where)].assign(
            winner=np.where(for_a, table["a"], table["b"]),
            loser=np.where(for_a, table["b"], table["a"]),
            probability=np.where(for_a, table["probability"], 1 - table["probability"]),
        )
        called = called.sort_values("probability", ascending=False, ignore_index=True)
        called["error"] = (1 - called["probability"]).expanding().mean()
        return called[called["error"] <= error]

    @checked
    def needed(self, sure: float = 0.95, run_sd: float | None = None) -> pd.DataFrame:
        """What would settle each comparison: how many more runs of each recipe at the place itself, or how
        large a run of each.

        Args:
            sure: probability at which a comparison counts as settled.
            run_sd: scatter of one run's log loss; by default what the recipes' fits leave, or their seeds.

        Returns:
            One row per place and pair: a, b, the place, probability now, seeds (more runs of each at the
            place; 0 where it is settled), and run_at, the least compute at which one more run of each would
            do (NaN where even a run at the place itself would not). Both take the present difference to be
            the true one.

        Raises:
            ValueError: where nothing is known of a run's scatter, or for a probability that is none.
        """
        check_level(sure)
        scatter = run_sd if run_sd is not None else self.losses.run_sd
        if not self.losses.has_draws or not np.isfinite(scatter):
            raise ValueError(
                "Nothing is known of a run's scatter: compare fits with their runs, or give run_sd=."
            )
        rows = []
        for a, b in self.pairs:
            apart = self._at[b] - self._at[a]
            middle, spread = np.median(apart, axis=0), apart.std(axis=0)
            top = np.nanmin([self.losses.tops[a], self.losses.tops[b]])
            for q, x in enumerate(self.places.decades):
                where = {name: values[q] for name, values in self.where.items()}
                step = 0.0 if np.isnan(self.walk) else self.walk
                seeds, at = pairs_to_settle(middle[q], spread[q], scatter, step, x - top, sure)
                rows.append(
                    {
                        "a": self.names[a],
                        "b": self.names[b],
                        **where,
                        "probability": float(wins(apart[:, q])),
                        "seeds": seeds,
                        "run_at": 10.0 ** (x - at),
                    }
                )
        return pd.DataFrame(rows)

    @checked
    def __getitem__(self, column: str) -> pd.Series:
        """A column of the table.

        Raises:
            KeyError: for one that is not there.
        """
        if column not in self.table.columns:
            raise KeyError(f"There is no column {shown(column)}: there are {', '.join(self.table.columns)}.")
        return self.table[column]

    def __len__(self) -> int:
        return len(self.table)

    def summary(self) -> str:
        """The comparison in words."""
        return Printed(_words(self))

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Contrast of {len(self.names)} recipes at {len(self.places)} places>"

    def _title(self) -> str:
        count = len(self.places)
        what = "place" if self.places.flops is None else "budget"
        return f"{len(self.names)} recipes compared at {count} {what}{'s' if count > 1 else ''}"

    def _sections(self) -> list[Section]:
        said = [line.strip() for line in self.summary().splitlines()]
        best = grid_of(self.best, index=False)
        return [
            Section("", [Items(tuple(said))]),
            Section("Best of all", [best]),
            Section("Pairs", [grid_of(self.table, index=False)], folded=len(self.pairs) > 1),
        ]

    @cached_property
    def where(self) -> dict[str, np.ndarray]:
        """The places by the columns that name them."""
        if self.places.inputs is not None:
            return dict(self.places.inputs)
        assert self.places.flops is not None
        return {"flops": self.places.flops}

    @cached_property
    def _point(self) -> np.ndarray:
        """(recipes, places)."""
        return self.losses.point(np.zeros(1))[..., 0]

    @cached_property
    def _curves(self) -> np.ndarray:
        """(recipes, draws, places, steps)."""
        return self.losses.drawn(STEPS)

    @cached_property
    def _at(self) -> np.ndarray:
        """(recipes, draws, places) log losses at the places themselves."""
        return self._curves[..., int(np.flatnonzero(STEPS == 0)[0])]

    def _beyond(self, a: int, b: int) -> np.ndarray:
        """(places,) decades beyond the runs of the recipe known less far."""
        bottoms, x = self.losses.bottoms, self.places.decades
        above, below = x - min(self.losses.tops[a], self.losses.tops[b]), max(bottoms[a], bottoms[b]) - x
        return np.maximum(0.0, np.maximum(above, below))

    def _drawn_multiplier(self, a: int, b: int) -> np.ndarray:
        """(draws, places)."""
        return 10.0 ** reach(self._curves[b], self._at[a], STEPS)

    @cached_property
    def _multipliers(self) -> np.ndarray:
        """(pairs, places) at the estimate, refined where pairs are few."""
        curves = self.losses.point(STEPS)
        found = np.array([reach(curves[b], self._point[a], STEPS) for a, b in self.pairs])
        if len(self.pairs) <= MOST_REFINED:
            for width in ZOOMS:
                found = self._refined(found, width)
        return 10.0**found

    def _refined(self, found: np.ndarray, width: float) -> np.ndarray:
        """The same looked at more closely, all pairs at once."""
        per_recipe = len(self.names) - 1
        steps = np.zeros((len(self.names), len(self.places), per_recipe, len(ZOOM)))
        slot = {pair: (pair[1], pair[0] if pair[0] < pair[1] else pair[0] - 1) for pair in self.pairs}
        centre = np.where(np.isfinite(found), found, 0.0)
        for pair, at in zip(self.pairs, centre, strict=True):
            steps[slot[pair][0], :, slot[pair][1]] = at[:, None] + width * ZOOM
        shape = (len(self.names), len(self.places), -1)
        curves = self.losses.point(steps.reshape(shape)).reshape(steps.shape)
        out = found.copy()
        for k, (pair, at) in enumerate(zip(self.pairs, centre, strict=True)):
            r, i = slot[pair]
            near = at + width * reach(curves[r, :, i], self._point[pair[0]], ZOOM)
            out[k] = np.where(np.isfinite(found[k]) & np.isfinite(near), near, found[k])
        return out


def wins(apart: np.ndarray) -> np.ndarray:
    """(...) share of draws (draws, ...) above zero, ties half, never quite 0 or 1."""
    known = ~np.isnan(apart)
    share = np.where(known, (apart > 0) + 0.5 * (apart == 0), 0.0).sum(axis=0) / np.maximum(
        known.sum(axis=0), 1
    )
    return np.where(known.any(axis=0), np.clip(share, CERTAIN, 1 - CERTAIN), np.nan)


def _ends(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends over draws of numbers that may be 0 or infinite."""
    finite = np.isfinite(values) | np.isnan(values)
    if finite.all():
        return interval(values, level)
    tail = tail_of(level)
    low, high = np.nanquantile(values, [tail, 1 - tail], axis=0, method="nearest")
    return low, high


def _crossings(apart: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(draws,) where differences (draws, places) change sign, the change nearest to the middle; where they do
    not, infinite on the side towards which they come closer to zero."""
    change = np.sign(apart[:, 1:]) * np.sign(apart[:, :-1]) < 0
    share = np.abs(apart[:, :-1]) / np.maximum(np.abs(apart[:, :-1]) + np.abs(apart[:, 1:]), 1e-300)
    where = x[:-1] + share * np.diff(x)
    distance = np.where(change, np.abs(where - x.mean()), np.inf)
    nearest = np.take_along_axis(where, distance.argmin(axis=1)[:, None], axis=1)[:, 0]
    closing = np.abs(apart[:, -1]) < np.abs(apart[:, 0])
    return np.where(change.any(axis=1), nearest, np.where(closing, np.inf, -np.inf))


def _budget(log10: float) -> float:
    return float(10.0**log10) if np.isfinite(log10) else np.nan


def _ordered(columns: Iterable[str]) -> list[str]:
    """Ends beside what they are ends of."""
    ends = [c for c in columns if str(c).endswith(("_lower", "_upper"))]
    out: list[str] = []
    for column in columns:
        if column not in ends:
            out += [column, *(e for e in ends if e in (f"{column}_lower", f"{column}_upper"))]
    return out


def _words(contrast: Contrast) -> str:
    """What a contrast found, a sentence each."""
    two = len(contrast.names) == 2
    lines = list(_of_a_pair(contrast) if two else _of_many(contrast))
    if np.isfinite(contrast.walk):
        lines.append(
            "Each recipe's own error beyond its runs is taken as "
            f"{100 * contrast.walk:.2g} % of the loss per root decade of compute."
        )
    return "\n".join([*lines, *contrast.notes])


def _of_a_pair(contrast: Contrast) -> Iterator[str]:
    for _, row in contrast.table.iterrows():
        a, b = row["a"], row["b"]
        yield f"{_place(row, contrast)}: loss {row['loss_a']:.4g} of {a}, {row['loss_b']:.4g} of {b}."
        if contrast.losses.has_draws:
            better, sure = (
                (a, row["probability"]) if row["probability"] >= 0.5 else (b, 1 - row["probability"])
            )
            yield (
                f"  {better} wins with probability {sure:.2f}; the difference is {row['difference']:.2g} "
                f"[{row['difference_lower']:.2g}, {row['difference_upper']:.2g}]."
            )
        yield f"  {_multiplier(row, contrast)}"
    if contrast.places.flops is not None:
        yield _crossing(contrast)


def _multiplier(row: pd.Series, contrast: Contrast) -> str:
    a, b = row["a"], row["b"]
    what = "compute" if contrast.places.inputs is None else f"{contrast.places.grows}"
    span = ""
    if contrast.losses.has_draws:
        span = f" [{_times(row['multiplier_lower'])}, {_times(row['multiplier_upper'])}]"
    if np.isposinf(row["multiplier"]):
        return f"No amount of {what} brings {b} to the loss of {a}{span}."
    return f"{b} needs {_times(row['multiplier'])} times the {what}{span} for the loss of {a}."


def _crossing(contrast: Contrast) -> str:
    row = contrast.crossover.iloc[0]
    drawn = contrast.losses.has_draws
    odds = f"; that they cross in that range has probability {row['inside']:.2f}" if drawn else ""
    if np.isnan(row["flops"]):
        return f"No crossing within 3 decades of these budgets{odds}."
    ends = f" [{row['lower']:.2g}, {row['upper']:.2g}]" if drawn else ""
    return f"They are equal at {row['flops']:.2g} FLOP{ends}{odds}."


def _of_many(contrast: Contrast) -> Iterator[str]:
    where = list(contrast.table.columns[2 : 2 + len(contrast.where)])
    calls = contrast.calls() if contrast.losses.has_draws else None
    for _, rows in contrast.best.groupby(where, sort=False):
        first = rows.iloc[0]
        if calls is None:
            yield f"{_place(first, contrast)}: {first['recipe']} has the least loss, {first['loss']:.4g}."
            continue
        named = ", ".join(
            f"{recipe} {share:.2f}"
            for recipe, share in zip(rows["recipe"], rows["probability"].head(MOST_NAMED), strict=False)
        )
        called = int((calls[where] == first[where]).all(axis=1).sum())
        yield f"{_place(first, contrast)}: probabilities of being the best: {named}."
        yield f"  {called} of {len(contrast.pairs)} pairs can be called with one in ten wrong."


def _place(row: pd.Series, contrast: Contrast) -> str:
    if contrast.places.inputs is None:
        return f"At {row['flops']:.3g} FLOP"
    return "At " + ", ".join(f"{name} = {row[name]:.3g}" for name in contrast.places.inputs)


def _times(value: float) -> str:
    return "infinitely many" if np.isinf(value) else f"{value:.3g}"
