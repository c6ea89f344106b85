"""The pages, without Sphinx: none is lost, the reference names what is public, built pages are checked."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import scaling_jax as sj

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = {"gallery/index", "reference/index"}
UNLISTED = {"index", "api"}  # the root, and what the reference is made from
SPOKEN_OF_ELSEWHERE = {  # namespaces, domains and errors: their own pages, the laws' and the tables'
    *("components", "datasets", "laws", "plot", "published", "evaluate", "schedules", "cost"),
    *("Domain", "NonNegative", "Parameter", "Positive", "Real", "Unit", "DataError", "UnderdeterminedError"),
}


def listed(page: Path) -> set[str]:
    """The pages in a page's tables of contents, seen from `docs/`."""
    found = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    lines = [line.strip() for block in found for line in block.splitlines()]
    return {line for line in lines if line and not line.startswith(":")}


def test_every_page_stands_in_one_section() -> None:
    pages = [path for kind in ("*.md", "datasets/*.md", "notebooks/*.ipynb") for path in DOCS.glob(kind)]
    names = {path.relative_to(DOCS).with_suffix("").as_posix() for path in pages}
    told = [name for path in pages if path.suffix == ".md" for name in listed(path)]
    assert sorted(told) == sorted(names - UNLISTED | MADE)


def test_the_reference_names_what_is_public() -> None:
    listing = (DOCS / "api.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\.\. auto\w+:: scaling_jax\.(?:\w+\.)*(\w+)$", listing, re.M))
    assert set(sj.__all__) - named - SPOKEN_OF_ELSEWHERE == set()


def test_the_guide_names_laws_that_are() -> None:
    guide = (DOCS / "which_law.md").read_text(encoding="utf-8")
    assert set(re.findall(r"gallery/(\w+)\.md", guide)) <= set(sj.laws.__all__)


def test_bare_pages_dead_links_and_networks_are_seen(tmp_path: Path) -> None:
    troubles = runpy.run_path(str(DOCS / "check_pages.py"))["troubles"]
    (tmp_path / "good.html").write_text('<article id="a"><table></table><a href="#a">a</a></article>')
    assert troubles(tmp_path) == []
    links = (
        '<a href="gone.html">x</a><a href="good.html#b">y</a><script src="https://cdn.example/x.js"></script>'
    )
    (tmp_path / "bad.html").write_text(f"<article>{links}</article>")
    assert [line.partition(": ")[2] for line in troubles(tmp_path)] == [
        "neither a picture nor a table",
        "fetches https://cdn.example/x.js",
        "no page or file gone.html",
        "no place good.html#b",
    ]
