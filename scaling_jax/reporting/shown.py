"""What all results share: how a notebook shows them, and the report that may be made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from scaling_jax.core.checked import checked
from scaling_jax.reporting.blocks import Section
from scaling_jax.reporting.html import notebook_html

__all__ = ["Shown", "hand_down", "sections_of", "title_of"]


class Writer(Protocol):
    """What makes a report: `sj.report`."""

    def __call__(
        self, *things: object, path: str | Path | None, title: str | None, format: str | None
    ) -> str | bytes: ...


_WRITERS: list[Callable[[], Writer]] = []


def hand_down(writer: Callable[[], Writer]) -> None:
    """Says who writes reports. They hold pictures, which stand above all results: whoever puts the package
    together knows both, and hands the writer down."""
    _WRITERS[:] = [writer]


class Shown:
    """A result that notebooks show and reports hold."""

    def _title(self) -> str:
        """What it is, in a few words."""
        return type(self).__name__

    def _sections(self) -> Sequence[Section]:
        """What it shows."""
        return []

    @checked
    def report(
        self, path: str | Path | None = None, *others: object, title: str | None = None,
        format: str | None = None,
    ) -> str | bytes:  # fmt: skip
        """One page that can be sent to somebody: the verdict first, pictures, numbers, code to repeat it.

        Args:
            path: the file to write, "fit.html", "fit.md" or "fit.pdf"; None writes none.
            *others: further results on the same page: plans, contrasts, forecasts.
            title: of the page.
            format: "html", "md" or "pdf", in place of the file's ending.

        Returns:
            What was written: text, or the bytes of a PDF; see `sj.report`.

        Raises:
            ImportError: where jinja2, matplotlib or Vega-Altair are not installed, with the remedy.
        """
        return _WRITERS[0]()(self, *others, path=path, title=title, format=format)

    def _repr_html_(self) -> str:
        return notebook_html(self._title(), self._sections())


def title_of(thing: Shown) -> str:
    """What a result is, in a few words."""
    return thing._title()


def sections_of(thing: Shown) -> Sequence[Section]:
    """What a result shows."""
    return thing._sections()
