"""A law in bytes: the same in other processes, another where it computes anything else."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.engine.traced import law_in_bytes
from tests.cases.catalogue import CASES
from tests.cases.laws import LAWS


def made(fn, **options) -> sj.Law:
    return sj.law(fn, name="mine", domains={"A": sj.Positive}, **options)


def with_slope(slope: float):
    """A function whose steps are the same whatever its author says its slope is."""

    @jax.custom_jvp
    def root(x):
        return jnp.sqrt(x)

    @root.defjvp
    def _(primals, tangents):
        return root(*primals), slope * tangents[0]

    return root


def held(numbers) -> sj.Law:
    table = np.array(numbers)
    return made(lambda x, *, A, b: A * x**-b * jnp.prod(x - table))


def plus(number) -> sj.Law:
    return made(lambda x, *, A, b: A * x**-b + number)


def of(root) -> sj.Law:
    return made(lambda x, *, A, b: A * root(x * b))


MINE = made(lambda x, *, A, b: A * x**-b)
PAIRS = {
    "a formula": (MINE, made(lambda x, *, A, b: A * (1 + x) ** -b)),
    "a literal's last digit": (plus(0.1), plus(float(np.nextafter(0.1, 1)))),
    "an array's last digit": (held([0.1, 0.2]), held([0.1, np.nextafter(0.2, 1)])),
    "a literal that NumPy holds": (plus(np.array(1 / 3)), plus(np.array(1 / 3 + 1e-12))),
    "a derivative of its own": (of(with_slope(0.5)), of(with_slope(1 / 3))),
    "a domain": (MINE, sj.law(lambda x, *, A, b: A * x**-b, name="mine", domains={"A": sj.NonNegative})),
    "parameters in another order": (MINE, made(lambda x, *, b, A: A * x**-b)),
}


@pytest.mark.parametrize("what", PAIRS)
def test_laws_that_differ_in_anything_differ(what: str) -> None:
    one, other = (law_in_bytes(law, "float64") for law in PAIRS[what])
    assert one is not None and other is not None and one != other
    assert one == law_in_bytes(PAIRS[what][0], "float64") != law_in_bytes(PAIRS[what][0], "float32")


def by_callback(x, *, A, b):
    return A * jax.pure_callback(np.sqrt, jax.ShapeDtypeStruct((), x.dtype), x) ** b


@jax.custom_vjp
def backwards(x):
    return x


backwards.defvjp(lambda x: (x, None), lambda _, g: (2 * g,))


@jax.custom_batching.custom_vmap
def batched(x):
    return x


@batched.def_vmap
def _(size, in_batched, x):
    return 2 * x, True


UNTOLD = {
    "a callback": by_callback,
    "a derivative in reverse only": lambda x, *, A, b: A * backwards(x) ** b,
    "a rule for many at once": lambda x, *, A, b: A * batched(x) ** b,
}


@pytest.mark.parametrize("what", UNTOLD)
def test_what_only_this_process_knows_is_not_told(what: str) -> None:
    try:
        assert law_in_bytes(made(UNTOLD[what]), "float64") is None
    except TypeError as error:  # JAX differentiates it in reverse alone
        assert "forward-mode" in str(error)


def test_every_law_of_the_catalogue_is_told() -> None:
    assert not [name for name, case in CASES.items() if law_in_bytes(case.law, "float64") is None]


SAY = """
import hashlib, sys
from scaling_jax.engine.traced import law_in_bytes
from tests.cases.laws import LAWS
print(*(hashlib.sha256(law_in_bytes(LAWS[name], "float64")).hexdigest() for name in sys.argv[1:]))
"""


def test_another_process_tells_the_same() -> None:
    names = sorted(LAWS)
    said = subprocess.run([sys.executable, "-c", SAY, *names], capture_output=True, text=True, check=True)
    here = [hashlib.sha256(law_in_bytes(LAWS[name], "float64") or b"").hexdigest() for name in names]
    assert said.stdout.split() == here
