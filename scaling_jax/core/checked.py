"""What a caller passes, held against what the signature says: one sentence where it is of another kind.

`@checked` reads the annotations that are there anyway, so a function says once what it takes. It knows kinds
only; whether a number makes sense is the function's own business.
"""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import jax
import numpy as np

__all__ = ["checked", "one_line", "real_number", "real_numbers", "shown", "truth"]

Door = TypeVar("Door", bound=Callable[..., Any])
Take = Callable[
    [Any], Any
]  # the value as it is used; anything it raises says that the value is of another kind
LONGEST = 200  # characters of a value that is quoted


class Kind(NamedTuple):
    """What a parameter takes, in words, and how it is taken."""

    words: str
    take: Take


def checked(door: Door) -> Door:
    """The same function, or the same dataclass, for arguments of the kinds that its annotations name.

    Numbers, text, functions, mappings, sequences of these, and classes are looked at; what an annotation says
    beyond that is not. Numbers of other types (Decimal, lists for arrays) arrive as floats and arrays.

    Raises:
        TypeError: naming the argument, what was given, and what to give.

    >>> @checked
    ... def half(n: float) -> float:
    ...     return n / 2
    >>> half("a")
    Traceback (most recent call last):
    TypeError: half(n='a'): give a number.
    """
    if isinstance(door, type):
        type.__setattr__(door, "__init__", _watched(vars(door)["__init__"], door.__name__))
        return door
    return _watched(door, door.__qualname__.lstrip("_"))


def shown(value: object) -> str:
    """A value in a sentence: on one line, and no longer than can be read."""
    try:
        with np.errstate(all="ignore"):  # pandas widens small floats for a look at them
            return one_line(repr(value))
    except Exception:  # an object's own repr may do anything
        return f"<{type(value).__name__}>"


