"""What to fit and how: the user's words, checked once at the door, as one plain specification."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from inspect import signature
from typing import Any, TypeAlias

import jax
import numpy as np
import pandas as pd
from jax.sharding import Mesh
from numpy.typing import ArrayLike

from scaling_jax.core.checked import shown, truth
from scaling_jax.core.law import Law, Parameter, check_law, must_be_law
from scaling_jax.core.objective import Huber, Objective
from scaling_jax.core.overdispersed import overdispersed
from scaling_jax.engine.devices import Place, platform
from scaling_jax.engine.lbfgs import LBFGS
from scaling_jax.engine.lm import LM
from scaling_jax.engine.sampling import product_grid
from scaling_jax.engine.solver import Solver
from scaling_jax.fitting.named import law_named, objective_named
from scaling_jax.tables.read import Reading

__all__ = ["MEASURE", "SOLVERS", "Spec", "asked", "fixed_numbers", "held_numbers", "make_spec", "tied_index"]

Fixed: TypeAlias = ArrayLike | Mapping[Hashable, ArrayLike]
"""A value that is not fitted, or one per group."""
Starts: TypeAlias = int | str | ArrayLike | Mapping[str, ArrayLike] | pd.DataFrame | None
"""Where lanes begin, as `sj.fit` takes it."""
SOLVERS: dict[str, type[LM] | type[LBFGS]] = {"lm": LM, "lbfgs": LBFGS}
MEASURE = LM(max_steps=1)


@dataclass(frozen=True, eq=False)
class Spec:
    """What to fit and how, once the user's words are checked.

    Args:
        law, objective: what is fitted, and what is minimised.
        fixed: parameter -> value, or per group a mapping key -> value.
        tied: groups of parameters that share one value.
        starts: None for the law's own, a number of them, or points (starts, labels) in natural units.
        solver, screen, polish: how lanes are run.
        device: a JAX device, a mesh, or None.
        count: how sizes and compute were counted.
        unit: of the target, where the user says so.
    """

    law: Law
    objective: Objective
    fixed: dict[str, Fixed]
    tied: list[tuple[str, ...]]
    starts: int | np.ndarray | None
    solver: Solver
    screen: bool
    device: Place
    count: dict[str, str]
    unit: str = ""
    polish: bool = True

    def __getstate__(self) -> dict[str, Any]:
        """Devices belong to a process: a pickled specification leaves its own behind."""
        return self.__dict__ | {"device": None}


def make_spec(
    law: Law | str,
    objective: Objective | str | None = None,
    fixed: Mapping[str, Fixed] | None = None,
    tied: Sequence[Sequence[str]] | None = None,
    starts: Starts = None,
    solver: str | Solver = "lm",
    screen: bool = True,
    device: str | Place = None,
    count: Mapping[str, str] | None = None,
    mesh: Mesh | None = None,
    unit: str | None = None,
    polish: bool = True,
) -> Spec:
    """A specification out of the words of `sj.fit`, each checked."""
    if isinstance(law, str):
        law = law_named(law)
    must_be_law(law)
    if isinstance(objective, str):
        objective = objective_named(objective)
    objective = Huber() if objective is None else objective
    if not isinstance(objective, Objective):
        raise TypeError(
            f"objective= takes sj.Huber(...), sj.SquaredError(...) and the like, not {shown(objective)}."
        )
    law = overdispersed(law) if objective.overdispersed else law
    screen, polish = truth(screen, "screen"), truth(polish, "polish")
    place = _device_named(device) if isinstance(device, str) else device
    if not (place is None or isinstance(place, jax.Device | Mesh)):
        raise TypeError(f"device={shown(device)}: give a JAX device, such as jax.devices()[0], or its name.")
    if mesh is not None:
        place = _checked_mesh(mesh, place)
    chosen = _read_solver(solver, place)
    if count is not None and not isinstance(count, Mapping):
        raise TypeError(
            f"count={shown(count)}: give a mapping of what was counted how, for example "
            f"{{'N': 'non-embedding'}}."
        )
    if fixed is not None and not isinstance(fixed, Mapping):
        raise TypeError(
            f"fixed={shown(fixed)}: give a mapping of parameters to values, for example "
            f"{{{shown(law.params[0])}: 1.0}}."
        )
    if not isinstance(unit, str | None):
        raise TypeError(f"unit={shown(unit)}: give the unit of the target as text, such as 'bits/byte'.")
    groups = _groups(tied)
    check_law(law)
    held = dict(fixed or {})
    _check_names(law, held, groups)
    points = _read_starts(law, starts, held, groups)
    return Spec(
        law, objective, held, groups, points, chosen, screen, place, dict(count or {}), unit or "", polish
    )


def _groups(tied: object) -> list[tuple[str, ...]]:
    """tied= as tuples of names."""
    groups = [] if tied is None else list(tied) if isinstance(tied, Sequence | Set) else None
    if groups is None or isinstance(tied, str) or any(not _is_names(group) for group in groups):
        raise ValueError(f"tied={shown(tied)}: give groups of names, for example [('alpha', 'beta')].")
    return [tuple(group) for group in groups]


def _is_names(group: object) -> bool:
    if isinstance(group, str) or not isinstance(group, Sequence | Set):
        return False
    return all(isinstance(name, str) for name in group)


def _read_solver(solver: str | Solver, place: Place) -> Solver:
    if isinstance(solver, str):
        if solver not in SOLVERS:
            raise ValueError(
                f"solver={shown(solver)}: use {', '.join(map(repr, SOLVERS))} or a solver object."
            )
        return SOLVERS[solver](dtype="float32" if platform(place) == "tpu" else "float64")
    if not (hasattr(solver, "init") and hasattr(solver, "step")):
        raise TypeError(
            f"solver={shown(solver)}: use 'lm', 'lbfgs' or a solver object such as sj.LM(max_steps=1000) or "
            "sj.Optax(optax.adamw(5e-2), steps=200)."
        )
    return solver


def _check_names(law: Law, fixed: Mapping[str, Fixed], tied: list[tuple[str, ...]]) -> None:
    """Whether fixed and tied name parameters of the law, each once, and ties are of one kind."""
    named = [*fixed, *(name for group in tied for name in group)]
    if unknown := sorted(map(str, set(named) - set(law.params))):
        raise ValueError(
            f"Law '{law.name}' has no parameter {', '.join(unknown)}: it has {', '.join(law.params)}."
        )
    domains = {p.name: p.domain for p in law.parameters}
    for group in tied:
        if len({domains[name] for name in group}) > 1 or len(set(group)) < 2:
            raise ValueError(f"tied={group}: tied parameters must be two or more with the same domain.")
    if len(named) != len(set(named)):
        raise ValueError(
            "A parameter is named twice in fixed and tied: fix one of a tied group, and leave the group out "
            "of tied."
        )


def asked(
    law: Law | str, options: Mapping[str, Any], who: str = "fit_groups", more: str = ", and by="
) -> tuple[Reading, Spec]:
    """How to read the table and what to fit, out of the keyword arguments of a fit.

    `who` is asked, and takes `more` than a fit does.

    Raises:
        TypeError: for one that neither knows.
    """
    reading = {name: value for name, value in options.items() if name in READ}
    fitting = {name: value for name, value in options.items() if name not in READ}
    if unknown := sorted(set(fitting) - ASKED):
        raise TypeError(f"{who} has no argument {unknown}; it takes those of fit{more}.")
    return Reading(**reading), make_spec(law, **fitting)


READ = {f.name for f in fields(Reading)}
ASKED = set(signature(make_spec).parameters) - {"law"}


def _device_named(name: str) -> jax.Device:
    try:
        return jax.local_devices(backend=name)[0]
    except RuntimeError as error:
        here = sorted({d.platform for d in jax.devices()} | {"cpu"})
        raise ValueError(f"device={shown(name)}: JAX sees {', '.join(here)} here.") from error


def _checked_mesh(mesh: Mesh, device: Place) -> Mesh:
    if not isinstance(mesh, Mesh):
        raise TypeError(
            f"mesh={shown(mesh)}: give a jax.sharding.Mesh, for example jax.make_mesh((jax.device_count(),), "
            "('lanes',))."
        )
    if device is not None:
        raise ValueError("Give device= or mesh=, not both.")
    hosts = {d.process_index for d in mesh.devices.flat}
    if hosts not in ({jax.process_index()}, set(range(jax.process_count()))):
        raise ValueError(
            f"mesh= has devices of processes {sorted(hosts)}: it must span this process only, or all of them."
        )
    return mesh


def held_numbers(law: Law, fixed: Mapping[str, float]) -> np.ndarray:
    """(labels,) the values of numbers that do not move, by label, NaN for the others."""
    return np.array([fixed.get(label, np.nan) for label in law.labels])


def fixed_numbers(spec: Spec, keys: list[Hashable]) -> np.ndarray:
    """Values of fixed numbers per group, (groups, labels), NaN where free."""
    columns = [
        _fixed_of(p, spec.fixed[p.name], keys)
        if p.name in spec.fixed
        else np.full((len(keys), p.size), np.nan)
        for p in spec.law.parameters
    ]
    return np.concatenate(columns, axis=1)


def _fixed_of(p: Parameter, given: Fixed, keys: list[Hashable]) -> np.ndarray:
    """(groups, numbers of the parameter) what it is fixed at."""
    if not isinstance(given, Mapping):
        return np.broadcast_to(_fixed_at(p, given, keys[0] if len(keys) == 1 else None), (len(keys), p.size))
    if absent := [key for key in keys if key not in given]:
        if absent == [None]:
            raise ValueError(f"fixed {p.name} is a mapping, which is for fit_groups: give one number.")
        named = ", ".join(map(repr, absent[:5])) + (" and more" if len(absent) > 5 else "")
        raise ValueError(f"fixed {p.name} has no value for group {named}: give one for every group.")
    return np.reshape([_fixed_at(p, given[key], key) for key in keys], (len(keys), p.size))


def _fixed_at(p: Parameter, given: ArrayLike, key: Hashable) -> np.ndarray:
    """The numbers of one group's value, checked."""
    try:
        value = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"fixed {p.name}={shown(given)} is not a number.") from error
    if value.shape not in ((), p.shape):
        wanted = f"an array of shape {p.shape}" if p.shape else "one number"
        raise ValueError(f"fixed {p.name}={value.tolist()}: give {wanted}.")
    if not np.all(p.domain.contains(value) | (np.isfinite(value) & (value == p.domain.lower))):
        group = "" if key is None else f" of group {shown(key)}"
        raise ValueError(f"fixed {p.name}={value}{group} is outside its domain: it must be {p.domain.name}.")
    return np.broadcast_to(value, p.shape).ravel()


