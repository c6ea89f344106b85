"""The tests of `scaling_jax/FOLDER/MODULE.py` stand in `tests/FOLDER/test_MODULE.py`.

`test_FOLDER.py` covers a folder as a whole; files at the top and in `hostile/` cover the whole package. A
module without a file of its own is named here with the one that covers it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "scaling_jax"
COVERED_BY = {
    "__main__": "test_cli",
    "core/arrays": "core/test_domains",
    "core/keyed": "api/test_groups",
    "datasets/_catalog": "datasets/test_datasets",
    "datasets/_hitchhikers_sources": "datasets/test_hitchhikers",
    "diagnosis/told": "diagnosis/test_examination",
    "engine/aboard": "engine/test_on_device",
    "engine/compiled": "engine/test_lanes",
    "engine/corners": "engine/test_on_device",
    "engine/ends": "engine/test_on_device",
    "engine/lbfgs": "engine/test_solve",
    "engine/projection": "engine/test_starts",
    "engine/solver": "engine/test_solve",
    "engine/status": "fitting/test_certificate",
    "fitting/batch": "test_invariance",
    "fitting/replicates": "uncertainty/test_bootstrap",
    "forecasting/defaults": "forecasting/test_calibration",
    "forecasting/members": "forecasting/test_ensemble",
    "forecasting/reading": "forecasting/test_forecast",
    "forecasting/population": "forecasting/test_mixed",
    "forecasting/result": "forecasting/test_forecast",
    "pages/document": "pages/test_report",
    "pages/ladder": "pages/test_html",
    "pages/parts": "pages/test_report",
    "pages/pictures": "pages/test_markdown",
    "pages/vega": "pages/test_html",
    "tables/frames": "tables/test_read",
    "planning/contrasted": "planning/test_contrast",
    "planning/recipes": "planning/test_contrast",
    "planning/closed": "planning/test_optimum",
    "planning/problem": "planning/test_plan",
    "planning/result": "planning/test_plan",
    "plot/axes": "plot/test_style",
    "posterior/build": "posterior/test_geometry",
    "posterior/model": "posterior/test_geometry",
    "posterior/sample": "posterior/test_result",
    "posterior/sampled": "posterior/test_result",
    "posterior/sampler": "posterior/test_result",
    "reporting/shown": "reporting/test_html",
    "tables/tracked": "trackers/test_source",
    "trackers/mlflow": "trackers/test_source",
    "trackers/tensorboard": "trackers/test_source",
    "trackers/trackio": "trackers/test_source",
    "trackers/trainer": "trackers/test_source",
    "trackers/wandb_file": "trackers/test_source",
    "trackers/wandb_project": "trackers/test_source",
}
EVERY_LAW = "laws/test_laws"  # laws are data to it; a file of a law's own holds published numbers


def own_test(module: str) -> str:
    """Where the tests of "folder/module" stand."""
    folder, _, name = module.rpartition("/")
    return f"{folder}/test_{name.lstrip('_')}" if folder else f"test_{name}"


MODULES = [
    str(file.relative_to(PACKAGE).with_suffix(""))
    for file in sorted(PACKAGE.rglob("*.py"))
    if file.name != "__init__.py"
]
FILES = [str(file.relative_to(TESTS).with_suffix("")) for file in sorted(TESTS.rglob("test_*.py"))]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_file_of_tests(module: str) -> None:
    own, other = own_test(module), COVERED_BY.get(module)
    if other is None and module.startswith("laws/"):
        other = EVERY_LAW
    assert own in FILES or other in FILES, f"write tests/{own}.py"
    assert module not in COVERED_BY or own not in FILES, f"{module} has tests of its own: take it out"


def test_every_file_of_tests_is_named_after_what_it_covers() -> None:
    named = {own_test(module) for module in MODULES}
    named |= {f"{d.name}/test_{d.name}" for d in PACKAGE.iterdir() if d.is_dir()}
    named |= {f"benchmarks/test_{p.stem}" for p in (TESTS.parent / "benchmarks").iterdir()}
    whole = [file for file in FILES if "/" not in file or file.startswith("hostile/")]
    assert set(FILES) - set(whole) <= named
    assert set(COVERED_BY) <= set(MODULES), "a module that is gone"


def test_every_benchmark_has_its_row_in_the_index() -> None:
    folder = TESTS.parent / "benchmarks"
    commands = {file.stem for file in folder.glob("*.py")} | {
        file.parent.name for file in folder.glob("*/__main__.py")
    }
    index = (folder / "README.md").read_text()
    commands -= {"__init__", "device", "notebook", "report"}
    assert [name for name in commands if f"| `{name}" not in index] == []
    kept = {file.stem for file in (folder / "results").glob("*.txt")}
    assert [name for name in kept if f"`{name}`" not in index] == [], "results that no row names"
