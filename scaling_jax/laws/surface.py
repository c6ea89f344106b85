"""Response surfaces (Box and Wilson 1951): a quadratic in the logarithms of everything that was varied.

The form of a hyper-parameter sweep that no theory describes: near a reference point any smooth loss is one,
and its minimum over some inputs is a product of powers of the others.
"""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp

from scaling_jax.core.checked import checked
from scaling_jax.core.domains import POSITIVE, REAL
from scaling_jax.core.law import Law, Parameter

__all__ = ["response_surface"]

CITE = "Box and Wilson 1951, On the experimental attainment of optimum conditions"


@checked
def response_surface(**centre: float) -> Law:
    r"""A full quadratic in the logarithms of any number of inputs, about a reference point.

    $$y = c + \sum_i b_i z_i + \sum_{i \le j} q_{ij} z_i z_j, \qquad z_i = \ln(x_i / x_i^0)$$

    Args:
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
    if not centre or any(not value > 0 for value in centre.values()):
        raise TypeError(
            f"response_surface({centre}): name each input with a positive reference value, as in "
            "response_surface(lr=1e-3, N=1e9)."
        )
    return _about(*(part for pair in centre.items() for part in pair))


def _about(*names_and_values: str | float) -> Law:
    """The surface about a reference point, written as name, value, name, value: what it is rebuilt from."""
    names = tuple(str(name) for name in names_and_values[::2])
    values = tuple(float(value) for value in names_and_values[1::2])
    pairs = list(itertools.combinations_with_replacement(range(len(names)), 2))

    def surface(*inputs: jax.Array, c: jax.Array, **slopes: jax.Array) -> jax.Array:
        z = [jnp.log(x / at) for x, at in zip(inputs, values, strict=True)]
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
        recipe=(__name__, "_about", names_and_values),
    )
