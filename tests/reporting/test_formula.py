"""Formulas in plain signs: every law's can be read on a terminal."""

from __future__ import annotations

import re

import pytest

import scaling_jax as sj
from scaling_jax.reporting.formula import readable

LAWS = [n for n in sj.laws.__all__ if isinstance(getattr(sj.laws, n), sj.Law)]


@pytest.mark.parametrize("name", LAWS)
def test_no_latex_is_left(name: str) -> None:
    text = readable(getattr(sj.laws, name).formula)
    assert not re.search(r"\\|frac|mathrm|infty|alpha|prod|hat", text), text
    assert text.count("(") == text.count(")") and text.count("[") == text.count("]")


@pytest.mark.parametrize(
    ("latex", "plain"),
    [
        (r"\frac{L - e_\infty}{(e_0 - L)^{\beta}} = b\,x^{-c}", "(L - e_∞)/((e_0 - L)^β) = b x^-c"),
        (r"\left[\left(\frac{N_c}{N}\right)^{\beta_N / \beta_D}\right]^{2}", "[(N_c/N)^(β_N / β_D)]^2"),
        (r"a\,\hat E^{\delta} \le \sqrt{x}", "a E\u0302^δ ≤ √(x)"),
    ],
)
def test_forms(latex: str, plain: str) -> None:
    assert readable(latex) == plain


def test_the_checklist_holds_no_latex() -> None:
    from scaling_jax.reporting.checklist import checklist
    from scaling_jax.reporting.summary import Told

    fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
    assert "Form: L(x) = A x^-\u03b1" in checklist(fit, Told()).replace("\n    ", " ")
