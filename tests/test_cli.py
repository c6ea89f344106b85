"""The command line as a user types it: summaries, JSON, predictions, and one sentence where something is
wrong."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import scaling_jax as sj
from scaling_jax.cli import app

LAW = """
import scaling_jax as sj

@sj.law
def mine(x, *, A: sj.Positive, alpha: sj.Real):
    return A * x**-alpha
"""
SIZED = ["runs.csv", "--law", "power_law", "--input", "x=size"]


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def table(tmp_path):
    x = np.geomspace(1, 1e3, 10)
    frame = pd.DataFrame({"size": x, "loss": 1.5 + 3 * x**-0.5, "family": ["a", "b"] * 5})
    frame.to_csv(tmp_path / "runs.csv", index=False)
    frame.to_json(tmp_path / "runs.jsonl", orient="records", lines=True)
    return tmp_path


@pytest.mark.parametrize("name", ["runs.csv", "runs.jsonl"])
def test_fit_prints_the_summary_and_writes_json(table, name: str) -> None:
    out = run(
        "fit", table / name, "--law", "power_law_floor", "--input", "x=size", "--json", table / "fit.json"
    )
    assert "converged: this is an optimum" in out and re.search(r"^E +1\.5 ", out, re.M)
    assert json.loads((table / "fit.json").read_text())["params"]["alpha"] == pytest.approx(0.5, abs=1e-8)
    predicted = run("predict", table / "fit.json", "--at", "x=1e4")
    assert float(predicted) == pytest.approx(1.53, abs=1e-4)


def test_groups_where_and_fixed(table) -> None:
    fit = ["fit", table / "runs.csv", "--law", "power_law_floor", "--input", "x=size"]
    out = run(*fit, "--by", "family", "--where", "size < 900")
    assert "2 groups: 2 to use inside the range of their data (2 converged)" in out
    out = run(*fit, "--fixed", "E=1.5", "--objective", "squared")
    assert "fixed" in out and "squared error of log residuals" in out


def test_a_users_own_law(table) -> None:
    (table / "laws.py").write_text(LAW)
    out = run("fit", table / "runs.csv", "--law", f"{table}/laws.py:mine", "--input", "x=size")
    assert "mine(x)" in out


def test_without_a_table_our_own_sweep_is_fitted() -> None:
    out = run("fit")
    assert "chinchilla(N, D)" in out and "N = n_params" in out and "converged: this is an optimum" in out


def test_any_law_of_size_and_data_runs_on_the_sweep_without_naming_columns(table) -> None:
    (table / "laws.py").write_text(LAW.replace("(x,", "(N,").replace("x**", "N**"))
    out = run("fit", "--law", f"{table}/laws.py:mine", "--where", "arm == 'main' and final and tokens > 1e6")
    assert "mine(N)" in out and "tokens > 1e6" in " ".join(out.split())


def test_a_law_made_to_order(tmp_path) -> None:
    C = np.geomspace(1, 1e4, 6)
    pd.DataFrame({"C": C, "y": 3 * C**0.5}).to_csv(tmp_path / "runs.csv", index=False)
    out = run("fit", tmp_path / "runs.csv", "--law", "power_product(C)", "--json", tmp_path / "fit.json")
    assert "power_product(C)" in out
    assert float(run("predict", tmp_path / "fit.json", "--at", "C=1e6")) == pytest.approx(3000, rel=1e-6)


def test_laws_and_data_sets_are_listed() -> None:
    out = run("laws")
    assert "chinchilla" in out and "Hoffmann" in out
    assert "tiny_sweep" in run("datasets")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.csv"], "There is no file nowhere.csv."),
        (["runs.xls"], "runs.xls is none of"),
        (["runs.csv", "--law", "nolaw"], "There is no law 'nolaw'"),
        (["runs.csv", "--law", "power_law", "--input", "x"], "'x' is not of the form name=value."),
        (["runs.csv", "--law", "power_law", "--input", "x=none"], "There is no column 'none' for input 'x'"),
        ([*SIZED, "--fixed", "A=big"], "is not a number"),
        ([*SIZED, "--objective", "l7"], "Unknown objective 'l7'"),
        (
            ["runs.csv", "--law", "power_law", "--input", "x=family"],
            "holds text in rows 0, 1, 2, 3, 4 and 5 more",
        ),
        (
            ["runs.csv"],
            "Say which columns law 'chinchilla' takes: --input N=COLUMN --input D=COLUMN; the table has "
            "size, loss, family.",
        ),
        (["runs.csv", "--law", "power_product"], "'power_product' is made to order"),
        (["runs.csv", "--law", "nofile.py:mine"], "There is no Python file nofile.py."),
        (
            ["runs.csv", "--law", "broken.py:mine"],
            "broken.py does not run: SyntaxError: '(' was never closed",
        ),
        ([*SIZED, "--objective", "squared", "--delta", "1"], "'squared' has none"),
        ([*SIZED, "--objective", "binomial", "--trials", "n"], "There is no column 'n' for the trials"),
        ([*SIZED, "--trials", "n"], "--trials is for counts"),
        ([*SIZED, "--json", "nowhere/fit.json"], "There is no folder nowhere"),
        ([*SIZED, "--by", "family", "--json", "f.json"], "--json writes one fit"),
        (["runs.csv", "--dataset", "tiny_sweep"], "Give either the table runs.csv or --dataset tiny_sweep."),
        (["--dataset", "nope"], "unknown data set 'nope'"),
        (["semicolons.csv"], "Say which columns law 'chinchilla' takes"),
        (["runs.csv", "--law", "power_law", "--input", "n=size"], "has the inputs x, and no 'n'"),
        (["runs.csv", "--law", "power_lw"], "near it are power_law"),
        (["empty.csv"], "empty.csv cannot be read as .csv"),
        (["ragged.csv"], "ragged.csv cannot be read as .csv"),
    ],
)
def test_mistakes_get_one_sentence(table, monkeypatch, arguments: list[str], sentence: str) -> None:
    monkeypatch.chdir(table)
    (table / "broken.py").write_text("import scaling_jax as sj\ndef mine(N")
    (table / "semicolons.csv").write_text("size;loss\n1;2\n")
    (table / "empty.csv").write_text("")
    (table / "ragged.csv").write_text("a,b\n1,2\n3,4,5,6\n")
    out = run("fit", *arguments, code=2)
    assert sentence in out and out.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "at", "sentence"),
    [
        (None, "x=1", "There is no file fit.json."),
        ('{"a":', "x=1", "fit.json: "),
        ("[]", "x=1", "fit.json: This text is not a fit that to_json wrote"),
        ("good", "N=1", "Law 'power_law' takes --at x=VALUE."),
        ("good", "x=-1", "Input x must be positive"),
        ('{"recipe": ["os", "getcwd", []]}', "x=1", "not part of the library"),
    ],
)
def test_a_saved_fit_that_cannot_predict_says_why(
    tmp_path, monkeypatch, text: str | None, at: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    good = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}).to_json()
    if text is not None and "recipe" in text:
        text = json.dumps(json.loads(good) | {"law": json.loads(text)})
    if text is not None:
        (tmp_path / "fit.json").write_text(good if text == "good" else text)
    assert sentence in run("predict", "fit.json", "--at", at, code=2)


def test_a_saved_fit_of_a_users_law_needs_the_law(table) -> None:
    (table / "laws.py").write_text(LAW)
    words = ["--law", f"{table}/laws.py:mine", "--input", "x=size", "--json", table / "fit.json"]
    run("fit", table / "runs.csv", *words)
    assert "pass it as law=" in run("predict", table / "fit.json", "--at", "x=10", code=2)
    said = run("predict", table / "fit.json", "--at", "x=10", "--law", f"{table}/laws.py:mine")
    assert float(said.splitlines()[-1]) > 0


def test_version_of_the_package_is_known() -> None:
    assert sj.__version__


def test_plans_from_printed_constants_a_table_and_a_saved_fit(tmp_path) -> None:
    out = run("plan", "besiroglu2024", "--flops", "1e21", "--flops", "1e24", "--limit", "D<=1e12")
    assert "FLOP, D <= 1e+12" in out and re.search(r"1e\+21 2.77\de\+09", out)
    priced = run("plan", "besiroglu2024", "--loss", "2.0", "--off", "N=2e10", "--csv", tmp_path / "plan.csv")
    assert "The price of another run" in priced
    assert pd.read_csv(tmp_path / "plan.csv")["flops"][0] == pytest.approx(2.4748e23, rel=1e-3)
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 1e10, 6), np.geomspace(1e9, 1e11, 6)))
    frame = pd.DataFrame({"size": N, "D": D, "loss": sj.published["besiroglu2024"](N, D)})
    frame.to_csv(tmp_path / "sweep.csv", index=False)
    fitted = run("plan", tmp_path / "sweep.csv", "--input", "N=size", "--flops", "1e21", "--level", "0")
    assert re.search(r"1e\+21 2.77\de\+09", fitted)
    hours = run("plan", "besiroglu2024", "--budget", "1000", "--peak", "989e12", "--served", "1e11")
    assert "gpu_hours" in hours


def test_what_is_wrong_with_a_plan_is_one_sentence(tmp_path) -> None:
    for words, arguments in {
        "one of flops=": ["besiroglu2024"],
        "is no limit": ["besiroglu2024", "--flops", "1e21", "--limit", "N"],
        "names 'M', which is no input": ["besiroglu2024", "--flops", "1e21", "--limit", "M=3"],
        "There is no file": [tmp_path / "none.csv", "--flops", "1e21"],
    }.items():
        assert words in run("plan", *arguments, code=2)


def test_contrast_of_a_table_and_next_runs(tmp_path):
    table = tmp_path / "recipes.csv"
    two = (("a", 3.0), ("b", 3.1))
    rows = [f"{name},{C},{by * (C / 1e18) ** -0.05}" for name, by in two for C in (1e18, 1e19, 1e20)]
    table.write_text("recipe,flops,loss\n" + "\n".join(rows))
    words = ["contrast", str(table), "--by", "recipe", "--input", "C=flops", "--flops", "1e21"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0 and "a wins with probability" in found.output
    places = tmp_path / "places.csv"
    places.write_text("N,D,hours\n1e9,2e10,3\n1e9,1e11,9\n4e8,4e10,4\n")
    words = ["next", "besiroglu2024_huber", "--budget", "20", "--flops", "1e23"]
    words += ["--candidates", str(places), "--cost", "hours", "--most", "3"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0 and "the interval of the loss at 1e+23 FLOP goes from" in found.output
    found = CliRunner().invoke(app, [*words, "--budget", "10"])
    assert found.exit_code == 0 and "halfwidth" in found.output and "advice" in found.output
    assert CliRunner().invoke(app, ["next", "no.json", *words[2:]]).exit_code == 2


def test_next_runs_for_the_difference_of_two_saved_fits(tmp_path):
    """`--against` asks what the library asks for a mapping and its contrast."""
    x = np.geomspace(1, 1e3, 12)
    fits = {}
    for name, A in (("web", 3.0), ("code", 3.1)):
        loss = A * x**-0.5 * np.exp(0.01 * np.random.default_rng(0).normal(size=12))
        fits[name] = sj.fit("power_law", {"x": x, "loss": loss})
        (tmp_path / f"{name}.json").write_text(fits[name].to_json())
    pd.DataFrame({"x": [1e2, 1e3]}).to_csv(tmp_path / "places.csv", index=False)
    words = ["next", str(tmp_path / "web.json"), "--against", str(tmp_path / "code.json")]
    words += ["--budget", "3000", "--flops", "1e5", "--most", "4"]
    found = CliRunner().invoke(app, [*words, "--candidates", str(tmp_path / "places.csv")])
    read = {name: sj.FitResult.from_json(fit.to_json()) for name, fit in fits.items()}
    asked = {"flops": 1e5, "most": 4, "candidates": {"x": [1e2, 1e3]}, "contrast": ("web", "code")}
    assert found.exit_code == 0, found.output
    assert found.output.strip() == str(sj.next_runs(read, 3000, **asked)).strip()
    assert "code less web in the loss at 1e+05 FLOP" in found.output
    assert CliRunner().invoke(app, [*words[:3], str(tmp_path / "none.json"), *words[4:]]).exit_code == 2


def test_an_interval_from_a_saved_fit_and_its_table(table) -> None:
    x = np.geomspace(1, 1e3, 24)
    loss = 3 * x**-0.5 * np.exp(0.01 * np.random.default_rng(0).normal(size=24))
    pd.DataFrame({"size": x, "loss": loss}).to_csv(table / "more.csv", index=False)
    how = ["--law", "power_law", "--input", "x=size", "--where", "size < 900", "--quick"]
    run("fit", table / "more.csv", *how, "--json", table / "fit.json")
    out = run("predict", table / "fit.json", "--at", "x=1e4", "--data", table / "more.csv")
    band = sj.FitResult.from_json(table / "fit.json")
    fit = sj.fit("power_law", table / "more.csv", inputs={"x": "size"}, where="size < 900")
    expected = fit.predict({"x": 1e4}, "prediction").loc[0]
    assert f"90 % prediction interval: {expected['lower']:.6g} to {expected['upper']:.6g}" in out
    assert band.fingerprint == fit.fingerprint and "decades beyond the fitted runs" in out
    other = run("predict", table / "fit.json", "--at", "x=1", "--data", table / "runs.csv", code=2)
    assert "These are other data than were fitted" in other


def test_the_version_and_a_file_that_is_no_fit(table) -> None:
    assert sj.__version__ in run("--version")
    out = run("predict", table / "runs.csv", "--at", "N=1", code=2)
    assert "is not a fit that to_json wrote" in out


def test_relations_are_not_listed_as_laws_and_formulas_hold_no_latex() -> None:
    out = run("laws")
    assert "power_product(inputs)" in out and "kaplan_optimum" not in out
    assert "frac" not in out and "mathrm" not in out


def test_report_writes_one_page(table) -> None:
    pytest.importorskip("altair", reason="reports need the extra `report`")
    fit = ["--law", "power_law", "--input", "x=size"]
    said = run("report", table / "runs.csv", table / "fit.md", *fit, "--title", "A fit")
    assert "fit.md" in said and (table / "fit.md").read_text().startswith("# A fit")
    run("report", "besiroglu2024", table / "plan.html", "--flops", "1e24")
    assert "Best runs of chinchilla" in (table / "plan.html").read_text()
    assert "say with --flops" in run("report", "besiroglu2024", table / "no.html", code=2)
    assert "not as 'docx'" in run("report", table / "runs.csv", table / "fit.docx", *fit, code=2)


def test_warm_says_what_is_ready(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SCALING_JAX_CACHE", str(tmp_path))
    told = run("warm", "--law", "power_law", "--rows", "64")
    assert re.match(r"1 laws are ready in \d+ s: \d+ programs, \d+ MB, in", told)
    monkeypatch.setenv("SCALING_JAX_CACHE", "")
    assert "turns it off" in run("warm", code=2)
