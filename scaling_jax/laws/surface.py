"""Response surfaces (Box and Wilson 1951): a quadratic in the logarithms of everything that was varied.

The form of a hyper-parameter sweep that no theory describes: near a reference point any smooth loss is one,
and its minimum over some inputs is a product of powers of the others.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp

from scaling_jax.core.checked import checked, shown
from scaling_jax.core.domains import POSITIVE, REAL
from scaling_jax.core.law import Law, Parameter

__all__ = ["response_surface"]

CITE = "Box and Wilson 1951, On the experimental attainment of optimum conditions"


@checked
def response_surface(*said: str, **centre: float) -> Law:
    r"""A full quadratic in the logarithms of any number of inputs, about a reference point.

    $$y = c + \sum_i b_i z_i + \sum_{i \le j} q_{ij} z_i z_j, \qquad z_i = \ln(x_i / x_i^0)$$

    Args:
        said: inputs in words, such as "lr=1e-3", as a command line or a stored fit names them.
        centre: name of each input and its value x0 at the reference point, somewhere inside the table.

    Returns:
        The law, with parameters c (the value at the reference point), b_ and the input's name, q_ and two
        names; it pickles and compares by names and reference point.

    Raises:
        TypeError: without inputs, or with a reference value that is not positive.

    Known to go wrong: it bends up again beyond the table, however the target behaves: an interpolation, and
    within a factor of two or so beyond. k inputs take (k + 1)(k + 2) / 2 parameters.

    Source: Box and Wilson 1951; the form behind the optima of learning-rate sweeps.

    >>> law = response_surface(lr=1e-3, N=1e9)
    >>> law
    <law response_surface(lr, N; c, b_lr, b_N, q_lr_lr, q_lr_N, q_N_N)>
    >>> law(2e-3, 1e9, c=2.0, b_lr=0.0, b_N=-0.1, q_lr_lr=0.05, q_lr_N=0.0, q_N_N=0.01).__round__(4)
    2.024
    """
    at = {name: value for name, _, value in (one.partition("=") for one in said)} | centre
    try:
        values = [float(value) for value in at.values()]
    except ValueError:
        values = []
    if not values or not all(0 < value < float("inf") for value in values):
        raise TypeError(
            f"response_surface({shown(at)}): name each input with a positive reference value, as in "
            "response_surface(lr=1e-3, N=1e9)."
        )
    names = tuple(name.strip() for name in at)
    pairs = list(itertools.combinations_with_replacement(range(len(names)), 2))

    def surface(*inputs: jax.Array, c: jax.Array, **slopes: jax.Array) -> jax.Array:
        z = [jnp.log(x / middle) for x, middle in zip(inputs, values, strict=True)]
        out = c
        for name, one in zip(names, z, strict=True):
            out = out + slopes[f"b_{name}"] * one
        for i, j in pairs:
            out = out + slopes[f"q_{names[i]}_{names[j]}"] * z[i] * z[j]
        return out

    surface.__doc__ = (
        "A quadratic in logarithms about a reference point.\n\n"
        + r"$$y = c + \sum_i b_i z_i + \sum_{i \le j} q_{ij} z_i z_j, \quad z_i = \ln(x_i / x_i^0)$$"
    )
    stored = tuple(f"{name}={value!r}" for name, value in zip(names, values, strict=True))
    own = [f"b_{name}" for name in names] + [f"q_{names[i]}_{names[j]}" for i, j in pairs]
    return Law(
        surface,
        name="response_surface",
        inputs=dict.fromkeys(names, POSITIVE),
        params=[
            Parameter("c", REAL, prior=("normal", 2.0, 3.0)),
            *(Parameter(name, REAL, prior=("normal", 0.0, 0.5)) for name in own),
        ],
        cite=CITE,
        recipe=(__name__, "response_surface", stored),
    )
