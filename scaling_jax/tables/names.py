"""Columns by the names that people give them: `n_params` for N, `tokens` for D.

A column is taken for an input only where exactly one has such a name, and whoever reads the table says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["guessed"]

USUAL = {
    "N": "n params nparams numparams parameters nparameters numparameters modelparams paramcount modelsize",
    "D": "d tokens ntokens numtokens traintokens trainingtokens tokensseen",
    "C": "c flop flops trainflops trainingflops totalflops compute trainingcompute",
    "loss": "finalloss valloss validationloss evalloss testloss",
}


def guessed(name: str, columns: Iterable[object]) -> str | None:
    """The one column that goes by a usual name of an input or target, None where there is none or several.

    >>> guessed("N", ["n_params", "tokens", "loss"]), guessed("loss", ["val_loss", "test_loss"])
    ('n_params', None)
    """
    usual = USUAL.get(name, "").split()
    found = [c for c in columns if isinstance(c, str) and re.sub(r"[\W_]", "", c).lower() in usual]
    return found[0] if len(found) == 1 else None
