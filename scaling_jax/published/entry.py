"""One set of printed constants, with everything needed to use it without misunderstanding."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scaling_jax.core.law import Law

__all__ = ["Entry"]

WIDTH = 110


@dataclass(frozen=True)
class Entry:
    """Constants somebody printed: a law with its parameters, their units, and what is to be known before
    using them.

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
    protocol: Mapping[str, Any] = field(default_factory=dict)
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

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        return self.law(*inputs, **(dict(self.params) | named))

    def __repr__(self) -> str:
        rows = [
            ("law", f"{self.law.name}({', '.join(self.law.inputs)}) -> {self.units['target']}"),
            (
                "params",
                ", ".join(
                    f"{name} {_number(value)}{self._unit(name)}" for name, value in self.params.items()
                ),
            ),
            (
                "range",
                ", ".join(
                    f"{name} {_number(low)} to {_number(high)}{self._unit(name)}"
                    for name, (low, high) in self.range.items()
                ),
            ),
            ("runs", self.runs),
            ("count", ", ".join(f"{name}: {how}" for name, how in self.count.items())),
            ("remark", self.remark),
            (
                "protocol",
                ", ".join(f"{name}={_short(value)}" for name, value in self.protocol.items())
                or "not published",
            ),
            ("data", f'sj.datasets.load("{self.data}")' if self.data else ""),
            ("source", self.cite),
        ]
        lines = [f"<published {self.key}>"]
        for name, text in rows:
            if text:
                lines += textwrap.wrap(text, WIDTH, initial_indent=f"  {name:<9}", subsequent_indent=" " * 11)
        return "\n".join(lines)

    def _unit(self, name: str) -> str:
        return f" {self.units[name]}" if name in self.units else ""


def _number(value: float) -> str:
    return f"{value:.7g}".replace("e+", "e")


def _short(value: Any) -> str:
    text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
