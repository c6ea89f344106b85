"""`sj.report`: what goes in, what comes out, and that names stay names."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling_jax as sj
from scaling_jax.diagnosis.sensitivity import AS_FITTED, Sensitivity
from tests.pages.hostile import hostile_fit

pytest.importorskip("altair", reason="reports need the extra `report`")
pytest.importorskip("vl_convert", reason="reports need the extra `report`")


class Tags(HTMLParser):
    """The tags of a page, their addresses, and the order of its titles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.titles: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside in ("h3", "summary") and data.strip():
            self.titles.append(data.strip())


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


@pytest.fixture(scope="module")
def page(best: sj.FitResult) -> str:
    made = best.report()
    assert isinstance(made, str)
    return made


def test_a_page_needs_nothing_from_elsewhere_and_stays_small(page: str) -> None:
    tags = read(page)
    for tag, attributes in tags.tags:
        for name in ("src", "href", "srcset", "data"):
            if name in attributes and tag != "html":
                assert str(attributes[name]).startswith("data:"), (tag, attributes[name])
    assert "url(" not in page[: page.index("</style>")] and "@import" not in page[: page.index("</style>")]
    assert len(page.encode()) < 3e6


def test_what_matters_most_stands_first(page: str, best: sj.FitResult) -> None:
    body = page[page.index("<body") :]
    assert body.index(best.verdict.headline.capitalize()) < body.index("<h3>")
    wanted = [
        "Pictures", "How large a run should be", "Parameters", "Beyond the data",
        "Does the law describe the rows?", "Certificate of the optimum", "Examination",
        "Other defensible choices", "Data", "Repeat it",
    ]  # fmt: skip
    titles = read(page).titles
    assert [title for title in titles if title in wanted] == wanted


def test_numbers_of_the_page_are_those_of_the_methods(page: str, best: sj.FitResult) -> None:
    ends = best.conf_int()
    for label in best.law.labels:
        assert f"{ends.loc[label, 'lower']:.4g} to {ends.loc[label, 'upper']:.4g}" in page
    assert best.fingerprint in page


def test_names_of_a_user_s_stay_names_on_a_page() -> None:
    made = str(hostile_fit().report(title="</title><script>window.hacked = 2</script>"))
    tags = read(made).tags
    assert not [attributes for _, attributes in tags if "onerror" in attributes]
    scripts = [attributes for tag, attributes in tags if tag == "script"]
    assert [s for s in scripts if s.get("type") != "application/json"] == [{}, {}]  # Vega's and our own
    assert "<script>window.hacked" not in made


def test_names_of_a_user_s_stay_names_in_markdown() -> None:
    reader = pytest.importorskip("markdown_it", reason="a reader of Markdown").MarkdownIt()
    made = str(hostile_fit().report(format="md", title="[x](javascript:hacked)"))
    tags = read(reader.enable("table").render(made)).tags
    assert not {"a", "img", "script"} & {tag for tag, _ in tags}
    assert {tag for tag, _ in tags if tag[0] == "h"} == {"h1", "h2"}
    assert sum(tag == "h1" for tag, _ in tags) == 1


def test_every_kind_of_result_has_its_part(best: sj.FitResult, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0]})
    plan = sj.plan(best, flops=[1e13], level=None)
    reach = sj.plan(best, loss=plan.table["loss"], level=None)
    runs = sj.next_runs(best, 1e13, flops=1e13)
    made = sj.report(plan, reach, [runs], {"odd": frame}, tmp_path / "all.html", title="All of them")
    assert isinstance(made, str) and (tmp_path / "all.html").read_text() == made
    for words in ("<h2>Best runs of chinchilla", "Other budgets", "Runs to train next", "<h2>Table"):
        assert words in made
    assert '<input type="range"' in made and "vegaEmbed" in made


def test_what_judges_a_fit_is_shown_and_reported(best: sj.FitResult) -> None:
    runs = sj.datasets.load("tiny_sweep").query("arm == 'main' and final")
    three = sj.approaches(runs, budget="budget", N="n_params", D="tokens", run="run")
    choices = pd.DataFrame({"prediction": [1.3, 1.2]}, index=[AS_FITTED, "squared error"])
    asked = Sensitivity(choices, {"N": 1e6}, None, (1.2, 1.4), 0.9)
    things = [best.profile("beta"), asked, best.posterior(method="laplace"), best.backtest()]
    size = sj.isoflop(runs, budget="budget", N="n_params", D="tokens")
    made = str(sj.report(*things, size, format="html"))
    for thing in (*things, size):
        assert f"<h2>{thing._title()}" in made
    for thing in (three, size, *things):
        shown = thing._repr_html_()
        assert shown.startswith('<div class="sj-shown">') and "<table>" in shown
    assert made.count("<figure") == len(things) + 2
    assert "Approach" in three._repr_html_() and "likelihood interval" in things[0]._repr_html_()


def test_a_page_without_charts_carries_no_library() -> None:
    made = sj.report(pd.DataFrame({"a": [1.0, np.nan]}))
    assert len(made) < 20_000 and "vegaEmbed=" not in str(made)


def test_groups_and_fits_that_failed_have_a_page() -> None:
    x = [1.0, 10, 100, 1000]
    table = {"x": x * 2, "loss": [4, 2.1, 1, 0.5, 1, 1, 1, 1], "family": list("aaaabbbb")}
    fits = sj.fit_groups(sj.laws.power_law_floor, table, by="family")
    made = fits.report(format="md")
    assert "2 groups" in str(made) and "## a" in str(made)


def test_what_cannot_be_reported_is_said(best: sj.FitResult, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="A report is made of fits"):
        sj.report(3.0)
    with pytest.raises(TypeError, match="takes what is to be reported"):
        sj.report()
    with pytest.raises(ValueError, match="html, md or pdf, not as 'docx'"):
        sj.report(best, path=tmp_path / "fit.docx")
    with pytest.raises(ValueError, match="There is no folder"):
        sj.report(best, path=tmp_path / "none" / "fit.html")
