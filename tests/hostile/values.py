"""What a hostile caller passes: values of every kind, and good values with one thing wrong.

Everything is made afresh by a function without arguments, since some of it is used up by a look.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import polars as pl

import scaling_jax as sj

__all__ = ["ANYTHING", "CANARY", "MARKUP", "Make", "columns_spoiled", "spoiled"]

Make = Callable[[], Any]
CANARY = "touched"  # the file that a string makes if somebody runs it
MARKUP = "<script>touched()</script>"


class CallersError(Exception):
    """What a caller's own function raises."""


def fails(*_: object, **__: object) -> Any:
    raise CallersError("the caller's own")


def nested(depth: int) -> list[Any]:
    held: list[Any] = []
    for _ in range(depth):
        held = [held]
    return held


def holding_itself() -> list[Any]:
    held: list[Any] = []
    held.append(held)
    return held


def twice() -> pd.DataFrame:
    return pd.DataFrame(np.ones((3, 2)), columns=["x", "x"])


CODE = {
    "Python": f"__import__('pathlib').Path('{CANARY}').touch()",
    "pandas' @": f"@pd.io.common.os.system('touch {CANARY}') == 0",
    "a method": f"x.to_csv('{CANARY}')",
    "shell": f"a; touch {CANARY} #",
    "a substitution": f"$(touch {CANARY})",
    "backticks": f"`touch {CANARY}`",
    "a format": "{0.__class__.__mro__[1].__subclasses__}",
    "an f-string": f"{{open('{CANARY}','w')}}",
    "a path upwards": f"../../{CANARY}",
    "markup": MARKUP,
    "a lambda": f"(lambda: open('{CANARY}','w'))()",
    "a file address": "file:///etc/passwd",
}
TEXT: dict[str, Make] = {
    **{f"text that is code ({name})": (lambda code=code: code) for name, code in CODE.items()},
    "empty text": lambda: "",
    "a space": lambda: " ",
    "some word": lambda: "nonsense",
    "one letter": lambda: "N",
    "an emoji": lambda: "🦜",
    "text with a zero byte": lambda: "a\x00b",
    "a lone surrogate": lambda: "\ud800",
    "terminal codes": lambda: "\x1b[2Jcleared",
    "two lines": lambda: "one\ntwo",
    "text from right to left": lambda: "\u202eabc",
    "very long text": lambda: "x" * 100_000,
    "a number as text": lambda: "1e3",
    "percent signs": lambda: "%s%n%d",
    "braces": lambda: "{} {x} {",
    "brackets without end": lambda: "(" * 500,
}
NUMBERS: dict[str, Make] = {
    "zero": lambda: 0,
    "minus zero": lambda: -0.0,
    "one": lambda: 1,
    "minus one": lambda: -1,
    "a half": lambda: 0.5,
    "NaN": lambda: math.nan,
    "infinity": lambda: math.inf,
    "minus infinity": lambda: -math.inf,
    "1e308": lambda: 1e308,
    "5e-324": lambda: 5e-324,
    "2**63": lambda: 2**63,
    "-(2**63)": lambda: -(2**63),
    "10**400": lambda: 10**400,
    "a NumPy float16": lambda: np.float16(2),
    "a NumPy int8": lambda: np.int8(-1),
    "a NumPy NaN": lambda: np.float64("nan"),
    "a 0-d array": lambda: np.array(2.0),
    "a JAX number": lambda: jnp.asarray(1.0),
}
KINDS: dict[str, Make] = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "a NumPy bool": lambda: np.bool_(True),
    "a complex number": lambda: 1j,
    "a Decimal": lambda: Decimal("1.5"),
    "a Decimal NaN": lambda: Decimal("sNaN"),
    "a Fraction": lambda: Fraction(1, 3),
    "bytes": lambda: b"N",
    "a date": lambda: datetime.date(2024, 1, 1),
    "a Timestamp": lambda: pd.Timestamp("2024-01-01"),
    "NaT": lambda: pd.NaT,
    "pd.NA": lambda: pd.NA,
    "a datetime64": lambda: np.datetime64("2024-01-01"),
    "a timedelta": lambda: np.timedelta64(3, "h"),
    "a path": lambda: Path("nowhere/at/all"),
    "Ellipsis": lambda: ...,
    "an object": object,
    "a class": lambda: int,
    "a module": lambda: np,
    "an exception": lambda: ValueError("x"),
    "a slice": lambda: slice(None),
    "a generator": lambda: (i for i in range(3)),
    "a function that fails": lambda: fails,
    "a function that gives None": lambda: lambda *_, **__: None,
    "a function that gives text": lambda: lambda *_, **__: "text",
    "a function of nothing": lambda: lambda: 1.0,
    "a law": lambda: sj.laws.power_law,
    "a law that fails": lambda: sj.Law(lambda x, *, a: fails(), name="failing"),
    "a law that gives two numbers": lambda: sj.Law(lambda x, *, a: jnp.stack([x, a]), name="two"),
    "a domain": lambda: sj.Interval(0, 1),
    "an objective": sj.SquaredError,
    "a solver": sj.LM,
}
HOLDERS: dict[str, Make] = {
    "an empty list": list,
    "a list of None": lambda: [None],
    "a list of one": lambda: [1.0],
    "a ragged list": lambda: [[1], [2, 3]],
    "a list of words": lambda: ["a", "b"],
    "a mixed list": lambda: [1, "a", None, math.nan],
    "lists in lists": lambda: nested(80),
    "a list in itself": holding_itself,
    "an empty tuple": tuple,
    "a set": lambda: {1.0, 2.0},
    "an empty mapping": dict,
    "a mapping of a number": lambda: {1: 2},
    "a mapping of words": lambda: {"nonsense": "words"},
    "a mapping of NaN": lambda: {"x": math.nan},
    "a mapping in mappings": lambda: {"x": {"y": {"z": []}}},
    "a mapping of None": lambda: {None: None},
    "a read-only mapping": lambda: MappingProxyType({"x": 1.0}),
    "a range": lambda: range(3),
    "an empty array": lambda: np.array([]),
    "an array of NaN": lambda: np.full(3, np.nan),
    "an array of infinity": lambda: np.array([1.0, np.inf]),
    "a 2-d array": lambda: np.ones((2, 3)),
    "a 3-d array": lambda: np.ones((2, 2, 2)),
    "an array of objects": lambda: np.array([1, "a", None], dtype=object),
    "an array of text": lambda: np.array(["1", "2"]),
    "a complex array": lambda: np.array([1 + 1j, 2]),
    "an array of true and false": lambda: np.array([True, False]),
    "an array of dates": lambda: np.array(["2024-01-01", "NaT"], dtype="datetime64[ns]"),
    "a record array": lambda: np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]),
    "a masked array": lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    "an array of int8": lambda: np.array([-128, 127], dtype=np.int8),
    "a big-endian array": lambda: np.array([1.0, 2.0], dtype=">f8"),
    "an array with a negative stride": lambda: np.arange(3.0)[::-1],
    "a float16 array": lambda: np.array([1e-8, 65504], dtype=np.float16),
    "a JAX array": lambda: jnp.ones(2),
    "a Series of another index": lambda: pd.Series([1.0, 2.0], index=["p", "q"]),
    "an empty Series": lambda: pd.Series([], dtype=float),
    "a Categorical": lambda: pd.Categorical(["a", "b"]),
    "a Series of nullable numbers": lambda: pd.Series([1, None], dtype="Int64"),
    "an empty frame": pd.DataFrame,
    "a frame without rows": lambda: pd.DataFrame({"x": [], "loss": []}),
    "a frame with a column twice": twice,
    "a frame of numbered columns": lambda: pd.DataFrame(np.ones((2, 2))),
    "a polars frame": lambda: pl.DataFrame({"x": [1.0, 2.0], "loss": [2.0, 1.0]}),
    "a lazy polars frame": lambda: pl.LazyFrame({"x": [1.0, 2.0]}),
    "a polars Series": lambda: pl.Series([1.0, 2.0]),
    "a polars expression": lambda: pl.col("x") > 1,
    "an index": lambda: pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]),
}
ANYTHING: dict[str, Make] = {**TEXT, **NUMBERS, **KINDS, **HOLDERS}

