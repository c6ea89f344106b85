"""What was learned from past families: what these have in common, which members err least, and how wide a
band must be to hold what really happened.

What ships was learned from public suites, by `python -m benchmarks.forecasting learn FOLDER`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from scaling_jax.core.checked import checked
from scaling_jax.core.law import Law
from scaling_jax.forecasting.ensemble import CAUSES, Outlook, judge, outlook
from scaling_jax.forecasting.members import Batch, Member
from scaling_jax.forecasting.population import VAGUE, Population

__all__ = ["Calibration", "nothing_learned", "shipped"]

FILE = "forecast.json"


@checked
@dataclass(frozen=True, eq=False)
class Calibration:
    """What was learned of forecasts from past families.

    Args:
        populations: law -> label -> (mean, standard deviation) of its search coordinate, in units of the
            rows' end.
        usual: member -> its error relative to the other members' on the same tasks.
        widths: what each cause of error counts in the half-width at 90 %, in the order of `CAUSES`.
        degrees: of the Student t that errors follow in units of the half-width.
        untested: error at one decade that stands for back-tests where there are none.
        suites: how many suites this was learned from.
        version: of what was learned, and how.
        record: how often bands held what really happened, in words.
    """

    populations: Mapping[str, Mapping[str, tuple[float, float]]]
    usual: Mapping[str, float]
    widths: np.ndarray
    degrees: float
    untested: float
    suites: float
    version: str
    record: str

    def population(self, law: Law) -> Population | None:
        """What families have in common under a law, where that is known."""
        given = self.populations.get(law.name)
        return Population.of(law, given) if given and set(given) == set(law.labels) else None

    def usual_of(self, members: Sequence[Member]) -> np.ndarray:
        """(members,) relative errors; 1 for members that nobody has seen."""
        return np.array([self.usual.get(member.name, 1.0) for member in members])

    def half_width(self, seen: Outlook) -> np.ndarray:
        """(points,) half-widths of the 90 % band, in logarithms."""
        return seen.causes @ self.widths

    def outlook(self, batch: Batch, cuts: Sequence[int]) -> Outlook:
        """What a batch says of the points of one table: its first cut-off, judged by the others."""
        usual = self.usual_of(batch.members)
        return outlook(batch, cuts[0], judge(batch, cuts[1:]), usual, self.untested)

    def to_json(self) -> str:
        """As text; see `from_json`."""
        record = {
            "version": self.version,
            "record": self.record,
            "suites": self.suites,
            "populations": self.populations,
            "usual": {name: round(value, 4) for name, value in self.usual.items()},
            "widths": dict(zip(CAUSES, np.round(self.widths, 5).tolist(), strict=True)),
            "degrees": self.degrees,
            "untested": round(self.untested, 5),
        }
        return json.dumps(record, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """What `to_json` wrote.

        Raises:
            ValueError: for anything else.
        """
        try:
            record: dict[str, Any] = json.loads(text)
            learned = record.pop("widths")
            widths = np.array([learned[cause] for cause in CAUSES], dtype=float)
            return cls(widths=widths, **record)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"This is no calibration that `to_json` wrote ({error!r}).") from error

    def __repr__(self) -> str:
        return f"<Calibration {self.version}: {self.suites:g} suites, {len(self.populations)} laws>"


@lru_cache(maxsize=1)
def shipped() -> Calibration:
    """What was learned from public suites and ships with the package."""
    return Calibration.from_json((files("scaling_jax") / "_data" / FILE).read_text())


def nothing_learned() -> Calibration:
    """What is believed before any family is seen."""
    return Calibration(
        VAGUE, {}, np.full(len(CAUSES), 0.3), 5.0, 0.05, 0.0, "nothing learned", "were never tried"
    )
