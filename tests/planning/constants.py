"""Constants that plans are tried on, as printed and as fitted again."""

from __future__ import annotations

import scaling_jax as sj

PRINTED = dict(sj.published["hoffmann2022"].params)
TEX = dict(sj.published["hoffmann2022_tex"].params)  # the same fit with more digits, from the paper's source
REPLICATION = dict(sj.published["besiroglu2024_huber"].params)
