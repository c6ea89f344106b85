"""Every law is finite at its starts and at extremes, has the right gradient, and finds its constants."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from tests.cases.catalogue import CASES, TARGET, recover, tables

TABLES = 6
POINTS = 128
EXTREME = np.array([1.0, 1e3, 1e7, 1e11, 1e15])
BOUNDED = {
    "loss": (0.1, 12.0),
    "L": (0.1, 12.0),
    "P": (3.5, 32.0),
    "S1": (-10.0, 10.0),
    "S2": (-10.0, 10.0),
    "z": (0.0, 1.0),
}


@cache
def compiled(name: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    law = CASES[name].law
    return jax.jit(jax.vmap(jax.value_and_grad(lambda p, one: law.apply(law.unflatten(p), one))))


def value_and_gradient(
    name: str, numbers: np.ndarray, inputs: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Values (points,) and gradients (points, numbers) of as many parameter vectors as runs, in blocks of one
    shape, so that a law is compiled once."""
    many, parts = len(numbers), []
    with jax.enable_x64(True):
        for first in range(0, many, POINTS):
            block = np.minimum(np.arange(first, first + POINTS), many - 1)
            rows = {column: jnp.asarray(values[block], dtype=float) for column, values in inputs.items()}
            parts.append(compiled(name)(jnp.asarray(numbers[block]), rows))
    value, gradient = (np.concatenate(part)[:many] for part in zip(*parts, strict=True))
    return value, gradient


def truth_of(name: str) -> np.ndarray:
    return CASES[name].law.flatten(CASES[name].truth)


def test_every_law_of_the_library_has_a_case():
    made = {name for name in sj.laws.__all__ if isinstance(getattr(sj.laws, name), sj.Law)}
    made -= {name for name in made if getattr(sj.laws, name).curves}  # held to the same in test_annealing
    assert made == {
        name for name in made if any(case.law is getattr(sj.laws, name) for case in CASES.values())
    }
    factories = {"bnsl", "capability_sigmoid", "power_product", "power_sum"}
    factories |= {"mixing_exponential", "mixing_power", "mixture_additive", "mixture_joint"}
    factories |= {"response_surface"}
    assert {case.law.recipe[1] for case in CASES.values() if case.law.recipe} == factories


@pytest.mark.parametrize("name", CASES)
def test_documented_priored_and_pickled(name: str) -> None:
    law = CASES[name].law
    assert law.cite and law.formula and pickle.loads(pickle.dumps(law)) == law
    doc = inspect.getdoc(getattr(sj.laws, law.name)) or ""
    assert all(word in doc for word in ("Args:", "Returns:", "Source:", ">>>", "$$"))
    assert all(parameter.prior for parameter in law.parameters)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.law.starts is not None])
def test_finite_at_every_one_of_its_starts(name: str) -> None:
    """Where a law proposes none, seeds come from ranges and linear solves, which drop what is not finite."""
    law = CASES[name].law
    assert law.starts is not None
    table = tables(CASES[name], 1)
    inputs = {column: table[column].to_numpy() for column in law.inputs}
    proposed = {
        key: np.atleast_1d(values) for key, values in law.starts(inputs, table[TARGET].to_numpy()).items()
    }
    count = max(len(values) for values in proposed.values())
    fallback = dict(zip(law.labels, truth_of(name), strict=True))  # parameters left to a linear solve
    starts = np.stack(
        [np.broadcast_to(proposed.get(label, fallback[label]), count) for label in law.labels], axis=1
    )
    chosen = np.linspace(0, len(table) - 1, 8).astype(int)
    numbers = np.repeat(starts, len(chosen), axis=0)
    value, gradient = value_and_gradient(
        name, numbers, {k: np.tile(v[chosen], count) for k, v in inputs.items()}
    )
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", CASES)
def test_finite_at_extreme_inputs(name: str) -> None:
    law = CASES[name].law
    axes = []
    for column, domain in law.input_domains.items():
        low_high = BOUNDED.get(column, BOUNDED["P"] if column.startswith("P_") else None)
        if low_high and not domain.contains(low_high[0]):  # another law's input of that name
            low_high = None
        axis = np.clip(EXTREME, domain.lower, domain.upper) if low_high is None else np.linspace(*low_high, 5)
        axes.append(np.r_[0.0, axis[1:]] if low_high is None and domain.contains(0.0) else axis)
    mesh = np.meshgrid(*(axis[[0, 2, 4]] for axis in axes), indexing="ij")
    inputs = {column: values.ravel() for column, values in zip(law.inputs, mesh, strict=True)}
    value, gradient = value_and_gradient(name, np.tile(truth_of(name), (mesh[0].size, 1)), inputs)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("name", CASES)
