"""The laws, one file per line of published work; every one is an ordinary `@law` function."""

from scaling_jax.laws.chinchilla import chinchilla
from scaling_jax.laws.kaplan import kaplan
from scaling_jax.laws.power import power_law, power_law_floor, power_product

__all__ = ["chinchilla", "kaplan", "power_law", "power_law_floor", "power_product"]
