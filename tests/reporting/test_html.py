"""What notebooks show: one mechanism for all results, every string escaped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.reporting.blocks import Facts, Grid, Items, Section, Words
from scaling_jax.reporting.html import notebook_html
from tests.pages.hostile import hostile_fit

BAD = "<script>x</script>"


def test_every_string_is_escaped() -> None:
    grid = Grid((BAD,), ((BAD,),), (False,), BAD)
    blocks = [Words(BAD), Items((BAD,)), Facts(((BAD, BAD),)), grid]
    shown = notebook_html(BAD, [Section(BAD, blocks), Section(BAD, blocks, folded=True)])
    assert "<script" not in shown and shown.count("&lt;script&gt;") == 17


def test_results_show_themselves(best: sj.FitResult) -> None:
    x = np.geomspace(1, 100, 20)
    runs = {"x": np.tile(x, 3), "run": np.repeat([1, 2, 3], 20)}
    runs["loss"] = 3 / runs["x"] ** 0.5 * np.exp(0.01 * np.random.default_rng(0).normal(size=60))
    fit = sj.fit(sj.laws.power_law, runs, run="run", objective=sj.SquaredError())
    seen = fit.monitor({"x": x, "loss": 3 / x**0.5})
    fits = sj.fit_groups(sj.laws.power_law, runs, by="run")
    plan = sj.plan(best, flops=[1e13, 1e14])
    contrast = sj.contrast({"a": best, "b": best}, flops=[1e13])
    shown = {
        type(result).__name__: result._repr_html_()
        for result in (
            best, fits, plan, sj.plan({"a": best}, flops=[1e13]), contrast, seen, best.checklist(),
            sj.next_runs(best, 1e13, flops=1e13), fit.adequacy(),
        )
    }  # fmt: skip
    for html in shown.values():
        assert html.startswith('<div class="sj-shown">') and html.count("<div") == html.count("</div>")
        assert html.count("<table") == html.count("</table>")
    assert "<details>" in shown["FitResult"] and "Certificate" in shown["FitResult"]
    assert "tokens per parameter" in shown["Plan"] and " to " in shown["Plan"]


def test_names_of_a_user_s_stay_names_in_notebooks() -> None:
    shown = hostile_fit()._repr_html_()
    assert "<script>" not in shown and "<img" not in shown


@pytest.mark.parametrize("column", ["lower", "upper"])
def test_ends_without_a_middle_stay_columns(column: str) -> None:
    from scaling_jax.reporting.blocks import grid_of

    assert grid_of(pd.DataFrame({column: [1.0], "other": [2.0]})).headings == (column, "other")