def test_gradient_against_central_differences(name: str) -> None:
    law, numbers = CASES[name].law, truth_of(name)
    table = tables(CASES[name], 1)
    rows = np.linspace(0, len(table) - 1, 5).astype(int)
    inputs = {column: table[column].to_numpy()[rows] for column in law.inputs}
    # cube root of eps: truncation and rounding are then both about 4e-11 of the value
    steps = 6e-6 * np.maximum(np.abs(numbers), 1e-3)
    vectors = np.concatenate([[numbers], numbers + np.diag(steps), numbers - np.diag(steps)])
    everywhere = {column: np.tile(values, len(vectors)) for column, values in inputs.items()}
    found = value_and_gradient(name, np.repeat(vectors, len(rows), axis=0), everywhere)
    value, gradient = (part.reshape(len(vectors), len(rows), *part.shape[1:]) for part in found)
    up, down = np.split(value[1:], 2)
    slope = ((up - down) / (2 * steps[:, None])).T
    size = np.abs(up).max(axis=1) / np.maximum(np.abs(numbers), 1e-3)
    for k in range(len(numbers)):
        np.testing.assert_allclose(gradient[0, :, k], slope[:, k], rtol=1e-5, atol=1e-9 * float(size[k]))


@pytest.mark.parametrize("name", CASES)
def test_known_constants_are_recovered_from_its_own_starts(name: str) -> None:
    found = recover(CASES[name], TABLES)
    assert (found["gain"] >= -1e-6).all()
    # each table is inside with probability .99, so fewer than 4 of 6 has probability 2e-5
    assert (found["gain"] <= found["bound"]).sum() >= TABLES - 2
    assert (found["status"] == "converged").all()


@pytest.mark.parametrize("name", ["dynamical", "precision", "precision_ptq"])
def test_exact_runs_give_the_constants_back(name: str) -> None:
    law, truth = CASES[name].law, CASES[name].truth
    runs = tables(CASES[name], 1)
    fit = sj.fit(
        law,
        runs.assign(y=law(**{column: runs[column].to_numpy() for column in law.inputs}, **truth)),
        target=TARGET,
    )
    assert fit.params == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize("name", ["trajectory", "ceiling_power_law"])
def test_a_law_that_solves_an_equation_keeps_single_precision(name):
    law, numbers = CASES[name].law, truth_of(name)
    inputs = {
        key: np.float32(values[0]) for key, values in tables(CASES[name], 1).items() if key in law.inputs
    }
    with jax.enable_x64(True):  # as where a batch of refits is searched
        value = law.apply(law.unflatten(jnp.asarray(numbers, dtype=jnp.float32)), inputs)
    assert value.dtype == jnp.float32


@pytest.mark.parametrize("name", ["trajectory", "ceiling_power_law"])
def test_refits_of_a_law_that_solves_an_equation_end_where_the_fit_does(name):
    table = tables(CASES[name], 1)
    fit = sj.fit(CASES[name].law, table, target=TARGET)
    # over 1,024 lanes, of four starts each, are searched in single precision
    again = fit.bootstrap(indices=np.tile(np.arange(len(table)), (260, 1)))
    # polished in double, both are within 1e-18 of the objective, and parameters within its root times that
    # of the condition
    np.testing.assert_allclose(
        again.numbers,
        np.broadcast_to(fit.numbers, again.numbers.shape),
        rtol=1e-9 * fit.certificate.condition**0.5,
    )
