"""A fit as JSON text and back: everything but the data, which are represented by their fingerprint."""

from __future__ import annotations

import importlib
import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from scaling_jax.core.law import Law
from scaling_jax.core.objective import objective_from_dict
from scaling_jax.fitting.certificate import Certificate, Evidence
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import SOLVERS, Spec, make_spec

__all__ = ["FORMAT", "read_json", "write_json"]

Json = dict[str, Any]
FORMAT = 1
AS_THEY_ARE = (
    "numbers",
    "objective_value",
    "sources",
    "record",
    "fingerprint",
    "fixed",
    "shared",
    "key",
    "reason",
)


def write_json(fit: Fitted) -> str:
    """The JSON text of a fit; see `FitResult.to_json`."""
    record = {
        "format": FORMAT,
        "law": _law_name(fit.law),
        "params": fit.params,
        "objective": fit.objective.to_dict(),
        "solver": fit.solver,
        "count": fit.count,
        "tied": fit.tied,
        "certificate": asdict(fit.certificate),
        "evidence": {f.name: getattr(fit.evidence, f.name) for f in fields(Evidence)},
    }
    return json.dumps(record | {name: getattr(fit, name) for name in AS_THEY_ARE}, default=_plain)


def read_json(text: str, law: Law | None) -> Json:
    """The fields of the fit that `write_json` wrote; see `FitResult.from_json`."""
    record = json.loads(text)
    if record.get("format") != FORMAT:
        raise ValueError(
            f"This JSON has format {record.get('format')!r}; this version reads format {FORMAT}."
        )
    law = law or _find_law(record["law"])
    if len(record["numbers"]) != len(law.labels) or set(record["params"]) != set(law.params):
        raise ValueError(
            f"The JSON holds parameters {list(record['params'])}, law '{law.name}' has {list(law.params)}."
        )
    return {name: record[name] for name in AS_THEY_ARE} | {
        "spec": _spec(law, record),
        "numbers": np.asarray(record["numbers"], dtype=float),
        "shared": tuple(record["shared"]),
        "evidence": _evidence(record["evidence"]),
        "stored_certificate": Certificate(**record["certificate"]),
        "runs": None,
    }


def _spec(law: Law, record: Json) -> Spec:
    solver = record["solver"] if record["solver"] in SOLVERS else "lm"
    objective, tied = objective_from_dict(record["objective"]), [tuple(group) for group in record["tied"]]
    return make_spec(law, objective, tied=tied, solver=solver, count=record["count"])


def _evidence(stored: Json) -> Evidence:
    arrays: Json = {
        name: np.asarray(v, dtype=float) if isinstance(v, list) else v for name, v in stored.items()
    }
    return Evidence(**arrays | {"free": np.asarray(stored["free"], dtype=bool)})


def _law_name(law: Law) -> Json:
    if law.recipe is not None:
        module, function, args = law.recipe
        return {"recipe": [module, function, list(args)]}
    return {"module": law.__module__, "name": law.name}


def _find_law(record: Json) -> Law:
    module, function, args = record.get("recipe") or (record["module"], record["name"], None)
    try:
        # a file from elsewhere must not choose what is imported and called
        if module.startswith("scaling_jax.laws."):
            found = getattr(importlib.import_module(module), function)
            return found if args is None else found(*args)
    except (ImportError, AttributeError):
        pass
    raise ValueError(
        f"This fit used the law '{function}', which is not part of the library: pass it as law=."
    )


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
