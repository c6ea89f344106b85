"""A fit as JSON text and back: everything but the data, which are represented by their fingerprint.

What is read was written by others, or years ago: whatever can be checked without the data is checked, and the
rest when they are attached again (`Fitted.with_data`).
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Hashable
from dataclasses import MISSING, Field, asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from scaling_jax.core.checked import shown
from scaling_jax.core.law import Law
from scaling_jax.core.objective import Objective, objective_from_dict
from scaling_jax.core.overdispersed import without_scatter
from scaling_jax.diagnosis.verdict import HEADLINES, Verdict
from scaling_jax.engine.behaviour import probed, same_values
from scaling_jax.fitting.certificate import Certificate, Evidence
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.fitting.spec import SOLVERS, Spec, make_spec
from scaling_jax.reporting.summary import VERDICTS

__all__ = ["FORMAT", "read_json", "text_of", "write_json"]

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
LARGEST_ARGUMENT = 1000  # of a law made to order: a file must not ask for a law of a billion terms
# relative: what is written twice, and what went through a logarithm and back
SAME, HELD = 1e-12, 1e-6


def write_json(fit: Fitted, verdict: Verdict) -> str:
    """The JSON text of a fit and of the verdict on it; see `FitResult.to_json`."""
    record = {
        "format": FORMAT,
        "law": _law_name(fit.law),
        "behaviour": probed(fit.law, fit.numbers),
        "params": fit.params,
        "objective": fit.objective.to_dict(),
        "solver": fit.solver,
        "count": fit.count,
        "unit": fit.spec.unit,
        "tied": fit.tied,
        "certificate": asdict(fit.certificate),
        "evidence": {f.name: getattr(fit.evidence, f.name) for f in fields(Evidence)},
        "verdict": asdict(verdict),
    }
    return json.dumps(record | {name: getattr(fit, name) for name in AS_THEY_ARE}, default=_plain)


def text_of(source: str | Path) -> str:
    """The JSON text, out of a file where this is the name of one.

    Raises:
        ValueError: where a file is named that is not there, or holds no text.
    """
    if not isinstance(source, Path) and not str(source).strip().endswith(".json"):
        return source
    try:
        return Path(source).read_text()
    except OSError as error:
        raise ValueError(f"There is no file {str(source)[:200]} that can be read.") from error
    except UnicodeDecodeError as error:
        raise _refused("it is no text") from error


def read_json(text: str, law: Law | None) -> Json:
    """The fields of the fit that `write_json` wrote; see `FitResult.from_json`."""
    record = _parsed(text)
    if record.get("format") != FORMAT:
        raise ValueError(
            f"This JSON has format {record.get('format')!r}; this version reads format {FORMAT}."
        )
    _check_kinds(record, KINDS, "")
    found = _find_law(record["law"]) if law is None else law
    spec = _spec(found, record)
    found = spec.law  # the objective may have added to it
    numbers = _numbers(found, record)
    read = {name: record[name] for name in AS_THEY_ARE} | {
        "spec": spec,
        "numbers": numbers,
        "fixed": _fixed(found, record, numbers),
        "shared": _shared(found, record),
        "key": _hashable(record["key"]),
        "objective_value": _objective_value(record),
        "evidence": _evidence(record, len(found.labels)),
        "stored_certificate": _certificate(record),
        "runs": None,
        "verdict": _verdict(record),
    }
    if "behaviour" in record:  # older files do not say what their law computed
        _check_kinds(record, {"behaviour": (_list_of(_number), "a list of numbers")}, "")
        _check_behaviour(found, numbers, record["behaviour"])
    return read


def _refused(what: str) -> ValueError:
    return ValueError(f"This text is not a fit that to_json wrote ({what}): write it again with to_json().")


def _parsed(text: str) -> Json:
    """The JSON object in a text."""
    try:
        record = json.loads(text)
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise _refused(f"it is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise _refused(f"it holds {type(record).__name__}, not an object")
    return record


def _number(value: Any) -> bool:
    """Whether a value is a number that a float can hold; NaN stands for what is not there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= 2**1023


def _list_of(inner: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(inner, value))


def _text(value: object) -> bool:
    return isinstance(value, str)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _label(value: object) -> bool:
    """What may name a group or a row: text, a number, nothing, or several of them."""
    return value is None or isinstance(value, str | bool) or _number(value) or _list_of(_label)(value)


def _array(value: Any) -> bool:
    """Numbers, or rows of numbers of one length."""
    if _list_of(_number)(value):
        return True
    return _list_of(_list_of(_number))(value) and len({len(row) for row in value}) == 1


def _flags(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, bool) for v in value)


def _text_to(inner: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(inner, value.values()))


