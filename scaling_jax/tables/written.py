"""Numbers as people write them in cells: 7B, 100M, 1.4T, 10,000,000.

They are read where they can mean one thing only. A comma may set thousands or decimals apart: it is taken for
thousands where a cell has two of them, or where all cells with one end in 00, as no decimals do.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

__all__ = ["TWO_MEANINGS", "as_written"]

SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
NUMBER = re.compile(
    rf"([+-]?)(\d{{1,3}}(?:,\d{{3}})+|\d+)(\.\d*)?((?:e[+-]?\d+)?)\s?([{''.join(SUFFIXES)}]?)", re.IGNORECASE
)
TWO_MEANINGS = re.compile(r"\s*[+-]?\d{1,3},\d{3}\s*")
ROUND = "00"


def as_written(values: pd.Series) -> tuple[np.ndarray, str]:
    """Cells as numbers, and an example in words of how one was read, empty where none was.

    Args:
        values: a column of numbers, text, and missing values.

    Returns:
        (rows,) NaN for what is missing or no number.

    >>> as_written(pd.Series(["7B", "100M", "1e6", None]))
    (array([7.e+09, 1.e+08, 1.e+06,     nan]), '7B as 7e+09')
    >>> as_written(pd.Series(["2,345", "2,401"]))[0]  # 2345, or 2.345?
    array([nan, nan])
    """
    texts = [value.strip() if isinstance(value, str) else None for value in values]
    found = [None if text is None else NUMBER.fullmatch(text) for text in texts]
    commas = [text for text in texts if text is not None and "," in text]
    twice, even = any(text.count(",") > 1 for text in commas), all(text.endswith(ROUND) for text in commas)
    numbers = np.full(len(texts), np.nan)
    example = ""
    for i, match in enumerate(found):
        if match is None or ("," in match[2] and not (twice or even)):
            continue
        sign, whole, part, power, suffix = (piece or "" for piece in match.groups())
        numbers[i] = float(f"{sign}{whole.replace(',', '')}{part}{power}") * SUFFIXES.get(suffix.lower(), 1.0)
        if not example and ("," in whole or suffix):
            example = f"{match[0]} as {numbers[i]:g}"
    return numbers, example
