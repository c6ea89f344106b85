"""The structure: imports only point down the rings, counting those inside functions and those for types."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "scaling_jax"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
RINGS = [set(ring.split(" | ")) for ring in next(c for c in SETTINGS if c["id"] == "rings")["layers"]]
FILES = {f.relative_to(ROOT).with_suffix(""): f for f in sorted(PACKAGE.rglob("*.py"))}
MODULES = {".".join(path.parts).removesuffix(".__init__"): f for path, f in FILES.items()}


def imported(module: str, file: Path) -> Iterator[str]:
    """The modules of the package that a file imports anywhere in it."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                found = f"{base}.{name.name}" if f"{base}.{name.name}" in MODULES else base
                if found in MODULES and found != module:
                    yield found


IMPORTS = {module: set(imported(module, file)) for module, file in MODULES.items() if module != "scaling_jax"}


def ring(module: str) -> int:
    """The row of a module's folder, 0 at the top."""
    folder = module.split(".")[1]
    return next(row for row, ring in enumerate(RINGS) if folder in ring)


def folder(module: str) -> str:
    return module.split(".")[1]


def reaches(module: str, goal: str, within: set[str]) -> bool:
    seen, ahead = set(), set(IMPORTS[module]) & within
    while ahead:
        here = ahead.pop()
        if here == goal:
            return True
        seen.add(here)
        ahead |= (IMPORTS[here] & within) - seen
    return False


def test_every_folder_has_a_ring() -> None:
    assert {folder(module) for module in IMPORTS} == set().union(*RINGS)


def test_no_import_points_up() -> None:
    """Modules import none above, and folders of one ring do not know each other; the face is for users."""
    up = [
        f"{module} imports {other}"
        for module, others in IMPORTS.items()
        for other in others - {"scaling_jax"}
        if folder(module) != folder(other) and ring(other) <= ring(module)
    ]
    assert not up


def test_only_the_command_line_and_examples_see_the_package_s_face() -> None:
    assert [module for module, others in IMPORTS.items() if "scaling_jax" in others] == ["scaling_jax.cli"]


@pytest.mark.parametrize("name", sorted(set().union(*RINGS)))
def test_no_circle_inside_a_folder(name: str) -> None:
    inside = {module for module in IMPORTS if folder(module) == name}
    assert not [module for module in inside if reaches(module, module, inside)]


def test_no_circle_in_the_package() -> None:
    everything = set(IMPORTS)
    assert not [module for module in everything if reaches(module, module, everything)]


def test_a_circle_would_be_seen() -> None:
    """Lazy imports are counted: `api` reaches `core`, so an import of `api` in `core` would be a circle."""
    assert reaches("scaling_jax.api.fit", "scaling_jax.core.law", set(IMPORTS))
    assert "scaling_jax.uncertainty.bootstrap" in IMPORTS["scaling_jax.api.result"]  # a lazy import
    assert "scaling_jax.planning.crossing" in MODULES and "scaling_jax" not in IMPORTS
