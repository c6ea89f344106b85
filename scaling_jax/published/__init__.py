"""Printed constants: every set that a paper reports, under one name, with units, range and our remark.

To add a set, append an `Entry` to the list of its line of work, a file of this folder; the tests, `table()`
and the gallery find it there.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.law import Law
from scaling_jax.published import architecture, downstream, hyperparameters, pretraining, transfer
from scaling_jax.published.entry import Entry

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Published", "published"]


class Published(Mapping[str, Entry]):
    """Printed constants by name, `sj.published["hoffmann2022"]`.

    A mapping from AUTHORYEAR or AUTHORYEAR_variant to an `Entry`: `.law`, `.params`, `.units`, `.cite`,
    `.range`, `.runs`, `.count`, `.remark`, `.protocol`, `.data`. An entry is callable with the law's inputs.
    `table()` lists all, `of(law)` those of one law.

    Raises:
        KeyError: for an unknown name, with those that are near.

    >>> import scaling_jax as sj
    >>> round(sj.published["hoffmann2022"](70e9, 1.4e12), 3)
    1.937
    >>> "hoffmann2022_tex" in sj.published
    True
    """

    def __init__(self, entries: Iterable[Entry]):
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            if entry.key in self._entries:
                raise ValueError(f"Two sets of published constants are called '{entry.key}'.")
            self._entries[entry.key] = entry

    def __getitem__(self, key: str) -> Entry:
        if str(key) in self._entries:
            return self._entries[str(key)]
        near = self._near(str(key).lower().replace(" ", "").replace("-", "_"))
        hint = f"near it are {', '.join(near[:8])}" if near else "no name is near it"
        raise KeyError(
            f"No published constants are called {shown(key)}: {hint}; sj.published.table() lists all "
            f"{len(self)}."
        )

    def _near(self, name: str) -> list[str]:
        begun = [known for known in self._entries if name and known.startswith(name)]
        return begun or difflib.get_close_matches(name, self._entries, n=5, cutoff=0.5)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @checked
    def of(self, law: Law) -> list[Entry]:
        """All sets of constants of one law.

        >>> import scaling_jax as sj
        >>> [entry.key for entry in sj.published.of(sj.laws.kaplan)]
        ['kaplan2020']
        """
        return [entry for entry in self.values() if entry.law == law]

    def table(self) -> pd.DataFrame:
        """An overview, one row per set.

        Returns:
            DataFrame indexed by key: law, inputs, target (its unit), params (as text), count, protocol ("yes"
            where the paper's fit can be repeated), remark, cite.

        >>> import scaling_jax as sj
        >>> sj.published.table().loc["kaplan2020", "law"]
        'kaplan'
        """
        import pandas as pd

        return pd.DataFrame([_row(entry) for entry in self.values()]).set_index("key")

    def __repr__(self) -> str:
        papers: dict[str, list[str]] = defaultdict(list)
        for key in self:
            paper, _, variant = key.partition("_")
            papers[paper].append(variant)
        head = (
            f"<published: {len(self)} sets of constants from {len(papers)} papers; .table() describes them>"
        )
        lines = (f"  {paper:<18}{_variants(names)}".rstrip() for paper, names in papers.items())
        return "\n".join([head, *lines])


def _variants(names: list[str]) -> str:
    shown = ", ".join(f"_{name}" for name in names if name)
    return shown if len(shown) < 100 else f"{len(names)} sets, {shown[:80]} ..."


def _row(entry: Entry) -> dict[str, str]:
    return {
        "key": entry.key,
        "law": entry.law.name,
        "inputs": ", ".join(entry.law.inputs),
        "target": entry.units["target"],
        "params": ", ".join(f"{name} {value:.6g}" for name, value in entry.params.items()),
        "count": ", ".join(f"{name}: {how}" for name, how in entry.count.items()),
        "protocol": "yes" if entry.protocol else "",
        "remark": entry.remark,
        "cite": entry.cite,
    }


published = Published(
    [
        *pretraining.ENTRIES,
        *architecture.ENTRIES,
        *hyperparameters.ENTRIES,
        *downstream.ENTRIES,
        *transfer.ENTRIES,
    ]
)
