"""Results by group: the mapping that all results of many groups are."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

from scaling_jax.core.checked import shown

__all__ = ["Keyed"]

Member = TypeVar("Member")
MOST_NAMED = 8


class Keyed(Mapping[Hashable, Member]):
    """A mapping from the group's key to its member, in the order given.

    Args:
        members: what each group has; a mapping that is no dictionary makes each when it is asked for.
    """

    def __init__(self, members: Mapping[Hashable, Member]):
        self._members = dict(members) if isinstance(members, dict) else members

    def __getitem__(self, key: Hashable) -> Member:
        try:
            return self._members[key]
        except (KeyError, TypeError):
            has = ", ".join(map(shown, list(self._members)[:MOST_NAMED]))
            more = f" and {len(self._members) - MOST_NAMED} more" if len(self._members) > MOST_NAMED else ""
            raise KeyError(f"There is no group {shown(key)}: there are {has}{more}.") from None

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)
