"""One set of printed constants, with everything needed to use it without misunderstanding."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike

from scaling_jax.core.law import Law

__all__ = ["Entry", "Protocol"]

Protocol = Mapping[str, Any]
"""Keyword arguments of `sj.fit`."""

WIDTH = 110


@dataclass(frozen=True)
class Entry:
    """Constants somebody printed: a law with its parameters, their units, and what to know before using them.

    Called with inputs it is the law at these constants: `entry(N, D)` or `entry(N=..., D=...)`; a parameter
    given by name replaces the printed one.

    Args:
        key: AUTHORYEAR or AUTHORYEAR_variant, the name in `sj.published`.
        law: the law.
        params: parameter -> value, in natural units (never logarithms).
        cite: paper, and where in it.
        range: input -> (lowest, highest) of the runs behind the constants.
        units: what each input, parameter and the target is measured in, where it is not what the law says.
        runs: the runs behind the constants, in words.
        count: how parameters and compute were counted, ready for `sj.fit(count=...)`.
        remark: what we know about these constants that the paper does not say.
        protocol: keyword arguments of `sj.fit` that repeat the paper's fit; empty where it is not published.
        data: name for `sj.datasets.load`, where the package knows the runs.

    Raises:
        ValueError: if params or range do not fit the law.
    """

    key: str
    law: Law
    params: Mapping[str, float]
    cite: str
    range: Mapping[str, tuple[float, float]]
    units: Mapping[str, str] = field(default_factory=dict)
    runs: str = ""
    count: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""
    protocol: Protocol = field(default_factory=dict)
    data: str | None = None

    def __post_init__(self) -> None:
        if set(self.params) != set(self.law.params):
            raise ValueError(
                f"Constants '{self.key}' have {sorted(self.params)}, but {self.law} has "
                f"{sorted(self.law.params)}."
            )
        if set(self.range) != set(self.law.inputs):
            raise ValueError(
                f"Constants '{self.key}' have ranges of {sorted(self.range)}, but {self.law} has "
                f"{sorted(self.law.inputs)}."
            )
        known = {*self.law.inputs, *self.law.params, "target"}
        if unknown := set(self.units) - known:
            raise ValueError(
                f"Constants '{self.key}' have units of {sorted(unknown)}, which {self.law} does not know."
            )
        object.__setattr__(self, "units", {"target": self.law.target} | self.law.units | dict(self.units))

    def __call__(self, *inputs: ArrayLike, **named: ArrayLike) -> Any:
        return self.law(*inputs, **(dict(self.params) | named))

    def __repr__(self) -> str:
        lines = [f"<published {self.key}>"]
        for name, text in self._described():
            if text:
                lines += textwrap.wrap(text, WIDTH, initial_indent=f"  {name:<9}", subsequent_indent=" " * 11)
        return "\n".join(lines)

    def _described(self) -> list[tuple[str, str]]:
        protocol = ", ".join(f"{name}={_short(value)}" for name, value in self.protocol.items())
        return [
            ("law", f"{self.law.name}({', '.join(self.law.inputs)}) -> {self.units['target']}"),
            ("params", ", ".join(f"{name} {self._with_unit(name, v)}" for name, v in self.params.items())),
            ("range", ", ".join(f"{name} {self._with_unit(name, *v)}" for name, v in self.range.items())),
            ("runs", self.runs),
            ("count", ", ".join(f"{name}: {how}" for name, how in self.count.items())),
            ("remark", self.remark),
            ("protocol", protocol or "not published"),
            ("data", f'sj.datasets.load("{self.data}")' if self.data else ""),
            ("source", self.cite),
        ]

    def _with_unit(self, name: str, *values: float) -> str:
        unit = f" {self.units[name]}" if name in self.units else ""
        return " to ".join(_number(value) for value in values) + unit


def _number(value: float) -> str:
    return f"{value:.7g}".replace("e+", "e")


def _short(value: object) -> str:
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