def tied_index(spec: Spec) -> np.ndarray:
    """For each number the index of the one it equals: itself, or the first of its tied group."""
    return _tied_index(spec.law, spec.tied)


def _tied_index(law: Law, tied: list[tuple[str, ...]]) -> np.ndarray:
    labels = list(law.labels)
    index = np.arange(len(labels))
    for group in tied:
        for name in group[1:]:
            for label, leader in zip(_labels_of(law, name), _labels_of(law, group[0]), strict=True):
                index[labels.index(label)] = labels.index(leader)
    return index


def _labels_of(law: Law, name: str) -> list[str]:
    return next(p.labels for p in law.parameters if p.name == name)


def _read_starts(
    law: Law, given: Any, fixed: Mapping[str, Any], tied: list[tuple[str, ...]]
) -> int | np.ndarray | None:
    """The user's starts, checked: None, a number of them, or points in natural units, (starts, labels)."""
    if given is None:
        return None
    if isinstance(given, int | np.integer) and not isinstance(given, bool):
        if given < 1:
            raise ValueError(f"starts={given}: give a positive number of starts.")
        return int(given)
    if isinstance(given, str):
        if given != "grid":
            raise ValueError(f"starts={shown(given)}: the only named starts are 'grid'.")
        if not law.grid:
            raise ValueError(
                f"Law '{law.name}' has no classical grid: pass starts={{parameter: values}} or a number."
            )
        given = law.grid
    free = [label for p in law.parameters for label in p.labels if p.name not in fixed]
    leader = _tied_index(law, tied)
    if isinstance(given, Mapping):
        if unknown := set(given) - set(law.labels):
            raise ValueError(f"starts names {sorted(unknown)}, law '{law.name}' has {', '.join(law.labels)}.")
        if absent := [
            label
            for i, label in enumerate(law.labels)
            if label in free and label not in given and leader[i] == i
        ]:
            raise ValueError(f"starts lacks values for {', '.join(absent)}.")
        points = product_grid({label: _numbers(given.get(label, [1.0])) for label in law.labels}, law.labels)
    elif isinstance(given, pd.DataFrame):
        if set(law.labels) - set(given.columns):
            raise ValueError(f"starts lacks the columns {sorted(set(law.labels) - set(given.columns))}.")
        points = _numbers(given[list(law.labels)])
    else:
        points = np.atleast_2d(_numbers(given))
        if points.shape[-1] != len(law.labels) or points.ndim != 2:
            raise ValueError(
                f"starts has shape {points.shape}: each start needs {len(law.labels)} values "
                f"({', '.join(law.labels)})."
            )
    if not points.size:
        raise ValueError("starts is empty: give at least one start.")
    for i, (label, domain) in enumerate(zip(law.labels, law.label_domains, strict=True)):
        outside = ~domain.contains(points[:, i])
        if label in free and outside.any():
            raise ValueError(f"starts for {label} must be {domain.name}, got {points[outside, i][0]:g}.")
    return points[:, leader]


def _numbers(starts: Any) -> np.ndarray:
    try:
        return np.asarray(starts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "starts holds something that is not a number, or rows of different lengths."
        ) from error