def one_line(said: object) -> str:
    """A name in a sentence: somebody's column may be called by a whole page."""
    text = " ".join(str(said).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def truth(value: object, argument: str) -> bool:
    """A setting that is on or off.

    Raises:
        TypeError: for anything else.
    """
    try:
        return _truth(value)
    except TypeError:
        raise TypeError(f"{argument}={shown(value)}: give True or False.") from None


def _watched(door: Any, title: str) -> Any:
    @wraps(door)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            passed = _signature(door).bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{title}: {error}.") from None
        for name, kind in _kinds(door).items():
            if name in passed.arguments:
                value = passed.arguments[name]
                try:
                    passed.arguments[name] = kind.take(value)
                except Exception:
                    raise TypeError(f"{title}({name}={shown(value)}): give {kind.words}.") from None
        return door(*passed.args, **passed.kwargs)

    return call


@cache
def _signature(door: Any) -> inspect.Signature:
    return inspect.signature(door)


@cache
def _kinds(door: Any) -> dict[str, Kind]:
    """What each parameter takes, as far as it is known."""
    names = getattr(inspect.unwrap(door), "__globals__", {})
    found = {}
    for parameter in _signature(door).parameters.values():
        if isinstance(parameter.annotation, str):
            kind = _read(ast.parse(parameter.annotation, mode="eval").body, names)
            if kind and parameter.kind is parameter.VAR_POSITIONAL:
                kind = _each(kind, tuple)
            if kind and parameter.kind is parameter.VAR_KEYWORD:
                kind = _each_named(kind)
            if kind:
                found[parameter.name] = kind
    return found


def _read(said: ast.expr, names: Mapping[str, object]) -> Kind | None:
    """The kind that an annotation says, None for those that are not looked at."""
    if isinstance(said, ast.BinOp):
        return _either([_read(side, names) for side in (said.left, said.right)])
    if isinstance(said, ast.Constant) and said.value is None:
        return Kind("None", _none)
    if isinstance(said, ast.Subscript):
        inner = said.slice.elts if isinstance(said.slice, ast.Tuple) else [said.slice]
        return _of(_last(said.value), inner, names)
    return _of(_last(said), [], names)


def _last(said: ast.expr) -> str:
    return said.attr if isinstance(said, ast.Attribute) else said.id if isinstance(said, ast.Name) else ""


def _of(name: str, inner: list[ast.expr], names: Mapping[str, object]) -> Kind | None:
    if name in SIMPLE:
        return SIMPLE[name]
    if name in ("Any", "object"):
        return None
    if name == "Literal":
        return _one_of([part.value for part in inner if isinstance(part, ast.Constant)])
    if name in SEVERAL:
        parts = [_read(part, names) for part in inner if not isinstance(part, ast.Constant)]
        if name == "tuple" and parts and len(parts) == len(inner) and None not in parts:
            return _exactly([part for part in parts if part])
        return _each(parts[0] if parts else None, tuple if name == "tuple" else list)
    held = names.get(name)
    if get_origin(held) is Literal:
        return _one_of(list(get_args(held)))
    if name in MAPPINGS:
        return _to_each(_read(inner[1], names) if len(inner) == 2 else None)
    if isinstance(held, type) and not getattr(held, "_is_protocol", False):
        return Kind(_article(name), _is_a(held))
    if held is None and name.isidentifier() and name[0].isupper():  # a class that only type checkers import
        return Kind(_article(name), _called(name))
    return None


# --- kinds


def _none(value: Any) -> None:
    if value is not None:
        raise TypeError


def real_number(value: Any) -> Any:
    """One real number; other types of numbers become floats.

    Raises:
        Exception: of any type, for anything else.
    """
    if isinstance(value, jax.core.Tracer):
        return value
    if isinstance(value, bool | np.bool_ | str | bytes) or np.ndim(value):
        raise TypeError
    if np.asarray(value).dtype.kind in "mMc":
        raise TypeError
    real = float(value)
    return value if isinstance(value, int | float | np.number) else real


def _whole(value: Any) -> int:
    number = real_number(value)
    if number != int(number) or abs(number) >= 2**63:
        raise TypeError
    return int(number)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError
    return bool(value)


def real_numbers(value: Any) -> Any:
    """Numbers, one or an array of them; what is no array yet becomes one.

    Raises:
        Exception: of any type, for anything else.
    """
    if isinstance(value, jax.Array):
        return value
    if isinstance(value, str | bytes | Mapping | set | frozenset) or np.ma.is_masked(value):
        raise TypeError
    array = np.asarray(value)
    if array.dtype == object:
        if any(v is None or isinstance(v, str | bytes | bool | complex) for v in array.ravel().tolist()):
            raise TypeError
        return array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise TypeError
    own = hasattr(value, "dtype") or isinstance(value, int | float)
    return value if own and not type(value).__module__.startswith("polars") else array


def _is_a(kind: Any) -> Take:
    def take(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError
        return value

    return take


def _called(name: str) -> Take:
    """By the name of its class, where that class is not to be imported for a look."""

    def take(value: Any) -> Any:
        if name not in (base.__name__ for base in type(value).__mro__):
            raise TypeError
        return value

    return take


def _function(value: Any) -> Any:
    if not callable(value):
        raise TypeError
    return value


def _label(value: Any) -> Any:
    hash(value)
    return value


def _labels(values: Any) -> Any:
    """One label per row, each of which can be a key."""
    if (
        isinstance(values, str | bytes | Mapping | set | frozenset)
        or np.asarray(values, dtype=object).ndim != 1
    ):
        raise TypeError
    set(values)
    return values


def _one_of(values: list[Any]) -> Kind:
    return Kind(" or ".join(map(repr, values)), _is_a(str))  # which words there are says the function


def _each(kind: Kind | None, held: type) -> Kind:
    """Several of one kind; text is one thing, not several letters."""

    def take(values: Any) -> Any:
        if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
            raise TypeError
        return held(values if kind is None else map(kind.take, values))

    return Kind(f"several, each {kind.words}" if kind else "a list", take)


def _to_each(kind: Kind | None) -> Kind:
    """A mapping, to values of one kind where that is known."""
    if kind is None:
        return Kind("a mapping", _is_a(Mapping))

    def take(values: Any) -> Any:
        if not isinstance(values, Mapping):
            raise TypeError
        return {key: kind.take(value) for key, value in values.items()}

    return Kind(f"a mapping to {kind.words}", take)


def _each_named(kind: Kind) -> Kind:
    """Keyword arguments of any name, each of one kind."""

    def take(values: Any) -> Any:
        return {name: kind.take(value) for name, value in values.items()}

    return Kind(f"{kind.words} for each name", take)


def _exactly(kinds: list[Kind]) -> Kind:
    def take(values: Any) -> Any:
        if isinstance(values, str | bytes | Mapping):
            raise TypeError
        return tuple(kind.take(value) for kind, value in zip(kinds, values, strict=True))

    return Kind(f"({', '.join(kind.words for kind in kinds)})", take)


def _either(kinds: list[Kind | None]) -> Kind | None:
    """The first of several kinds that fits; not looked at where one of them is not known."""
    known = [kind for kind in kinds if kind]
    if len(known) < len(kinds):
        return None

    def take(value: Any) -> Any:
        for kind in known:
            try:
                return kind.take(value)
            except Exception:
                continue
        raise TypeError

    return Kind(" or ".join(kind.words for kind in known), take)


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIOU" else f"a {name}"


NUMBERS = Kind("numbers, one or an array", real_numbers)
SIMPLE = {
    "float": Kind("a number", real_number),
    "int": Kind("a whole number", _whole),
    "bool": Kind("True or False", _truth),
    "str": Kind("text", _is_a(str)),
    "ArrayLike": NUMBERS,
    "Numbers": NUMBERS,
    "ndarray": NUMBERS,
    "Callable": Kind("a function", _function),
    "Quantity": Kind("a function", _function),
    "Labels": Kind("labels, one per row", _labels),
    "Hashable": Kind("something that can be a key", _label),
    "PathLike": Kind("a path", _is_a(os.PathLike)),
}
SEVERAL = ("Sequence", "Iterable", "list", "tuple")
MAPPINGS = ("Mapping", "dict")
