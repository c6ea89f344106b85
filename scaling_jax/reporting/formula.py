"""Formulas for the terminal: LaTeX as laws carry it, in plain signs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["readable"]

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_]|[A-Za-z]+|\d+(?:\.\d+)?|\s+|.")
SIGNS = {
    "infty": "∞", "cdot": "·", "times": "\u00d7", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "in": " in ", "to": "→", "mid": "|", "propto": "∝", "approx": "≈",
    "dots": "...", "ldots": "...", "cdots": "...", "partial": "∂", "ell": "l",
    "sum": "Σ", "prod": "Π", "int": "∫", "ln": "ln ", "log": "log ", "exp": "exp",
    "min": "min", "max": "max", "tanh": "tanh", "{": "{", "}": "}", "%": "%", "_": "_",
}  # fmt: skip
SILENT = {"left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "limits"}
SPACES = {",", ";", "!", ":", " ", "quad", "qquad", "\\"}
FRACTIONS, ROOTS = {"frac", "dfrac", "tfrac"}, {"sqrt"}
DRESS = {"mathrm", "text", "operatorname", "mathbf", "boldsymbol", "mathcal", "mathit", "mathbb"}
MARKS = {"hat": "\u0302", "widehat": "\u0302", "tilde": "\u0303", "widetilde": "\u0303", "bar": "\u0304"}


def readable(latex: str) -> str:
    r"""A formula in plain signs.

    >>> readable(r"E + A\,N^{-\alpha} + \frac{B}{D^{\beta}}")
    'E + A N^-α + B/D^β'
    >>> readable(r"\mathrm{Acc}(L) = b + \frac{a}{1 + e^{-k(L - L_0)}}")
    'Acc(L) = b + a/(1 + e^(-k(L - L_0)))'
    """
    text = _read(iter(TOKEN.findall(latex)))
    return re.sub(r"\s+([)\],^])", r"\1", re.sub(r"([(\[])\s+", r"\1", " ".join(text.split())))


def _read(tokens: Iterator[str]) -> str:
    """Up to the end of the group, or of all."""
    out = ""
    for token in tokens:
        if token == "}":
            break
        out += _said(token, tokens)
    return out


def _said(token: str, tokens: Iterator[str]) -> str:
    """A token with what belongs to it."""
    if token == "{":
        return _read(tokens)
    if token in "^_":
        return token + _wrapped(_argument(tokens))
    if not token.startswith("\\"):
        return token
    name = token[1:]
    if name in FRACTIONS:
        return f"{_wrapped(_argument(tokens))}/{_wrapped(_argument(tokens))}"
    if name in ROOTS:
        return f"√({_argument(tokens)})"
    if name in DRESS:
        return _argument(tokens)
    if name in MARKS:
        return _argument(tokens) + MARKS[name]
    if name in SPACES or name in SILENT:
        return " " if name in SPACES else ""
    return SIGNS.get(name) or _greek(name)


def _argument(tokens: Iterator[str]) -> str:
    """What a command takes next."""
    token = next((token for token in tokens if not token.isspace()), "")
    return _said(token, tokens) if token else ""


def _wrapped(part: str) -> str:
    """In brackets where it is more than one sign or word with its index."""
    part = part.strip()
    plain = re.fullmatch(r"-?[^\W_][\w\u0300-\u036f.*']*(\^-?\w+)?|[*'∞]", part)
    return part if plain else f"({part})"


def _greek(word: str) -> str:
    word = word.removeprefix("var")
    try:
        size = "CAPITAL" if word[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {size} LETTER {word.upper()}")
    except KeyError:
        return word
