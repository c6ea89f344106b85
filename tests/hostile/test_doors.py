"""A slice of the adversary: every public function has an example to attack, and some are attacked.

The whole is `python -m benchmarks.adversary`. Which doors this slice takes follows from their names alone, so
that what is added tomorrow may be among them.
"""

from __future__ import annotations

import inspect
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

import scaling_jax as sj
from tests.hostile.calls import Attack, attempt, hostile
from tests.hostile.walk import Door, doors

TURNS = 12  # one door of so many is attacked here
ALWAYS = ("sj.fit", "sj.read_runs", "FitResult.predict", "FitResult.from_json")
SLOW = (
    "posterior",
    "Posterior",
    "study",
    "Optimum",
    "Isoflop",
    "Allocation",
    "plot",
    "compare",
    "examine",
    "forecast",
    "Forecast",
)


def chosen() -> list[Door]:
    turn = [door for name, door in doors().items() if zlib.crc32(name.encode()) % TURNS == 0]
    quick = [door for door in turn if not any(word in door.name for word in SLOW)]
    return list({door.name: door for door in [*(doors()[name] for name in ALWAYS), *quick]}.values())


def test_every_public_name_is_a_door() -> None:
    names = set(doors())
    for name in sj.__all__:
        thing = getattr(sj, name)
        if inspect.isfunction(thing):
            assert f"sj.{name}" in names
    assert {"FitResult.predict", "FitGroups.bootstrap", "Draws.conf_int", "Posterior.summary"} <= names
    assert {f"sj.laws.{name}" for name in ("chinchilla", "kaplan_optimum", "bnsl")} <= names
    assert len(names) > 200


@pytest.mark.parametrize("door", chosen(), ids=lambda door: door.name)
def test_hostile_arguments_end_in_a_result_or_a_sentence(door: Door, tmp_path: Path) -> None:
    folder = tmp_path / "inner" / "most"
    folder.mkdir(parents=True)

    @seed(0)
    @settings(
        max_examples=8,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile(door))
    def attacked(attack: Attack) -> None:
        outcome = attempt(attack, folder)
        assert outcome.is_good, f"{door.name}({attack.words}): {outcome}"

    attacked()
