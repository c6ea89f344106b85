"""One hostile call, and what became of it.

A call is answered by the library if it gives a result, or an error of the library's own: the innermost
frame of the traceback lies in the package *and* stands at a `raise` there (a `float(text)` in our line that
fails is Python's answer, not ours), the type is one that callers expect, and the message is one sentence.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import io
import logging
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import jax
import numpy as np
from hypothesis import strategies as st

import scaling_jax as sj
from tests.hostile.examples import Example, example, options
from tests.hostile.values import ANYTHING, CANARY, MARKUP, CallersError, Make, spoiled
from tests.hostile.walk import Door, own_class

__all__ = ["BAD", "GOOD", "Attack", "Outcome", "attacks", "attempt", "hostile", "state"]

PACKAGE = os.path.dirname(sj.__file__) + os.sep
GOOD = {
    "result": "a result",
    "sentence": "a sentence of ours",
    "signature": "Python's, for a call that does not fit the signature",
    "caller": "the caller's own error",
}
BAD = {
    "foreign": "a foreign traceback",
    "words": "ours, but not one sentence",
    "effect": "an injected string had an effect",
    "state": "the process was left changed",
    "leak": "a foreign warning",
    "hang": "over 20 s of CPU time",
    "unreached": "a method whose object no example makes",
}
EXPECTED = (ValueError, TypeError, LookupError, ImportError, OSError)
LONGEST = 1000  # characters of a sentence; what it quotes is cut
SECONDS = 20.0


@dataclass(frozen=True)
class Attack:
    """Hostile values for some parameters of a door, by what they are."""

    door: Door
    words: str
    values: tuple[tuple[str, Make], ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a call: a key of GOOD or BAD, and the error's or the finding's words."""

    kind: str
    words: str = ""
    seconds: float = 0.0
    where: str = ""

    @property
    def is_good(self) -> bool:
        return self.kind in GOOD


# --- which attacks


