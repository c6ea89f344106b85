"""What callers pass is held against the signature: other kinds are refused, kinds of numbers are taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from scaling_jax.core.checked import LONGEST, checked, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from somewhere import Elsewhere  # type: ignore[import-not-found]  # a class that only type checkers see

    from scaling_jax.core.arrays import Labels


@checked
def taken(
    number: float = 0.0,
    whole: int = 0,
    truth: bool = False,
    text: str = "",
    values: ArrayLike = 0.0,
    rows: Labels = (),
    function: Callable[..., Any] = print,
    named: Mapping[str, float] | None = None,
    names: Sequence[str] = (),
    pair: tuple[float, float] = (0.0, 1.0),
    word: Literal["a", "b"] = "a",
    far: Elsewhere | None = None,
    either: float | str = 0.0,
    unread: Any = None,
) -> dict[str, Any]:
    return dict(locals())


WRONG = {
    "number": (
        ["a", None, True, 1j, [1.0], np.ones(2), 10**400, pd.NaT, pd.NA, Decimal("sNaN"), b"1"],
        "a number",
    ),
    "whole": (["a", 1.5, np.nan, np.inf, 2**63, True, [1]], "a whole number"),
    "truth": ([1, 0, None, "True", np.array([True])], "True or False"),
    "text": ([1, b"a", None, ["a"]], "text"),
    "values": (
        ["a", {"a": 1}, {1.0}, [1, "a"], [1, None], [[1], [2, 3]], np.array(["1"]), np.array([True]), 1j,
         print, np.ma.masked_array([1.0, 2.0], [True, False]), np.array(["2024"], dtype="datetime64[D]")],
        "numbers, one or an array",
    ),
    "rows": (["abc", {"a": 1}, 1, [[1], [2]], np.ones((2, 2)), [[]]], "labels, one per row"),
    "function": ([1, None, "print"], "a function"),
    "named": ([[1], "a", 1, {"a": "b"}], "a mapping to a number or None"),
    "names": (["abc", [1], 1, {"a": 1}], "several, each text"),
    "pair": ([(1.0,), (1, 2, 3), "ab", 1.0, ("a", 1)], r"\(a number, a number\)"),
    "word": ([1, None], "'a' or 'b'"),
    "far": ([1, "a"], "an Elsewhere or None"),
    "either": ([None, [1]], "a number or text"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_another_kind_is_refused_in_one_sentence_that_names_it(name: str) -> None:
    values, words = WRONG[name]
    for value in values:
        with pytest.raises(TypeError, match=rf"^taken\({name}=.*\): give {words}\.$"):
            taken(**{name: value})


def test_other_kinds_of_numbers_are_taken_as_numbers() -> None:
    for value in (Decimal("1.5"), Fraction(3, 2), np.float32(1.5), np.array(1.5), jnp.asarray(1.5)):
        assert taken(number=value)["number"] == 1.5
    assert taken(whole=4.0)["whole"] == 4 and type(taken(whole=np.int8(4))["whole"]) is int
    for value in ([1, 2], (1, 2), range(1, 3), [Decimal(1), Decimal(2)]):
        np.testing.assert_array_equal(taken(values=value)["values"], [1, 2])
    kept = pd.Series([1.0, 2.0], index=["a", "b"])
    assert taken(values=kept)["values"] is kept
    assert taken(names=iter(["a", "b"]))["names"] == ["a", "b"]
    assert taken(rows=[(1, "a"), None])["rows"] == [(1, "a"), None]
    assert taken(far=None, unread=object())["far"] is None


def test_what_does_not_fit_the_signature_is_a_sentence_of_ours() -> None:
    with pytest.raises(TypeError, match=r"^taken: got an unexpected keyword argument 'x'\.$"):
        taken(x=1)


def test_traced_numbers_pass() -> None:
    assert jax.grad(lambda x: taken(number=x, values=x)["number"] * 2)(1.0) == 2.0


def test_a_class_is_checked_where_it_is_made() -> None:
    @checked
    @dataclass(frozen=True)
    class Size:
        n: int

    assert Size(3).n == 3
    with pytest.raises(TypeError, match=r"^Size\(n='a'\): give a whole number\.$"):
        Size("a")  # type: ignore[arg-type]  # the mistake that is tested


def test_a_value_is_shown_on_one_line_and_not_at_length() -> None:
    class Loud:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown(np.eye(3)).count("\n") == 0
    assert len(shown("x" * 10_000)) == LONGEST + 1
    assert shown(Loud()) == "<Loud>"
