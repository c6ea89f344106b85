"""Text that is meant to be read: a notebook and a prompt show it as `print` does, not as a quoted literal."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Printed"]


class Pretty(Protocol):
    """What IPython writes a display with."""

    def text(self, text: str) -> None: ...


class Printed(str):
    """A string whose display is itself.

    >>> Printed("one")
    one
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return self[:]

    def _repr_pretty_(self, printer: Pretty, cycle: bool) -> None:
        printer.text(str(self))
