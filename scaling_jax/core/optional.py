"""Packages that only some features need: imported when one is asked for, or a sentence with the remedy."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

__all__ = ["needs"]


def needs(package: str, extra: str, what: str) -> ModuleType:
    """The package, imported.

    Args:
        package: its name, for example "matplotlib.pyplot".
        extra: the extra of scaling-jax that installs it.
        what: who needs it, as the beginning of a sentence: "Plots need".

    Raises:
        ImportError: where it is not installed, with the remedy.
    """
    try:
        with warnings.catch_warnings():  # some packages change the filters when they are imported
            return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise ImportError(f"{what} {name}: pip install 'scaling-jax[{extra}]'.") from error
