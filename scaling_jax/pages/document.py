"""A page before it is set: its title and its parts, and names by which sections are found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from scaling_jax.pages.parts import Part
from scaling_jax.reporting.blocks import Block, Picture

__all__ = ["Document"]


@dataclass(frozen=True)
class Document:
    """What is written.

    Args:
        title: of the page.
        parts: one per result.
    """

    title: str
    parts: tuple[Part, ...]

    @property
    def blocks(self) -> list[Block]:
        """All blocks, in their order."""
        return [block for part in self.parts for section in part.sections for block in section.blocks]

    @property
    def pictures(self) -> list[Picture]:
        """All pictures."""
        return [block for block in self.blocks if isinstance(block, Picture)]

    @cached_property
    def files(self) -> dict[int, str]:
        """Names of the pictures' files, by the picture's identity; two results may have pictures of one
        name."""
        found: dict[int, str] = {}
        for picture in self.pictures:
            times = sum(name.rstrip("0123456789-") == picture.name for name in found.values())
            found[id(picture)] = f"{picture.name}-{times + 1}" if times else picture.name
        return found
