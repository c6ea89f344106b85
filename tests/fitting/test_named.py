"""Laws and objectives by name, in Python as on the command line."""

from __future__ import annotations

import pytest

import scaling_jax as sj
from scaling_jax.fitting.named import law_named

TABLE = {"x": [1.0, 10, 100, 1000], "loss": [4.0, 2.1, 1.0, 0.5]}


def test_words_are_what_they_name() -> None:
    plain = sj.fit(sj.laws.power_law, TABLE, objective=sj.SquaredError())
    words = sj.fit("power_law", TABLE, objective="squared")
    assert words.law is plain.law and words.objective == plain.objective
    assert words.params == plain.params
    groups = sj.fit_groups("power_law", TABLE | {"g": ["a"] * 4}, by="g", objective="squared")
    assert groups["a"].params == pytest.approx(plain.params)
    assert sj.certify("power_law", TABLE, plain.params, objective="squared").converged
    assert law_named("power_product(lr, N)").inputs == ("lr", "N")


@pytest.mark.parametrize(
    ("law", "objective", "sentence"),
    [
        ("chinchila", None, "There is no law 'chinchila': near it are chinchilla"),
        ("Kaplan", None, "near it are kaplan"),
        ("qqq", None, "There is no law 'qqq': sj.laws has the names."),
        ("power_sum", None, "'power_sum' is made to order"),
        ("power_law", "square", "Unknown objective 'square': use huber, squared"),
    ],
)
def test_other_words_are_one_sentence(law: str, objective: str | None, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        sj.fit(law, TABLE, objective=objective)