Kinds = dict[str, tuple[Callable[[object], bool], str]]
"""Field -> whether a value is of its kind, and the kind in words."""
KINDS: Kinds = {
    "law": (lambda value: isinstance(value, dict), "an object"),
    "params": (lambda value: isinstance(value, dict), "an object"),
    "numbers": (_list_of(_number), "a list of numbers"),
    "objective": (lambda value: isinstance(value, dict), "an object"),
    "objective_value": (_number, "a number"),
    "solver": (_text, "text"),
    "count": (_text_to(_text), "text by name"),
    "tied": (_list_of(_list_of(_text)), "lists of names"),
    "certificate": (lambda value: isinstance(value, dict), "an object"),
    "evidence": (lambda value: isinstance(value, dict), "an object"),
    "sources": (_text_to(_text), "text by name"),
    "record": (lambda value: isinstance(value, dict), "an object"),
    "fingerprint": (_text, "text"),
    "fixed": (_text_to(_number), "numbers by name"),
    "shared": (_list_of(_text), "a list of names"),
    "key": (_label, "text, a number, or several of them"),
    "reason": (_text, "text"),
}
# the kind of a field of the certificate or the evidence, by its annotation
ANNOTATED: Kinds = {
    "str": (_text, "text"),
    "int": (_whole, "a whole number"),
    "float": (_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "dict[str, float]": (_text_to(_number), "numbers by name"),
    "list[str]": (_list_of(_text), "a list of text"),
    "list[Hashable]": (_list_of(_label), "a list of labels"),
    "np.ndarray": (lambda value: _array(value) or _flags(value), "numbers, or rows of them"),
}


def _check_kinds(record: Json, kinds: Kinds, where: str) -> None:
    """Whether every field is there and of its kind."""
    for name, (is_kind, words) in kinds.items():
        if name not in record:
            raise _refused(f"{where}{name} is missing")
        try:
            good = is_kind(record[name])
        except RecursionError:
            good = False
        if not good:
            raise _refused(f"{where}{name} is not {words}")


def _fields(stored: Json, of: type[Certificate] | type[Evidence], where: str) -> Json:
    """The fields of a dataclass, each of its kind; what has a default may be missing, later ones are left."""
    known: dict[str, Field[Any]] = {f.name: f for f in fields(of)}
    needed = {name: f for name, f in known.items() if name in stored or not _optional(f)}
    _check_kinds(
        stored,
        {n: ANNOTATED[str(f.type)] for n, f in needed.items() if str(f.type) in ANNOTATED},
        f"{where}'s ",
    )
    return {name: stored[name] for name in known if name in stored}


def _optional(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _spec(law: Law, record: Json) -> Spec:
    solver = record["solver"] if record["solver"] in SOLVERS else "lm"
    tied = [tuple(group) for group in record["tied"]]
    try:
        return make_spec(
            law,
            _objective(record["objective"]),
            tied=tied,
            solver=solver,
            count=record["count"],
            unit=record.get("unit"),
        )
    except (TypeError, ValueError) as error:
        if not isinstance(law, Law):
            raise
        raise _refused(str(error).rstrip(".")) from error


def _objective(stored: Json) -> Objective:
    try:
        return objective_from_dict(stored)
    except (KeyError, TypeError) as error:
        raise ValueError(f"objective {shown(stored)} is none of this library's") from error


def _numbers(law: Law, record: Json) -> np.ndarray:
    """The parameters as one vector: as many as the law has, inside their domains, and equal to params."""
    numbers = np.array(record["numbers"], dtype=np.float64)
    if len(numbers) != len(law.labels) or set(record["params"]) != set(law.params):
        raise ValueError(
            f"The JSON holds parameters {list(record['params'])}, law '{law.name}' has {list(law.params)}."
        )
    if record["reason"]:  # there is no fit, so there are no numbers
        return np.full(len(numbers), np.nan)
    try:
        named = law.numbers_of(record["params"])
        law.numbers_of(law.unflatten(numbers))
    except ValueError as error:
        raise _refused(str(error).rstrip(".")) from error
    if len(wrong := np.flatnonzero(~np.isclose(named, numbers, rtol=SAME, atol=0))):
        at = int(wrong[0])
        raise _refused(f"{law.labels[at]} is {named[at]} in params and {numbers[at]} in numbers")
    return numbers


def _fixed(law: Law, record: Json, numbers: np.ndarray) -> dict[str, float]:
    """Label -> value of what was not free: numbers of this law, at the values it has."""
    fixed: dict[str, float] = record["fixed"]
    for label, value in fixed.items():
        if label not in law.labels:
            raise _refused(f"fixed names {shown(label)}, and the law has {', '.join(law.labels)}")
        fitted = numbers[law.labels.index(label)]
        if not (record["reason"] or np.isclose(value, fitted, rtol=HELD, atol=0)):
            raise _refused(f"{label} is fixed at {value} and is {fitted}")
    return fixed


def _shared(law: Law, record: Json) -> tuple[str, ...]:
    if unknown := sorted(set(record["shared"]) - set(law.params)):
        raise _refused(f"shared names {shown(unknown[0])}, and the law has {', '.join(law.params)}")
    return tuple(record["shared"])


def _objective_value(record: Json) -> float:
    value = float(record["objective_value"])
    if not record["reason"] and not 0 <= value < np.inf:
        raise _refused(f"objective_value is {value}, and a sum of charges is finite and not negative")
    return value


def _evidence(record: Json, k: int) -> Evidence:
    """What the engine left behind, each array of the shape that k numbers ask for."""
    stored = _fields(record["evidence"], Evidence, "evidence")
    _check_kinds(stored, {"free": (_flags, "a list of true and false")}, "evidence's ")
    arrays: Json = {
        name: np.asarray(v, dtype=np.float64) if isinstance(v, list) else v for name, v in stored.items()
    }
    evidence = Evidence(**arrays | {"free": np.asarray(stored["free"], dtype=bool)})
    lanes, basins = len(evidence.finished_value), len(evidence.basins)
    vectors = dict.fromkeys(("z", "gradient", "offset", "lower", "upper", "free"), (k,))
    shapes = vectors | dict.fromkeys(("hessian", "tie"), (k, k))
    shapes |= {"basins": (basins, k), "finished_value": (lanes,), "finished_status": (lanes,)}
    for name, shape in shapes.items():
        # a fit that failed may have got no further than its start
        if np.shape(getattr(evidence, name)) != shape and not record["reason"]:
            raise _refused(f"evidence's {name} has shape {np.shape(getattr(evidence, name))}, not {shape}")
    return evidence


def _certificate(record: Json) -> Certificate:
    stored = _fields(record["certificate"], Certificate, "certificate")
    if stored["status"] not in VERDICTS:
        raise _refused(f"certificate's status is {stored['status']!r}, none of {', '.join(VERDICTS)}")
    if (stored["status"] == "failed") != bool(record["reason"]):
        raise _refused(f"its status is {stored['status']!r} and its reason {record['reason']!r}")
    return Certificate(**stored | {"outliers": [_hashable(row) for row in stored.get("outliers", [])]})


def _verdict(record: Json) -> Json | None:
    """What was said of the fit; older files do not hold it."""
    if (stored := record.get("verdict")) is None:
        return None
    _check_kinds(record, {"verdict": (lambda value: isinstance(value, dict), "an object")}, "")
    kinds = {"word": ANNOTATED["str"], "reasons": ANNOTATED["list[str]"], "new": ANNOTATED["list[str]"]}
    _check_kinds(stored, kinds, "verdict's ")
    if stored["word"] not in HEADLINES:
        raise _refused(f"verdict's word is {stored['word']!r}, none of {', '.join(HEADLINES)}")
    return {name: stored[name] for name in kinds}


def _check_behaviour(law: Law, numbers: np.ndarray, stored: list[float]) -> None:
    """Whether a law computes what the fitted one did at the fitted numbers and elsewhere."""
    if not same_values(probed(law, numbers), stored):
        raise ValueError(
            f"Law '{law.name}' is not the one that was fitted: it has the same parameters and computes other "
            "values; pass the fitted one as law=."
        )


def _law_name(law: Law) -> Json:
    law = without_scatter(law)
    if law.recipe is not None:
        module, function, args = law.recipe
        return {"recipe": [module, function, list(args)]}
    return {"module": law.__module__, "name": law.name}


def _find_law(record: Json) -> Law:
    named = record.get("recipe") or [record.get("module"), record.get("name"), None]
    if not (isinstance(named, list) and len(named) == 3 and _text(named[0]) and _text(named[1])):
        raise _refused("its law is named by neither a module and a name nor a recipe")
    module, function, args = named
    if args is not None and not _list_of(_argument)(args):
        raise _refused(f"its law '{function}' is made of {args!r:.60}")
    try:
        # a file from elsewhere must not choose what is imported and called
        file = importlib.import_module(module) if module.startswith("scaling_jax.laws.") else None
        found = getattr(file, function) if function in getattr(file, "__all__", ()) else None
        found = found if args is None or found is None else found(*args)
        if isinstance(found, Law):
            return found
    except (ImportError, AttributeError, TypeError, ValueError):
        pass
    raise ValueError(
        f"This fit used the law '{function}', which is not part of the library: pass it as law=."
    )


def _argument(value: Any) -> bool:
    """What laws made to order are made of: names, small numbers, yes or no."""
    return isinstance(value, str | bool) or (_number(value) and abs(value) <= LARGEST_ARGUMENT)


def _hashable(value: Any) -> Hashable:
    """A label as it was before JSON made a list of it."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
