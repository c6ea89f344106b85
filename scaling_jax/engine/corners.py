"""Objectives with a corner, approached through Huber thresholds: the corner is rounded off, ever less.

Starts are searched under two thresholds; the ends go on under sharper ones, each from where the last led.
"""

from __future__ import annotations

from collections.abc import Callable

from scaling_jax.core.arrays import AnyArray, namespace
from scaling_jax.engine.lm import LM
from scaling_jax.engine.ranks import Finished, first

__all__ = ["ROUNDING", "SEARCHED", "SHARPEN", "searched_rounded", "sharpened"]

SHARPEN = LM(tol=1e-12)
# of a corner, in shares of the roughness: a wide one leads to the best valley, and hides that it has several
SEARCHED, ROUNDING = (1.0, 1e-1), (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)


def sharpened(numbers: AnyArray, roughness: AnyArray, factor: AnyArray | float) -> AnyArray:
    """The objective's numbers, (fits, 3), with its corner rounded off below a share of the roughness (fits,);
    numbers of one fit may lack the axis."""
    xp = namespace(roughness)
    delta = roughness * factor
    over = xp.broadcast_to(numbers[..., 1], delta.shape)
    found: AnyArray = xp.stack([delta, over, 1.0 / delta], axis=-1)
    return found


def searched_rounded(
    search: Callable[[float], Finished[AnyArray]],
    follow: Callable[[float, Finished[AnyArray]], Finished[AnyArray]],
    most: int,
) -> Finished[AnyArray]:
    """The `most` best ends of all starts under every rounding of `SEARCHED`, followed to the least."""
    found: list[Finished[AnyArray]] = []
    for factor in SEARCHED:
        found = [follow(factor, ends) for ends in found]
        found.append(first(search(factor), most))
    xp = namespace(found[0].value)
    return Finished(*(xp.concatenate(parts, axis=1) for parts in zip(*found, strict=True)))
