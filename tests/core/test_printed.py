"""Text that is shown as it is printed, and is a string for all else."""

from __future__ import annotations

import json
import pickle

import numpy as np

import scaling_jax as sj
from scaling_jax.core.printed import Printed


class Page:
    def __init__(self) -> None:
        self.shown = ""

    def text(self, text: str) -> None:
        self.shown += text


def test_it_is_shown_as_it_is_printed() -> None:
    said, page = Printed("one\ntwo 'three'"), Page()
    said._repr_pretty_(page, False)
    assert repr(said) == f"{said}" == str(said) == page.shown == "one\ntwo 'three'"


def test_it_is_a_string_for_all_else() -> None:
    said = Printed("one\ntwo")
    assert said == "one\ntwo" and json.dumps(said) == '"one\\ntwo"' and hash(said) == hash("one\ntwo")
    assert said.splitlines() == ["one", "two"] and type(str(said)) is str
    assert pickle.loads(pickle.dumps(said)) == said


def test_a_fit_speaks_in_it() -> None:
    x = np.geomspace(1, 100, 8)
    fit = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 * x**-0.2})
    assert repr(fit.summary()).startswith("=====") and "\n" in repr(fit.summary())
    assert repr(fit.checklist()).startswith("Reporting checklist for power_law")
