"""Every door of the library: its public functions, and the public methods of whatever they return.

Nothing is listed here. The names come from `__all__` of the package and its folders, the results from what
the functions say that they return, so what is added tomorrow is attacked tomorrow.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import scaling_jax as sj

__all__ = ["Door", "classes_in", "doors", "own_class", "promised"]

SPECIAL = ("__call__", "__getitem__", "__rshift__")
ALREADY_MADE = "Made by"  # so begins what the docstring of a record says that no user builds
INNER = (
    "core",
    "engine",
    "fitting",
    "tables.runs",
)  # whose classes are not menus: only what they show in full
IN_FULL = ("Args:", "Returns:", ">>>")
API = (Path(__file__).parents[2] / "docs/api.md").read_text(encoding="utf-8")


@dataclass(frozen=True, eq=False)
class Door:
    """Something that a user may call, or look at.

    Args:
        name: as a user writes it.
        function: what is called; a method as its class holds it.
        owner: the class of a method, or None.
        thing: the object of the package itself that has the method, such as a law.
    """

    name: str
    function: Any
    owner: type | None = None
    thing: object = None

    @property
    def short(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_property(self) -> bool:
        return self.owner is not None and not callable(self.function)

    @property
    def signature(self) -> inspect.Signature:
        """What a caller passes."""
        if self.is_property:
            return inspect.Signature()
        found = inspect.signature(self.thing if self.is_law else self.function)
        bound = self.owner is not None and not self.is_law
        return found.replace(parameters=list(found.parameters.values())[bound:])

    @property
    def is_law(self) -> bool:
        return isinstance(self.thing, sj.Law) and self.short != "__rshift__"


@cache
def doors() -> dict[str, Door]:
    """All of them by name."""
    found = {door.name: door for door in _named(sj, "sj")}
    ahead, seen = list(found.values()), set()
    while ahead:
        door = ahead.pop(0)
        for owner in promised(door) - seen:
            seen.add(owner)
            methods = list(_methods(owner, asked_for=door.name.startswith("sj.")))
            found |= {method.name: method for method in methods}
            ahead += methods
    owners = {door.owner for door in found.values() if door.owner is not None}
    returned = {kind for door in found.values() if door.owner is None for kind in promised(door)}
    bases = {
        base for owner in owners for base in owner.__mro__[1:]
    } - returned  # attacked through their heirs
    return {
        name: door
        for name, door in sorted(found.items())
        if door.owner not in bases or door.thing is not None
    }


def own_class(kind: type) -> bool:
    return kind.__module__.startswith("scaling_jax")


def _named(module: ModuleType, prefix: str) -> Iterator[Door]:
    for name in module.__all__:
        thing, title = getattr(module, name), f"{prefix}.{name}"
        if isinstance(thing, ModuleType):
            yield from _named(thing, title)
        elif inspect.isclass(thing):
            if not issubclass(thing, Exception) and not _is_record(thing):
                yield Door(title, thing)
            if not issubclass(thing, Exception):
                yield from _methods(thing)
        elif isinstance(thing, sj.Law):
            yield Door(title, type(thing).__call__, type(thing), thing)
        elif inspect.isfunction(thing):
            yield Door(title, thing)
        elif own_class(type(thing)):
            yield from (Door(f"{title}.{m.short}", m.function, m.owner, thing) for m in _methods(type(thing)))


def _methods(owner: type, asked_for: bool = True) -> Iterator[Door]:
    for name in sorted(dir(owner)):
        held = inspect.getattr_static(owner, name)
        public = (not name.startswith("_") or name in SPECIAL) and _is_shown(owner, name, held, asked_for)
        whose = next((base for base in owner.__mro__ if name in vars(base)), object)
        if not public or not own_class(whose):
            continue
        if isinstance(held, classmethod | staticmethod):
            if any(words in (inspect.getdoc(held) or "") for words in IN_FULL):
                yield Door(f"{owner.__name__}.{name}", getattr(owner, name))
        elif callable(held) or inspect.isdatadescriptor(held) or hasattr(held, "func"):
            yield Door(f"{owner.__name__}.{name}", held, owner)


def _is_shown(owner: type, name: str, held: object, asked_for: bool) -> bool:
    """Whether a method is for users: the reference shows it, a public function returns its class and the
    reference does not say what of it is shown, or its docstring is one for users."""
    if issubclass(owner, tuple):
        return False
    entry = re.search(rf"autoclass:: [\w.]*\b{owner.__name__}\n((?:   :.*\n)*)", API)
    if (
        entry
        and (listed := re.search(r":members:(.*)", entry[1]))
        and (not listed[1].strip() or name in re.split(r"[,\s]+", listed[1]))
    ):
        return True
    menu = (
        asked_for
        and not entry
        and not owner.__module__.startswith(tuple(f"scaling_jax.{part}" for part in INNER))
    )
    doc = inspect.getdoc(held) or ""
    return menu or name in SPECIAL or any(words in doc for words in IN_FULL)


def _is_record(kind: type) -> bool:
    return ALREADY_MADE in (kind.__doc__ or "") or issubclass(kind, tuple)


def promised(door: Door) -> set[type]:
    """Classes of ours that a function says it returns."""
    function = getattr(door.function, "fget", None) or getattr(door.function, "func", door.function)
    return classes_in(getattr(function, "__annotations__", {}).get("return", ""), function.__module__)


def classes_in(said: object, module: str) -> set[type]:
    """Classes of ours that an annotation names; of two of one name, the one of that module."""
    words = said if isinstance(said, str) else repr(said)
    held = (_classes().get(word, []) for word in re.findall(r"\w+", words))
    return {min(kinds, key=lambda kind: kind.__module__ != module) for kinds in held if kinds}


@cache
def _classes() -> dict[str, list[type]]:
    """All classes of the package by name."""
    found: dict[str, list[type]] = {}
    for _, name, _ in pkgutil.walk_packages(sj.__path__, "scaling_jax."):
        if not name.startswith("scaling_jax.cli"):
            for kind in vars(importlib.import_module(name)).values():
                public = inspect.isclass(kind) and own_class(kind) and not issubclass(kind, Exception)
                if public and kind not in found.setdefault(kind.__name__, []):
                    found[kind.__name__].append(kind)
    return found