# --- one cell, one column, one table


CELLS: dict[str, Make] = {
    name: (NUMBERS | KINDS | TEXT)[name]
    for name in (
        *(
            "NaN",
            "infinity",
            "minus infinity",
            "zero",
            "minus zero",
            "minus one",
            "1e308",
            "5e-324",
            "10**400",
        ),
        *("None", "True", "a complex number", "a Decimal", "a Decimal NaN", "a Fraction", "bytes", "pd.NA"),
        *("NaT", "a Timestamp", "a timedelta", "an object", "some word", "empty text", "a number as text"),
        *("an emoji", "text that is code (Python)", "text that is code (markup)"),
    )
}
DTYPES = (
    *("float32", "float16", "int8", "uint64", "bool", "complex128", "object", "string", "category"),
    *("Int64", "Float64", "boolean", "datetime64[ns]", "timedelta64[ns]", "period[D]", "int64[pyarrow]"),
    *("double[pyarrow]", "Sparse[float]", ">f8"),
)


def columns_spoiled(table: Any) -> dict[str, Make]:
    """A table with one thing wrong, by what it is."""
    frame = pd.DataFrame(table)

    def cell(column: Any, value: Any, row: int = 0) -> pd.DataFrame:
        held = frame[column].tolist()
        held[row] = value
        return frame.assign(**{column: pd.Series(held, index=frame.index, dtype=object)})

    def typed(column: Any, kind: str) -> pd.DataFrame:
        try:
            return frame.assign(**{column: frame[column].astype(kind)})
        except Exception:  # what cannot be so: a column of that kind, with nothing in it
            return frame.assign(**{column: pd.Series([None] * len(frame), index=frame.index, dtype=object)})

    def renamed(column: Any, name: Any) -> pd.DataFrame:
        return frame.rename(columns={column: name})

    found: dict[str, Make] = {
        "no rows": lambda: frame.iloc[:0],
        "one row": lambda: frame.iloc[:1],
        "two rows": lambda: frame.iloc[:2],
        "every row the same": lambda: frame.iloc[[0] * len(frame)],
        "every row the same, one index": lambda: pd.concat([frame.iloc[:1]] * 4),
        "rows in another order": lambda: frame.iloc[::-1],
        "an index of dates": lambda: frame.set_index(pd.date_range("2024", periods=len(frame))),
        "an index of two levels": lambda: frame.set_index(
            pd.MultiIndex.from_arrays([range(len(frame)), range(len(frame))])
        ),
        "columns of two levels": lambda: pd.concat({"a": frame}, axis=1),
        "numbered columns": lambda: frame.set_axis(range(frame.shape[1]), axis=1),
        "a column twice": lambda: pd.concat([frame, frame.iloc[:, :1]], axis=1),
        "polars": lambda: pl.DataFrame({str(c): frame[c].tolist() for c in frame.columns}, strict=False),
        "lazy polars": lambda: pl.LazyFrame({str(c): frame[c].tolist() for c in frame.columns}, strict=False),
        "a mapping of lists": lambda: {c: frame[c].tolist() for c in frame.columns},
        "a mapping of tuples": lambda: {c: tuple(frame[c]) for c in frame.columns},
        "a mapping of JAX arrays": lambda: {
            c: jnp.asarray(frame[c]) if frame[c].dtype.kind in "fi" else frame[c] for c in frame.columns
        },
        "a mapping of generators": lambda: {c: iter(frame[c]) for c in frame.columns},
        "a record array": lambda: frame.to_records(),
        "a list of rows": lambda: frame.to_dict("records"),
        "as text": lambda: frame.to_csv(),
        "attributes that are hostile": lambda: frame.assign(**{MARKUP: 1.0}),
    }
    for column in frame.columns:
        what = f"column {column!r}"
        found |= {
            f"{what} holds {name}": (lambda c=column, m=make: cell(c, m())) for name, make in CELLS.items()
        }
        found |= {f"{what} is {kind}": (lambda c=column, k=kind: typed(c, k)) for kind in DTYPES}
        found |= {
            f"{what} is gone": lambda c=column: frame.drop(columns=c),
            f"{what} is constant": lambda c=column: frame.assign(**{c: frame[c].iloc[0]}),
            f"{what} is called otherwise": lambda c=column: renamed(c, f"{c} "),
            f"{what} is called by markup": lambda c=column: renamed(c, MARKUP),
            f"{what} is called None": lambda c=column: renamed(c, None),
            f"{what} is one too short": lambda c=column: {
                k: frame[k].tolist()[: len(frame) - (k == c)] for k in frame.columns
            },
            f"{what} is a matrix": lambda c=column: {
                k: np.ones((len(frame), 2)) if k == c else frame[k].to_numpy() for k in frame.columns
            },
            f"{what} holds lists": lambda c=column: frame.assign(**{c: [[1, 2]] * len(frame)}),
            f"{what} is None": lambda c=column: {k: None if k == c else frame[k] for k in frame.columns},
            f"{what} is one number": lambda c=column: {
                k: 2.0 if k == c else frame[k].to_numpy() for k in frame.columns
            },
        }
        if frame[column].dtype.kind in "fi":
            found |= {
                f"{what} times {scale:g}": lambda c=column, s=scale: frame.assign(**{c: frame[c] * s})
                for scale in (1e-300, 1e-30, 1e30, 1e290, -1.0)
            }
    return found


