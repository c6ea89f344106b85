"""NIST's 27 certified nonlinear regressions as a user's laws, and the digits that a fit reaches."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd

import scaling_jax as sj


def _law(fn):
    names = fn.__code__.co_varnames[: fn.__code__.co_argcount]
    return sj.law(fn, domains=dict.fromkeys(names, sj.Real), target="y")


@_law
def _misra1a(x, *, b1, b2):
    return b1 * (1 - jnp.exp(-b2 * x))


@_law
def _misra1b(x, *, b1, b2):
    return b1 * (1 - (1 + b2 * x / 2) ** -2.0)


@_law
def _misra1c(x, *, b1, b2):
    return b1 * (1 - (1 + 2 * b2 * x) ** -0.5)


@_law
def _misra1d(x, *, b1, b2):
    return b1 * b2 * x / (1 + b2 * x)


@_law
def _chwirut(x, *, b1, b2, b3):
    return jnp.exp(-b1 * x) / (b2 + b3 * x)


@_law
def _lanczos(x, *, b1, b2, b3, b4, b5, b6):
    return b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-b4 * x) + b5 * jnp.exp(-b6 * x)


@_law
def _gauss(x, *, b1, b2, b3, b4, b5, b6, b7, b8):
    return (
        b1 * jnp.exp(-b2 * x) + b3 * jnp.exp(-(((x - b4) / b5) ** 2)) + b6 * jnp.exp(-(((x - b7) / b8) ** 2))
    )


@_law
def _danwood(x, *, b1, b2):
    return b1 * x**b2


@_law
def _kirby2(x, *, b1, b2, b3, b4, b5):
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


@_law
def _hahn1(x, *, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


@_law
def _nelson(x1, x2, *, b1, b2, b3):
    return b1 - b2 * x1 * jnp.exp(-b3 * x2)


@_law
def _mgh09(x, *, b1, b2, b3, b4):
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


@_law
def _mgh10(x, *, b1, b2, b3):
    return b1 * jnp.exp(b2 / (x + b3))


@_law
def _mgh17(x, *, b1, b2, b3, b4, b5):
    return b1 + b2 * jnp.exp(-x * b4) + b3 * jnp.exp(-x * b5)


@_law
def _roszman1(x, *, b1, b2, b3, b4):
    return b1 - b2 * x - jnp.arctan(b3 / (x - b4)) / jnp.pi


@_law
def _enso(x, *, b1, b2, b3, b4, b5, b6, b7, b8, b9):
    turn = 2 * jnp.pi * x
    year, first, second = turn / 12, turn / b4, turn / b7
    return (
        b1 + b2 * jnp.cos(year) + b3 * jnp.sin(year) + b5 * jnp.cos(first) + b6 * jnp.sin(first)
        + b8 * jnp.cos(second) + b9 * jnp.sin(second)
    )  # fmt: skip


@_law
def _thurber(x, *, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


@_law
def _boxbod(x, *, b1, b2):
    return b1 * (1 - jnp.exp(-b2 * x))


@_law
def _rat42(x, *, b1, b2, b3):
    return b1 / (1 + jnp.exp(b2 - b3 * x))


@_law
def _rat43(x, *, b1, b2, b3, b4):
    return b1 / (1 + jnp.exp(b2 - b3 * x)) ** (1 / b4)


@_law
def _eckerle4(x, *, b1, b2, b3):
    return (b1 / b2) * jnp.exp(-0.5 * ((x - b3) / b2) ** 2)


@_law
def _bennett5(x, *, b1, b2, b3):
    return b1 * (b2 + x) ** (-1 / b3)


LAWS = {
    "Misra1a": _misra1a,
    "Misra1b": _misra1b,
    "Misra1c": _misra1c,
    "Misra1d": _misra1d,
    "Chwirut1": _chwirut,
    "Chwirut2": _chwirut,
    "Lanczos1": _lanczos,
    "Lanczos2": _lanczos,
    "Lanczos3": _lanczos,
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "Gauss3": _gauss,
    "DanWood": _danwood,
    "Kirby2": _kirby2,
    "Hahn1": _hahn1,
    "Nelson": _nelson,
    "MGH09": _mgh09,
    "MGH10": _mgh10,
    "MGH17": _mgh17,
    "Roszman1": _roszman1,
    "ENSO": _enso,
    "Thurber": _thurber,
    "BoxBOD": _boxbod,
    "Rat42": _rat42,
    "Rat43": _rat43,
    "Eckerle4": _eckerle4,
    "Bennett5": _bennett5,
}


@dataclass(frozen=True)
class Problem:
    """One certified problem: its table, two starts, and the certified parameters."""

    name: str
    table: pd.DataFrame
    starts: np.ndarray
    certified: np.ndarray
    rss: float


def read(path: Path) -> Problem:
    """Reads one of NIST's .dat files by its own line numbers."""
    text = path.read_text(errors="replace")
    lines = text.splitlines()
    values = np.array(re.findall(r"^\s*b\d+ =\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$", text, re.M), dtype=float)
    first, last = map(int, re.search(r"Data\s+\(lines (\d+) to (\d+)\)", text).groups())
    rows = np.array([line.split() for line in lines[first - 1 : last] if line.split()], dtype=float)
    columns = ["y", "x"] if rows.shape[1] == 2 else ["y", "x1", "x2"]
    table = pd.DataFrame(rows, columns=columns)
    if path.stem == "Nelson":
        table["y"] = np.log(table["y"])
    rss = float(re.search(r"Residual Sum of Squares:\s+(\S+)", text).group(1))
    return Problem(path.stem, table, values[:, :2].T, values[:, 2], rss)


def digits(found: np.ndarray, certified: np.ndarray) -> float:
    """Least number of agreeing significant digits over the parameters, at most 11 (what NIST certifies)."""
    with np.errstate(all="ignore"):
        error = np.max(np.abs(found - certified) / np.abs(certified))
    return float(np.clip(-np.log10(max(error, 1e-11)), 0, 11)) if np.isfinite(error) else 0.0


def solved(problem: Problem, start: int) -> tuple[float, str]:
    """Digits and status of our default solver from one published start."""
    fit = sj.fit(
        LAWS[problem.name],
        problem.table,
        starts=problem.starts[start][None],
        objective=sj.SquaredError(on="raw"),
    )
    return digits(fit.numbers, problem.certified), fit.status
