"""Which rows, said in a sentence: a small language of columns and comparisons, read as data and never run as
code.

    tokens > 1e10 and state == 'finished'
    not isnull(loss) and arm in ['main', 'long']
    `val/loss` < 4 and 10 < tokens / n_params < 100

It knows the table's columns (in backticks where a name is no word), numbers, text, comparisons, `in`,
arithmetic, `and`, `or`, `not` (or `&`, `|`, `~`) and the functions listed in FUNCTIONS. Everything else is
refused: attributes, other calls, `@` names, indexing. What it may compute is bounded by the length of the
text; numbers are float64.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from scaling_jax.core.checked import one_line, shown
from scaling_jax.tables.runs import DataError

__all__ = ["FUNCTIONS", "rows_where"]

MOST_CHARACTERS = 10_000
DEEPEST = 60
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "isnull": pd.isnull,
    "notnull": pd.notnull,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
}
ABOUT_MISSING = ("isnull", "notnull")
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
LANGUAGE = (
    "columns, numbers, text, comparisons, in, arithmetic, and, or, not, and the functions "
    + ", ".join(FUNCTIONS)
)
PIECES = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|`([^`]*)`|([&|~])""")
WORDS = {"&": " and ", "|": " or ", "~": " not "}


def rows_where(frame: pd.DataFrame, text: str, argument: str = "where") -> np.ndarray:
    """Which rows of a table a condition holds for, (rows,) booleans; a comparison with a missing value does
    not hold.

    Args:
        frame: the table.
        text: the condition.
        argument: what it was given as, for messages.

    Raises:
        DataError: for what the language does not know, a name that is no column, or a text that is no
            condition.

    >>> table = pd.DataFrame({"x": [1, 2, 3], "arm": ["a", "b", "a"]})
    >>> rows_where(table, "arm == 'a' and x / 2 > 1").tolist()
    [False, False, True]
    """
    if len(text) > MOST_CHARACTERS:
        raise DataError(f"{argument}= has {len(text):,} characters: pass a function of the table, or a mask.")
    quoted: list[str] = []

    def plain(piece: re.Match[str]) -> str:
        string, column, symbol = piece.groups()
        if column is not None:
            quoted.append(column)
            return f" _column_{len(quoted) - 1}_ "
        return string or WORDS[symbol]

    words = PIECES.sub(plain, text).strip()
    reader = _Reader(frame, {f"_column_{i}_": name for i, name in enumerate(quoted)})
    try:
        with np.errstate(all="ignore"):
            found = reader.read(ast.parse(words, mode="eval").body, 0)
    except DataError as error:
        raise DataError(f"{argument}={shown(text)}: {error}") from None
    except SyntaxError:
        hint = ": compare with ==" if re.search(r"[^=<>!]=[^=]", words) else f"; it may hold {LANGUAGE}"
        raise DataError(f"{argument}={shown(text)} is no condition that can be read{hint}.") from None
    except (TypeError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise DataError(f"{argument}={shown(text)} does not work on this table ({error}).") from None
    if not isinstance(found, pd.Series) or found.dtype != bool:
        raise DataError(
            f"{argument}={shown(text)} must be true or false for each row, such as 'x > 1'; it is not."
        )
    return found.to_numpy()


class _Reader:
    """Computes a parsed condition over a table, node by node."""

    def __init__(self, frame: pd.DataFrame, quoted: dict[str, str]):
        self.frame = frame
        self.quoted = quoted

    def read(self, node: ast.expr, depth: int) -> Any:
        if depth > DEEPEST:
            raise DataError(f"it is nested more than {DEEPEST} deep.")
        known = getattr(self, f"_{type(node).__name__.lower()}", None)
        if known is None:
            raise DataError(f"it may hold {LANGUAGE}; for the rest pass a function of the table.")
        return known(node, depth + 1)

    def _constant(self, node: ast.Constant, _: int) -> float | str | bool:
        if isinstance(node.value, bool | str):
            return node.value
        if not isinstance(node.value, int | float):
            raise DataError(f"{shown(node.value)} is neither a number nor text.")
        try:
            number = float(node.value)
        except OverflowError:
            number = np.inf
        if not np.isfinite(number):
            raise DataError("a number in it is larger than float64 holds.")
        return number

    def _name(self, node: ast.Name, _: int) -> pd.Series:
        name = self.quoted.get(node.id, node.id)
        if name not in self.frame.columns:
            has = ", ".join(map(one_line, self.frame.columns))
            raise DataError(f"there is no column {shown(name)}: the table has {has}.")
        column = self.frame[name]
        numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
        return column.astype("float64") if numeric or _holds_numbers(column) else column

    def _boolop(self, node: ast.BoolOp, depth: int) -> Any:
        first, *others = (_truth(self.read(value, depth)) for value in node.values)
        for other in others:
            first = first & other if isinstance(node.op, ast.And) else first | other
        return first

    def _unaryop(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.read(node.operand, depth)
        if isinstance(node.op, ast.Not):
            return ~_truth(value)
        if isinstance(node.op, ast.Invert):
            raise DataError("write `not` before a condition.")
        return -_number(value) if isinstance(node.op, ast.USub) else _number(value)

    def _binop(self, node: ast.BinOp, depth: int) -> Any:
        if type(node.op) not in ARITHMETIC:
            raise DataError(f"it may hold {LANGUAGE}.")
        left, right = (_number(self.read(side, depth)) for side in (node.left, node.right))
        return ARITHMETIC[type(node.op)](left, right)

    def _compare(self, node: ast.Compare, depth: int) -> Any:
        found, left = None, self.read(node.left, depth)
        for comparison, side in zip(node.ops, node.comparators, strict=True):
            if isinstance(comparison, ast.In | ast.NotIn):
                held = _column(left).isin(self._choices(side, depth))
                part, right = ~held if isinstance(comparison, ast.NotIn) else held, None
            elif type(comparison) in COMPARISONS:
                right = self.read(side, depth)
                part = _compared(COMPARISONS[type(comparison)], left, right)
            else:
                raise DataError("compare with ==, !=, <, <=, > or >=.")
            found, left = part if found is None else _truth(found) & _truth(part), right
        return found

    def _choices(self, node: ast.expr, depth: int) -> list[Any]:
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            raise DataError("`in` is followed by a list, such as ['a', 'b'].")
        return [_single(self.read(element, depth)) for element in node.elts]

    def _call(self, node: ast.Call, depth: int) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in FUNCTIONS or len(node.args) != 1 or node.keywords:
            raise DataError(f"the functions it may call, each with one argument, are {', '.join(FUNCTIONS)}.")
        value = self.read(node.args[0], depth)
        return FUNCTIONS[name](_column(value) if name in ABOUT_MISSING else _number(value))


def _truth(value: Any) -> Any:
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, np.bool_):
        return value
    if isinstance(value, pd.Series):
        if value.dtype == bool:
            return value
        if pd.api.types.is_bool_dtype(value.dtype) or _holds_truths(value):
            return value.fillna(False).astype(bool)
    raise DataError("`and`, `or` and `not` take conditions, such as x > 1.")


def _holds_truths(values: pd.Series) -> bool:
    return values.dtype == object and set(map(type, values.dropna())) <= {bool, np.bool_}


def _holds_numbers(values: pd.Series) -> bool:
    """Whether these are whole numbers too large for a column of their own."""
    return values.dtype == object and len(values) > 0 and set(map(type, values)) <= {int, float}


def _number(value: Any) -> Any:
    if isinstance(value, pd.Series) and value.dtype == np.float64:
        return value
    if isinstance(value, float) and not isinstance(value, bool):
        return np.float64(value)
    raise DataError("arithmetic takes columns of numbers and numbers.")


def _column(value: Any) -> pd.Series:
    if not isinstance(value, pd.Series):
        raise DataError("a column is missing where one is needed.")
    return value


def _single(value: Any) -> Any:
    if isinstance(value, pd.Series):
        raise DataError("the list after `in` holds numbers and text, no columns.")
    return value


def _compared(comparison: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    found = comparison(left, right)
    return found.fillna(False).astype(bool) if isinstance(found, pd.Series) else found
