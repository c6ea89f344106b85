"""A fit as JSON: everything but the rows comes back."""

from __future__ import annotations

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj
from scaling_jax.api.record import _find_law, _law_name
from tests.cases.catalogue import CASES
from tests.cases.simulated import TABLE, fit


def test_a_fit_comes_back_with_its_numbers_and_certificate(best: sj.FitResult) -> None:
    again = sj.FitResult.from_json(best.to_json())
    np.testing.assert_array_equal(again.numbers, best.numbers)
    np.testing.assert_array_equal(again.predict(TABLE), best.predict(TABLE))
    assert (again.status, again.n_agree, again.warnings) == (best.status, best.n_agree, best.warnings)
    assert again.fingerprint == best.fingerprint
    assert repr(again.certificate) == repr(best.certificate)  # as text, since a missing number is not equal


def test_what_was_fixed_tied_and_chosen_comes_back() -> None:
    how = {"fixed": {"E": 1.8}, "tied": [("alpha", "beta")], "objective": sj.SquaredError()}
    again = sj.FitResult.from_json(fit(**how).to_json())
    assert (again.fixed, again.tied, again.objective) == (how["fixed"], how["tied"], how["objective"])


def test_a_law_made_to_order_is_made_again() -> None:
    law = sj.laws.power_product("x")
    made = sj.fit(law, {"x": [1.0, 10.0, 100.0], "y": [4.0, 2.0, 1.0]})
    assert sj.FitResult.from_json(made.to_json()).law == law


def test_another_format_is_refused(best: sj.FitResult) -> None:
    text = json.dumps(json.loads(best.to_json()) | {"format": 99})
    with pytest.raises(ValueError, match="has format 99; this version reads format 1"):
        sj.FitResult.from_json(text)


def test_rows_are_asked_for_where_an_answer_needs_them(best: sj.FitResult) -> None:
    with pytest.raises(ValueError, match="with_data"):
        sj.FitResult.from_json(best.to_json()).bootstrap(5)


LINE = {"x": [1.0, 10.0, 100.0, 1000.0], "loss": [4.0, 2.1, 1.0, 0.52]}


@pytest.fixture(scope="module")
def written() -> dict:
    """The JSON of a fit, read as an object."""
    return json.loads(sj.fit(sj.laws.power_law, LINE).to_json())


NO_JSON = {
    "nothing": "",
    "a number": "3",
    "a list": "[1, 2]",
    "half an object": '{"format": 1',
    "another object": '{"format": 1}',
    "very deep": "[" * 100_000,
    "a number of 5,000 digits": "1" * 5000,
    "no text": None,
    "bytes that are no text": b"\xff\xfe{",
}


@pytest.mark.parametrize("text", NO_JSON.values(), ids=NO_JSON)
def test_what_is_no_fit_is_refused_in_one_sentence(text) -> None:
    with pytest.raises(ValueError, match=r"^This (text is not a fit that to_json wrote|JSON has format)"):
        sj.FitResult.from_json(text)