def spoiled(good: Any) -> dict[str, Make]:
    """A good value with one thing wrong, by what it is; nothing for values that have no parts."""
    if isinstance(good, pd.DataFrame) or _is_table(good):
        return columns_spoiled(good)
    if isinstance(good, Mapping):
        return _mapping_spoiled(good)
    if isinstance(good, str) and good.startswith("{"):
        return _json_spoiled(good)
    if isinstance(good, str):
        return {
            "the same in capitals": lambda: good.upper(),
            "a letter more": lambda: good + "x",
            "spaces around it": lambda: f" {good} ",
            "with a zero byte": lambda: good + "\x00",
            "as bytes": good.encode,
            "in a list": lambda: [good],
            "twice in a list": lambda: [good, good],
        }
    if isinstance(good, list | tuple | np.ndarray | pd.Series) and len(good):
        return _sequence_spoiled(good)
    if isinstance(good, bool) or not isinstance(good, int | float):
        return {}
    return {
        "its negative": lambda: -good,
        "a thousandth": lambda: good / 1000,
        "as text": lambda: str(good),
        "in a list": lambda: [good],
        "in an array": lambda: np.array([good]),
        "as complex": lambda: complex(good),
        "as Decimal": lambda: Decimal(good),
        "and a bit": lambda: good + 0.3,
    }


