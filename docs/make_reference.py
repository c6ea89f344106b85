"""The reference: one page per object of `api.md`, which says what it holds, and the tables that lead there.

`python docs/make_reference.py FOLDER` writes it.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType

import make_pictures

import scaling_jax as sj

LISTING = Path(__file__).parent / "api.md"
MOST_PAGES = 6
ENTRY = re.compile(r"^\.\. (auto\w+):: ([\w.]+)\n((?:   :.*\n)*)", re.M)


@dataclass(frozen=True)
class Entry:
    """A line of the listing: how Sphinx documents it, its full name, and its options."""

    directive: str
    path: str
    options: str

    @property
    def name(self) -> str:
        """As a user writes it; classes that nobody calls by name go by their last word."""
        inner = self.path.removeprefix("scaling_jax.")
        if inner.startswith(("plot.", "datasets.")) or "." not in inner:
            return f"sj.{inner}"
        return "sj.cost" if inner == "planning.cost" else inner.rpartition(".")[2]

    @property
    def page(self) -> str:
        return self.path.removeprefix("scaling_jax.")

    @property
    def thing(self) -> object:
        if self.directive == "automodule":
            return importlib.import_module(self.path)
        module, _, name = self.path.rpartition(".")
        return getattr(importlib.import_module(module), name)

    @property
    def sentence(self) -> str:
        return first_sentence(self.thing)


def first_sentence(thing: object) -> str:
    """Of its docstring, for a cell of a table."""
    first = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    found = re.match(r"(.+?\.)(?:\s|$)", first)
    plain = re.sub(r"\$\$.*", "", found[1] if found else first).strip().rstrip(":,")
    return "`".join(
        part if k % 2 else re.sub(r"([*_<>\[\]|])", r"\\\1", part) for k, part in enumerate(plain.split("`"))
    )


def listed() -> dict[str, list[Entry]]:
    """The listing's entries, by its headings."""
    text = LISTING.read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)\n", text, flags=re.M)[1:]
    return {
        title: [Entry(*found) for found in ENTRY.findall(body)]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def shown_of(entry: Entry) -> list[str]:
    """The methods and properties of a class, or the functions of a module, that its page shows."""
    asked = re.search(r":members:(.*)", entry.options)
    if asked is None or asked[1].strip():
        return [name.strip() for name in asked[1].split(",")] if asked else []
    owners = inspect.getmro(entry.thing)[:-1] if ":inherited-members:" in entry.options else (entry.thing,)
    held: dict[str, object] = {}
    for owner in owners:
        held |= {name: thing for name, thing in vars(owner).items() if name not in held}
    kinds = (FunctionType, property, cached_property, classmethod, staticmethod)
    return [name for name, thing in held.items() if name[0] != "_" and isinstance(thing, kinds)]


def methods(entry: Entry) -> str:
    """What its page shows, as a table."""
    what = "function" if entry.directive == "automodule" else "method"
    lines = [f"| {what} | answer |", "|---|---|"]
    for name in shown_of(entry):
        words = first_sentence(getattr(entry.thing, name, None))
        lines.append(f"| {{py:obj}}`{name} <{entry.path}.{name}>` | {words} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def facts(entry: Entry) -> str:
    """Where it is defined, and which pages show it at work."""
    call = entry.name.rpartition(".")[2] + "("
    texts = {
        path: path.read_text(encoding="utf-8")
        for path in sorted(LISTING.parent.glob("*.md"))
        if path != LISTING
    }
    seen = [
        f"[{text.partition('# ')[2].partition(chr(10))[0]}](../{path.name})"
        for path, text in texts.items()
        if re.search(rf"(?<!\w){re.escape(call)}", text)
    ]
    module = entry.path if entry.directive == "automodule" else getattr(entry.thing, "__module__", entry.path)
    rows = ["| defined in | shown in |", "|---|---|", f"| `{module}` | {' · '.join(seen[:MOST_PAGES])} |"]
    return "\n".join(rows)


def page(entry: Entry) -> str:
    parts = [f"# {entry.name}"]
    picture = entry.path.removeprefix("scaling_jax.plot.").removesuffix("_data")
    if ".plot." in entry.path and picture in make_pictures.PICTURES:
        parts.append(
            f"![{picture}](../pictures/{picture}.png){{.only-light}}\n"
            f"![{picture}](../pictures/{picture}_dark.png){{.only-dark}}"
        )
    parts.append(methods(entry))
    parts.append(f"```{{eval-rst}}\n.. {entry.directive}:: {entry.path}\n{entry.options}```")
    parts.append(facts(entry))
    return "\n\n".join(part for part in parts if part) + "\n"


def index(entries: dict[str, list[Entry]]) -> str:
    parts = ["# Every object", f"Version {sj.__version__}; `import scaling_jax as sj`."]
    for title, found in entries.items():
        rows = [f"| [{entry.name}]({entry.page}.md) | {entry.sentence} |" for entry in found]
        parts.append("\n".join([f"## {title}", "", "| name | what it does |", "|---|---|", *rows]))
    pages = "\n".join(entry.page for found in entries.values() for entry in found)
    parts.append(f"```{{toctree}}\n:hidden:\n\n{pages}\n```")
    return "\n\n".join(parts) + "\n"


def make(folder: Path) -> None:
    """Writes all pages and the index."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = listed()
    (folder / "index.md").write_text(index(entries), encoding="utf-8")
    for found in entries.values():
        for entry in found:
            (folder / f"{entry.page}.md").write_text(page(entry), encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "reference"))