EDITS = {
    "numbers that are missing": ({"numbers": [float("nan"), 0.3]}, "4.* in params|outside its domain"),
    "a number outside its domain": (
        {"numbers": [-5.0, 0.3], "params": {"A": -5.0, "alpha": 0.3}},
        r"A=-5.0 is outside its domain: it must be positive",
    ),
    "an infinite number": ({"numbers": [1.0, float("inf")]}, "outside its domain"),
    "too many numbers": ({"numbers": [1.0, 2.0, 3.0]}, "holds parameters"),
    "a number no float holds": ({"numbers": [10**400, 1.0]}, "numbers is not a list of numbers"),
    "numbers in words": ({"numbers": ["4", "0.3"]}, "numbers is not a list of numbers"),
    "true for a number": ({"numbers": [True, 0.3]}, "numbers is not a list of numbers"),
    "params that are none": ({"params": 3}, "params is not an object"),
    "params in words": ({"params": {"A": "x", "alpha": 1.0}}, "A='x' is not a number"),
    "params of another law": ({"params": {"A": 1.0, "beta": 1.0}}, "holds parameters"),
    "params of another shape": ({"params": {"A": [1.0], "alpha": 1.0}}, r"A=\[1.0\] has shape \(1,\)"),
    "an objective without kind": ({"objective": {}}, "objective .* none of this library's"),
    "an objective of another kind": ({"objective": {"kind": "cubic"}}, "objective .* none of this library's"),
    "an objective with a word for a number": ({"objective": {"kind": "huber", "delta": "a"}}, "delta"),
    "a negative objective": ({"objective_value": -1.0}, "objective_value is -1.0"),
    "an objective that is missing": ({"objective_value": float("nan")}, "objective_value is nan"),
    "ties to nothing": ({"tied": [["A", "gamma"]]}, "no parameter gamma"),
    "ties that are none": ({"tied": 5}, "tied is not lists of names"),
    "a count in one word": ({"count": "6ND"}, "count is not text by name"),
    "sources in a list": ({"sources": ["x"]}, "sources is not text by name"),
    "a record in words": ({"record": "x"}, "record is not an object"),
    "fixed that is unknown": ({"fixed": {"B": 1.0}}, "fixed names 'B'"),
    "fixed at another value": ({"fixed": {"A": 1.0}}, "A is fixed at 1.0"),
    "shared that is unknown": ({"shared": ["B"]}, "shared names 'B'"),
    "a solver that is none": ({"solver": 3}, "solver is not text"),
    "a law that is no object": ({"law": "power_law"}, "law is not an object"),
    "a law without a name": ({"law": {}}, "its law is named by neither"),
    "a law in numbers": ({"law": {"module": 1, "name": 2}}, "its law is named by neither"),
    "a module in place of a law": ({"law": {"module": "scaling_jax.laws.power", "name": "jnp"}}, "as law="),
    "a law of a billion terms": (
        {"law": {"recipe": ["scaling_jax.laws.broken", "bnsl", [10**9]]}},
        "is made of",
    ),
    "a law made of nonsense": (
        {"law": {"recipe": ["scaling_jax.laws.power", "power_sum", ["x", "x"]]}},
        "as law=",
    ),
    "a reason for a fit that converged": ({"reason": "none"}, "its status is 'converged'"),
    "a behaviour in words": ({"behaviour": "power_law"}, "behaviour is not a list of numbers"),
    "a short behaviour": ({"behaviour": []}, "computes other values"),
    "no key": ({"key": {"a": 1}}, "key is not"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_field_that_cannot_be_is_named(written: dict, name: str) -> None:
    edit, sentence = EDITS[name]
    with pytest.raises(ValueError, match=sentence) as caught:
        sj.FitResult.from_json(json.dumps(written | edit))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["certificate", "evidence"])
@pytest.mark.parametrize("value", [None, "x", [], {}, [[1.0], [1.0, 2.0]]], ids=repr)
def test_every_field_within_is_checked(written: dict, part: str, value) -> None:
    lists = ("unidentified", "extinct", "at_bound", "outliers", "warnings", "limits")
    for name in written[part]:
        may_be = (value == [] and name in lists) or (value == {} and name == "spread")
        may_be |= isinstance(value, list) and name == "outliers"
        text = json.dumps(written | {part: written[part] | {name: value}})
        if may_be or (value == "x" and name == "status"):
            continue
        with pytest.raises(ValueError, match=f"{part}'s ({name}|finished_status)"):
            sj.FitResult.from_json(text)
    with pytest.raises(ValueError, match="certificate's status is 'x'"):
        sj.FitResult.from_json(
            json.dumps(written | {"certificate": written["certificate"] | {"status": "x"}})
        )


def test_every_field_must_be_there(written: dict) -> None:
    for name in set(written) - {"behaviour", "verdict", "unit"}:
        with pytest.raises(ValueError, match=name):
            sj.FitResult.from_json(json.dumps({k: v for k, v in written.items() if k != name}))


def test_files_written_before_laws_were_known_by_behaviour_are_read(written: dict) -> None:
    older = {k: v for k, v in written.items() if k not in ("behaviour", "unit")} | {"options": {}}
    again = sj.FitResult.from_json(json.dumps(older))
    assert again.params == written["params"]
    assert sj.FitResult.from_json(json.dumps(older), law=sj.laws.power_law).status == "converged"


def test_what_a_later_version_adds_is_left_alone(written: dict) -> None:
    later = {part: written[part] | {"news": 1} for part in ("certificate", "evidence")}
    assert sj.FitResult.from_json(json.dumps(written | later | {"news": 1})).converged


@pytest.mark.parametrize("name", CASES)
def test_every_law_of_the_library_is_found_again(name: str) -> None:
    law = CASES[name].law
    assert _find_law(json.loads(json.dumps(_law_name(law)))) == law


def test_a_fit_that_failed_comes_back_as_one() -> None:
    nowhere = sj.law(lambda x, *, a: jnp.log(-x) * a, name="nowhere")
    failed = sj.fit(nowhere, LINE)
    again = sj.FitResult.from_json(failed.to_json(), law=nowhere)
    assert (again.status, again.reason) == ("failed", failed.reason)
    assert np.isnan(again.numbers).all()
    assert again.with_data(failed.data()).status == "failed"


def test_a_group_that_could_not_be_read_comes_back_as_one() -> None:
    table = {"x": [1.0, 10.0, 100.0] * 2, "loss": [4.0, 2, 1, 9, 0, 1], "family": list("uuuvvv")}
    unread = sj.fit_groups(sj.laws.power_law, table, by="family")["v"]
    again = sj.FitResult.from_json(unread.to_json())
    assert (again.key, again.status, again.reason) == ("v", "failed", unread.reason)


def test_a_key_of_several_names_comes_back() -> None:
    table = {"x": [1.0, 10.0, 100.0] * 2, "loss": [4.0, 2, 1, 9, 3, 1], "a": list("uuuvvv"), "b": [1] * 6}
    fits = sj.fit_groups(sj.laws.power_law, table, by=["a", "b"])
    assert sj.FitResult.from_json(fits["u", 1].to_json()).key == ("u", 1)


@sj.law
def mine(x, *, A: sj.Positive, alpha: sj.Real):
    return A * x**-alpha


@sj.law(name="mine")
def others(x, *, A: sj.Positive, alpha: sj.Real):
    return A * (1 + x) ** -alpha


@sj.law(name="mine")
def far(x, *, A: sj.Positive, alpha: sj.Real):
    """Another law only where runs are large."""
    return A * x**-alpha * jnp.where(x > 500.0, 1.1, 1.0)


@sj.law(name="mine", ranges={"alpha": (0.1, 1.0)})
def rewritten(x, *, A: sj.Positive, alpha: sj.Real):
    """The same law in other words, searched from elsewhere."""
    return A / x**alpha


def test_a_law_is_known_by_its_values_however_it_is_written() -> None:
    text = sj.fit(mine, LINE).to_json()
    assert sj.FitResult.from_json(text, law=mine).converged
    assert sj.FitResult.from_json(text, law=rewritten).converged


def test_numbers_that_were_changed_with_their_params_are_noticed(written: dict) -> None:
    changed = {"numbers": [4.1, 0.3], "params": {"A": 4.1, "alpha": 0.3}}
    with pytest.raises(ValueError, match="computes other values"):
        sj.FitResult.from_json(json.dumps(written | changed))


def test_another_law_of_the_same_names_is_refused_and_if_it_must_be_with_the_data() -> None:
    fitted = sj.fit(mine, LINE)
    older = {k: v for k, v in json.loads(fitted.to_json()).items() if k != "behaviour"}
    for law in (others, far):
        with pytest.raises(ValueError, match=r"^Law 'mine' is not the one that was fitted"):
            sj.FitResult.from_json(fitted.to_json(), law=law)
        with pytest.raises(sj.DataError, match=r"has the objective .* another than was fitted"):
            sj.FitResult.from_json(json.dumps(older), law=law).with_data(fitted.data())


OBJECTIVES = [
    sj.Huber(),
    sj.SquaredError(),
    sj.AbsoluteError(),
    sj.Asymmetric(3.0),
    sj.Asymmetric(delta=0.01),
]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.kind)
@pytest.mark.parametrize("loss", [LINE["loss"], [4.0, 2.0, 1.0, 0.5]], ids=["noisy", "perfect"])
def test_the_objective_is_found_again_on_the_data(objective: sj.Objective, loss: list[float]) -> None:
    for on in ("log", "raw"):
        how = dataclasses.replace(objective, on=on)
        fitted = sj.fit(sj.laws.power_law, LINE | {"loss": loss}, objective=how, weights=[1, 2, 1, 0.5])
        again = sj.FitResult.from_json(fitted.to_json()).with_data(fitted.data())
        assert again.objective_value == fitted.objective_value


def test_a_file_is_written_and_read(tmp_path) -> None:
    fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
    text = fit.to_json(tmp_path / "fit.json")
    assert (tmp_path / "fit.json").read_text() == text
    for source in (tmp_path / "fit.json", str(tmp_path / "fit.json"), text):
        assert sj.FitResult.from_json(source).params == fit.params
    with pytest.raises(ValueError, match=r"There is no file nowhere\.json"):
        sj.FitResult.from_json("nowhere.json")