def attacks(door: Door) -> dict[str, list[dict[str, Make]]]:
    """For every parameter of a door, values of every kind, and its own value with one thing wrong; `self`
    stands for a method's object."""
    good, found = example(door), {}
    bound = _bound(door, good)
    for parameter in door.signature.parameters.values():
        held = bound.arguments.get(parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            found[parameter.name] = [
                _several(held or (), ANYTHING),
                _several(held or (), _spoiled_first(held)),
            ]
        elif parameter.kind is parameter.VAR_KEYWORD:
            for name in sorted({*options(door), *(held or {}), "nonsense"}):
                found[f"**{name}"] = [ANYTHING, spoiled((held or {}).get(name))]
        else:
            found[parameter.name] = [ANYTHING, spoiled(held)]
    if door.owner is not None and door.thing is None:
        found["self"] = [_odd(good.thing)]
    return {name: kinds for name, values in found.items() if (kinds := [kind for kind in values if kind])}


def hostile(door: Door) -> st.SearchStrategy[Attack]:
    """Attacks on a door: mostly on one parameter, now and then on two."""
    found = attacks(door)
    if not found:
        return st.just(Attack(door, "as in its example", ()))

    def value(name: str) -> st.SearchStrategy[tuple[str, str, Make]]:
        return st.sampled_from(found[name]).flatmap(
            lambda kind: st.sampled_from(sorted(kind)).map(lambda what: (name, what, kind[what]))
        )

    def on(names: list[str]) -> st.SearchStrategy[Attack]:
        return st.tuples(*map(value, names)).map(
            lambda drawn: Attack(
                door,
                "; ".join(f"{name}: {what}" for name, what, _ in drawn),
                tuple((name, make) for name, _, make in drawn),
            )
        )

    one = st.sampled_from(sorted(found)).map(lambda name: [name])
    two = st.lists(st.sampled_from(sorted(found)), min_size=min(2, len(found)), max_size=2, unique=True)
    return st.one_of(one, one, one, two).flatmap(on)


def _bound(door: Door, good: Example) -> inspect.BoundArguments:
    return door.signature.bind_partial(*good.args, **good.kwargs)


def _several(held: tuple[Any, ...], first: dict[str, Make]) -> dict[str, Make]:
    """Several arguments of one kind, of which the first is hostile, or there are too many or too few."""
    found: dict[str, Make] = {"none": tuple, "one more": lambda: (*held, *(held[-1:] or (1.0,)))}
    return found | {f"the first is {name}": (lambda m=make: (m(), *held[1:])) for name, make in first.items()}


def _spoiled_first(held: tuple[Any, ...]) -> dict[str, Make]:
    return spoiled(held[0]) if held else {}


def _odd(thing: Any) -> dict[str, Make]:
    """Unusual objects of the same class: a fit that failed, that is underdetermined, or without its data."""
    if not isinstance(thing, sj.FitResult):
        return {}
    law = sj.laws.power_law
    nowhere = sj.Law(lambda x, *, A, alpha: np.nan * x * A * alpha, name="nowhere")
    table = {"x": [1.0, 10.0, 100.0], "loss": [4.0, 2.0, 1.0]}
    return {
        "a failed fit": lambda: sj.fit(nowhere, table),
        "a fit of one row": lambda: sj.fit(law, {"x": [1.0], "loss": [2.0]}),
        "a fit of one row, four times": lambda: sj.fit(law, {"x": [1.0] * 4, "loss": [2.0] * 4}),
        "a fit of as many rows as parameters": lambda: sj.fit(law, {"x": [1.0, 2.0], "loss": [2.0, 1.0]}),
        "a fit without its data": lambda: sj.FitResult.from_json(sj.fit(law, table).to_json()),
        "a fit with everything fixed": lambda: sj.fit(law, table, fixed={"A": 4.0, "alpha": 0.3}),
        "a fit of a constant": lambda: sj.fit(law, table | {"loss": [2.0] * 3}),
        "a fit of weights nearly all zero": lambda: sj.fit(law, table, weights=[1.0, 0.0, 0.0]),
        "a fit of what is negative": lambda: sj.fit(
            law, table | {"loss": [-1.0, -2.0, -3.0]}, objective=sj.SquaredError(on="raw")
        ),
    }


# --- one call


def attempt(attack: Attack, folder: Path) -> Outcome:
    """Calls, looks at what came back, and at what else has happened; relative paths lead into `folder`."""
    good = example(attack.door)
    if attack.door.owner is not None and good.thing is None:
        return Outcome("unreached", f"no example of the library makes a {attack.door.owner.__name__}")
    try:
        thing, args, kwargs = _arguments(attack, good)
    except (CallersError, MemoryError):
        return Outcome("caller")
    before, begun = state(), time.perf_counter()
    with _inside(folder), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        outcome = _called(attack.door, thing, args, kwargs)
        if outcome.is_good and warnings.filters != filters:
            outcome = Outcome("state", "the filters of warnings were changed")
    return _after(outcome, before, said, folder, time.perf_counter() - begun)


def _arguments(attack: Attack, good: Example) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    bound, thing = _bound(attack.door, good), good.thing
    for parameter in attack.door.signature.parameters:
        if parameter == "folder" and parameter in bound.arguments:
            bound.arguments[parameter] = tempfile.mkdtemp()  # each study begins anew
    named: dict[str, Any] = {}
    for name, make in attack.values:
        if name == "self":
            thing = make()
        elif name.startswith("**"):
            named[name[2:]] = make()
        else:
            bound.arguments[name] = make()
    return thing, bound.args, bound.kwargs | named


def _called(door: Door, thing: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    printed = io.StringIO()
    try:
        with _clock(), contextlib.redirect_stdout(printed):
            if door.is_property:
                made = getattr(thing, door.short)
            elif door.owner is None or door.is_law:
                made = (thing if door.is_law else door.function)(*args, **kwargs)
            else:
                made = getattr(thing, door.short)(*args, **kwargs)
            return _looked_at(made)
    except Hang:
        return Outcome("hang", f"over {SECONDS:g} s of CPU time")
    except BaseException as error:
        return _judged(error)


def _looked_at(made: Any) -> Outcome:
    """A result is also what its display says; markup in a table's words is no markup there."""
    if own_class(type(made)):
        repr(made)
        str(made)
        html = made._repr_html_() if hasattr(made, "_repr_html_") else ""
        if MARKUP in html:
            return Outcome("effect", "markup reaches the HTML unescaped")
    return Outcome("result")


def _judged(error: BaseException) -> Outcome:
    """Whose error it is."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    said = f"{type(error).__name__}: {str(error)[:300]}"
    if trace is None:
        return Outcome("foreign", said)
    where = _place(error)
    if isinstance(error, CallersError):
        return Outcome("caller", said, where=where)
    code = trace.tb_frame.f_code
    if code.co_filename == __file__:
        signature = isinstance(error, TypeError)
        return Outcome("signature" if signature else "foreign", said, where=where)
    if not (code.co_filename.startswith(PACKAGE) and _is_raise(code, trace.tb_lasti)):
        return Outcome("foreign", said, where=where)
    if not isinstance(error, EXPECTED):
        return Outcome("words", f"a {said}", where=where)
    sentence = str(error.args[0]) if error.args else ""
    if isinstance(error, OSError) and error.strerror:
        sentence = str(error)
    one = (
        sentence.strip()
        and "\n" not in sentence
        and len(sentence) <= LONGEST
        and sentence.rstrip()[-1] in ".)?!"
    )
    return Outcome("sentence" if one else "words", said, where=where)


def _is_raise(code: CodeType, at: int) -> bool:
    return any(
        i.offset == at and i.opname in ("RAISE_VARARGS", "RERAISE") for i in dis.get_instructions(code)
    )


def _place(error: BaseException) -> str:
    """The innermost line of the package, and the innermost line of all."""
    lines: list[str] = []
    inner = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        inner = _line(file, trace.tb_lineno)
        if file.startswith(PACKAGE):
            lines.append(f"{file.removeprefix(PACKAGE)}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{' < '.join(lines[-3:][::-1])} [{inner}]"


# --- what else has happened


def _after(
    outcome: Outcome, before: dict[str, Any], said: list[Any], folder: Path, seconds: float
) -> Outcome:
    found = outcome
    touched = [
        path
        for path in (folder / CANARY, folder.parent / CANARY, folder.parent.parent / CANARY)
        if path.is_file()
    ]
    if touched:
        touched[0].unlink()
        found = Outcome("effect", "a string that it was given was run")
    elif changed := [name for name, value in state().items() if before[name] != value]:
        found = Outcome("state", f"changed: {', '.join(changed)}")
    elif outcome.is_good and (foreign := [w for w in said if _is_foreign(w)]):
        w = foreign[0]
        words = f"{w.category.__name__}: {str(w.message)[:200]}"
        found = Outcome("leak", words, where=_line(w.filename, w.lineno))
    return Outcome(found.kind, found.words, seconds, found.where)


def _line(file: str, line: int) -> str:
    """Where that is, without the folders of this machine."""
    return f"{file.rpartition('site-packages/')[2].removeprefix(f'{Path(PACKAGE).parent}/')}:{line}"


def _is_foreign(warning: warnings.WarningMessage) -> bool:
    """Whether a warning is another package's: ours are UserWarnings in whole sentences."""
    return not issubclass(warning.category, UserWarning) or warning.category.__module__ != "builtins"


def state() -> dict[str, Any]:
    """What a call has no business to change."""
    return {
        "cwd": os.getcwd(),
        "environment": dict(os.environ),
        "NumPy's errors": np.geterr(),
        "NumPy's printing": repr(np.get_printoptions()),
        "NumPy's generator": np.random.get_state()[1].tobytes(),  # noqa: NPY002  # the global one is watched
        "Python's generator": hash(random.getstate()),
        "x64": jax.config.jax_enable_x64,
        "signals": [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)],
        "loggers": (logging.root.level, len(logging.root.handlers)),
        "the path of imports": list(sys.path),
        "the limit of recursion": sys.getrecursionlimit(),
    }


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    here = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(here)


class Hang(BaseException):
    """A call went on for too long."""


@contextlib.contextmanager
def _clock() -> Iterator[None]:
    """Ends what takes more than SECONDS of this process's own time: others may share the machine."""

    def late(*_: int | FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
