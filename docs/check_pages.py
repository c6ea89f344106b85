"""Checks built pages: links land, nothing is fetched from a network, each has a picture or a table.

`python docs/check_pages.py FOLDER` says what is wrong and ends with 1 where something is. Places within
the pages that Sphinx makes of source files are its own affair.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

WITHOUT_CONTENT = ("genindex.html", "search.html", "py-modindex.html")
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """What a page links to, loads and names, and whether its content has something to see."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.names: set[str] = set()
        self.depth = 0  # of elements within the content
        self.seen = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {key: value or "" for key, value in attrs}
        self.names |= {held[key] for key in ("id", "name") if key in held}
        if tag == "a" and "href" in held:
            self.links.append(held["href"])
        if tag in LOADS and LOADS[tag] in held:
            self.loads.append(held[LOADS[tag]])
        if tag == "link" and held.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(held["href"])
        self.depth += tag == "article"
        self.seen |= self.depth > 0 and tag in ("img", "table", "svg")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "article"


def troubles(folder: Path) -> list[str]:
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        content = name.parts[0] not in ("_modules", "_static") and name.name not in WITHOUT_CONTENT
        if content and not page.seen:
            found.append(f"{name}: neither a picture nor a table")
        found += [f"{name}: fetches {load}" for load in page.loads if urlsplit(load).netloc]
        found += [f"{name}: {why}" for link in [*page.links, *page.loads] if (why := dead(link, path, pages))]
    return found


def dead(link: str, path: Path, pages: dict[Path, Page]) -> str:
    """Why a link within the pages leads nowhere, or nothing."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return f"no page or file {link}"
    place = unquote(parts.fragment)
    if place and "_modules" not in path.parts and target in pages and place not in pages[target].names:
        return f"no place {link}"
    return ""


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    wrong = troubles(folder)
    print(
        "\n".join(wrong)
        or f"{len(list(folder.rglob('*.html')))} pages: links land, no network, something to see on each"
    )
    sys.exit(bool(wrong))