def _is_table(good: Any) -> bool:
    if not isinstance(good, Mapping) or not good:
        return False
    try:
        lengths = {len(v) for v in good.values() if not isinstance(v, str | Mapping)}
        return len(lengths) == 1 and pd.DataFrame(good).shape[0] > 0
    except Exception:
        return False


def _mapping_spoiled(good: Mapping[Any, Any]) -> dict[str, Make]:
    found: dict[str, Make] = {
        "empty": dict,
        "an entry more": lambda: {**good, "nonsense": 1.0},
        "an entry that is code more": lambda: {**good, CODE["Python"]: 1.0},
        "as pairs": lambda: list(good.items()),
        "its keys": lambda: list(good),
        "as a Series": lambda: pd.Series(dict(good), dtype=object),
    }
    for key in good:
        found |= {f"without {key!r}": lambda k=key: {name: v for name, v in good.items() if name != k}}
        found |= {
            f"{key!r} is {name}": lambda k=key, m=make: {**good, k: m()}
            for name, make in (NUMBERS | KINDS | HOLDERS | TEXT).items()
        }
    return found


def _sequence_spoiled(good: Any) -> dict[str, Make]:
    held = list(good)

    def first(value: Any) -> list[Any]:
        return [value, *held[1:]]

    return {
        "empty": lambda: held[:0],
        "its first alone": lambda: held[:1],
        "its first twice": lambda: [held[0], *held],
        "backwards": lambda: held[::-1],
        "one too many": lambda: [*held, held[-1]],
        "one too few": lambda: held[:-1],
        "as a set of words": lambda: {str(v) for v in held},
        "as a tuple": lambda: tuple(held),
        "as an array of objects": lambda: np.array([*held, None], dtype=object)[:-1],
        "as a Series of another index": lambda: pd.Series(held, index=[f"r{i}" for i in range(len(held))]),
        "as a generator": lambda: iter(held),
        "in a list": lambda: [held],
        **{f"its first is {name}": (lambda m=make: first(m())) for name, make in (CELLS | HOLDERS).items()},
    }


def _json_spoiled(good: str) -> dict[str, Make]:
    """The text of a JSON object with one entry wrong, or broken as text."""
    record = json.loads(good)
    values: dict[str, Any] = {
        "null": None,
        "true": True,
        "text": "a",
        "code": CODE["Python"],
        "a list": [],
        "an object": {},
        "-1": -1,
        "1e400": math.inf,
        "NaN": math.nan,
        "nested lists": nested(80),
        "a long number": 10**400,
    }
    entries = [(name,) for name in record]
    entries += [(name, inner) for name, held in record.items() if isinstance(held, dict) for inner in held]

    def changed(path: tuple[str, ...], value: Any) -> str:
        copy = json.loads(good)
        held = copy[path[0]] if len(path) == 2 else copy
        held[path[-1]] = value
        return json.dumps(copy)

    def without(path: tuple[str, ...]) -> str:
        copy = json.loads(good)
        del (copy[path[0]] if len(path) == 2 else copy)[path[-1]]
        return json.dumps(copy)

    found: dict[str, Make] = {
        "cut": lambda: good[: len(good) // 2],
        "doubled": lambda: good * 2,
        "nested beyond measure": lambda: "[" * 100_000,
        "as bytes": good.encode,
        "parsed": lambda: record,
    }
    for path in entries:
        what = ".".join(path)
        found[f"without {what}"] = lambda p=path: without(p)
        found |= {
            f"{what} is {name}": (lambda p=path, v=value: changed(p, v)) for name, value in values.items()
        }
    return found
