"""A fit whose names try to leave the page they are written on."""

from __future__ import annotations

import numpy as np

import scaling_jax as sj
from scaling_jax.core.domains import Positive, Real

SCRIPT = "</script><script>window.hacked = 1</script>"
IMAGE = "\"><img src=x onerror='window.hacked=1'>"
TYPST = '#panic("hacked") $x$ *b*'
MARKDOWN = "| [x](javascript:hacked) `code` |\n# no heading"


def _line(x, *, A: Positive, alpha: Real):
    return A / x**alpha


def hostile_fit() -> sj.FitResult:
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 1e3, 24)
    table = {IMAGE: x, SCRIPT: 3 / x**0.5 * np.exp(0.01 * rng.normal(size=24))}
    table[MARKDOWN] = [f"{IMAGE}{SCRIPT}{TYPST}{i}" for i in range(24)]
    law = sj.Law(_line, name=f"{SCRIPT}{IMAGE}", formula=f"L = {SCRIPT}{TYPST}", cite=IMAGE)
    return sj.fit(law, table, inputs={"x": IMAGE}, target=SCRIPT, run=MARKDOWN, count={"x": SCRIPT})
