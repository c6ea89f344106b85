"""A good call of every door, taken from the library's own docstrings.

A docstring's example is run up to the moment in which it calls the door; the arguments it would pass are
kept. A door that no example calls gets its object from some example, and its arguments by their types.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import scaling_jax as sj
from tests.hostile.walk import Door, classes_in, doors, promised

__all__ = ["Example", "example", "options"]

FIT_WORDS = tuple(p.name for p in inspect.signature(sj.fit).parameters.values() if p.kind is p.KEYWORD_ONLY)
# arguments for doors that no docstring calls; few draws, since sampling is not what is attacked
USUAL = {"name": "alpha", "n": 40, "draws": 60, "warmup": 60, "chains": 2}


@dataclass(frozen=True, eq=False)
class Example:
    """What a docstring passes to a door.

    Args:
        args, kwargs: the arguments, without the object of a method.
        thing: that object.
        shown: whether a docstring shows the call; False where arguments were made up.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    thing: Any = None
    shown: bool = True


class Reached(BaseException):
    """An example came to what was looked for, which is its argument."""


@cache
def example(door: Door) -> Example:
    """A good call of a door."""
    if door.is_law or (door.thing is not None and door.short == "__getitem__"):
        return _made_up(door, door.thing)
    if not door.is_property:
        for text, names in _texts(door):
            if found := _until(text, names, lambda f, args, kwargs: _call_of(door, f, args, kwargs)):
                return found
    return _made_up(
        door, door.thing if door.thing is not None or door.owner is None else _instance(door.owner)
    )


def _call_of(door: Door, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Example | None:
    """The arguments, if this call is one of the door."""
    if door.owner is None:
        same = function is door.function or getattr(function, "__func__", 0) is getattr(
            door.function, "__func__", None
        )
        return Example(args, kwargs) if same else None
    if door.short.startswith("__"):
        return Example(args, kwargs, function) if isinstance(function, door.owner) else None
    thing = getattr(function, "__self__", None)
    if isinstance(thing, door.owner) and getattr(function, "__name__", "") == door.short:
        return Example(args, kwargs, thing)
    return None


def _texts(door: Door) -> Iterator[tuple[str, dict[str, Any]]]:
    """Examples that may call a door, its own first, each with the names it may use."""
    own = (door.function if door.owner is None else inspect.getattr_static(door.owner, door.short, None),)
    called = re.compile(rf"\b{re.escape(door.short)}\(")
    held = [(thing, text) for thing in _documented() if called.search(text := _shown(thing))]
    for thing, text in sorted(held, key=lambda pair: pair[0] not in own):
        yield text, _names(thing)


@cache
def _documented() -> tuple[Any, ...]:
    """All that has an example: functions, methods, and the classes that have them."""
    held = [
        getattr(d.function, "fget", None) or getattr(d.function, "func", d.function) for d in doors().values()
    ]
    held += [door.owner for door in doors().values() if door.owner]
    return tuple({id(thing): thing for thing in held if _shown(thing)}.values())


def _shown(thing: Any) -> str:
    parts = doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")
    return "".join(part.source for part in parts)


def _names(thing: Any) -> dict[str, Any]:
    module = getattr(thing, "__module__", None)
    return {"np": np, **(vars(importlib.import_module(module)) if module else {})}


class _Calls(ast.NodeTransformer):
    """`f(a)` becomes `__seen__(f, a)`."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        seen = ast.Name("__seen__", ast.Load())
        return ast.copy_location(ast.Call(seen, [node.func, *node.args], node.keywords), node)


def _until(text: str, names: dict[str, Any], look: Callable[..., Any]) -> Any:
    """What `look` finds in the first call of an example where it finds something, before the call is made."""

    def seen(function: Any, *args: Any, **kwargs: Any) -> Any:
        if (found := look(function, args, kwargs)) is not None:
            raise Reached(found)
        made = function(*args, **kwargs)
        if (found := look(lambda: made, (), {})) is not None:
            raise Reached(found)
        return made

    tree = ast.fix_missing_locations(_Calls().visit(ast.parse(text)))
    try:
        exec(compile(tree, "<an example>", "exec"), names | {"__seen__": seen})
    except Reached as reached:
        return reached.args[0]
    except Exception:  # an example that shows an error, or needs what is not here
        return None
    return None


@cache
def _instance(owner: type) -> Any:
    """An object of a class, out of whatever example makes one, or of a door that promises it."""

    def look(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        made = (
            function() if getattr(function, "__name__", "") == "<lambda>" and not (args or kwargs) else None
        )
        held = [made, getattr(function, "__self__", None), *args, *kwargs.values()]
        return next((thing for thing in held if isinstance(thing, owner)), None)

    methods = [d.function for d in doors().values() if d.owner is owner]
    makers = [door for door in doors().values() if owner in promised(door) and door.owner is not owner]
    for thing in [owner, *methods, *(door.function for door in makers)]:
        if (text := _shown(thing)) and (found := _until(text, _names(thing), look)) is not None:
            return found
    for door in makers:
        with suppress(Exception):
            if isinstance(made := _made(door), owner):
                return made
    return None


def _made(door: Door) -> Any:
    """What a door gives for its own example."""
    if isinstance(door.thing, Mapping):
        return next(iter(door.thing.values()))
    good = example(door)
    if door.is_property:
        return getattr(good.thing, door.short)
    return (door.function if door.owner is None else getattr(good.thing, door.short))(
        *good.args, **good.kwargs
    )


def _made_up(door: Door, thing: Any) -> Example:
    """Arguments by their types, where nobody shows any."""
    args, kwargs = [], {}
    for parameter in door.signature.parameters.values():
        several = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if several or (parameter.default is not parameter.empty and parameter.name not in USUAL):
            continue
        value = _of_type(parameter.name, str(parameter.annotation), door.function.__module__)
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty:
            args.append(value)
        else:
            kwargs[parameter.name] = value
    kwargs |= {name: value for name, value in USUAL.items() if name in options(door)}
    return Example(tuple(args), kwargs, thing, shown=door.is_law or door.is_property)


def options(door: Door) -> set[str]:
    """Names that a function of **options knows, as its docstring lists them."""
    if not any(p.kind is p.VAR_KEYWORD for p in door.signature.parameters.values()) or door.is_law:
        return set()
    doc = inspect.getdoc(door.function) or ""
    listed = re.search(r"Args:\n(.*?)(?:\n\n|\Z)", doc, re.S)
    lines = re.findall(r"^    ([\w, ]+): ", listed[1] if listed else "", re.M)
    named = {name for line in lines for name in re.split(r",\s*", line)}
    fits = set(FIT_WORDS) if re.search(r"as in `?(fit\b|sj\.fit\b|fit_groups)", doc) else set()
    return (named - set(door.signature.parameters)) | fits


def _of_type(name: str, said: str, module: str) -> Any:
    if name in USUAL:
        return USUAL[name]
    if name == "text":
        return _instance(sj.FitResult).to_json()
    if kinds := classes_in(said, module):
        return next((thing for kind in kinds if (thing := _instance(kind)) is not None), None)
    if "TableLike" in said or "DataFrame" in said or "Mapping" in said:
        return {"x": np.array([1.0, 10, 100]), "loss": np.array([4.0, 2.0, 1.0])}
    if "str" in said:
        return "x"
    if "Array" in said or "Numbers" in said or "ndarray" in said:
        return np.array([1.0, 2.0, 3.0])
    if "int" in said:
        return 1
    return 0.5
