"""The rules of the house that a linter does not hold: plugins, public names, module size."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pianobench

ROOT = Path(__file__).parents[1]
PLUGIN_FILES = sorted((ROOT / "plugins").rglob("*.py"))
CORE_FILES = sorted((ROOT / "benchmark").rglob("*.py"))
HEAVY = {"torch", "transformers", "sklearn", "scipy", "pandas", "symusic", "soundfile", "soxr"}


def imported_at_top(path: Path) -> set[str]:
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def imported_anywhere(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def plugin_of(path: Path) -> str:
    """Name of the plugin's module or package, the folder below plugins/<kind>/."""
    return Path(path.relative_to(ROOT / "plugins").parts[1]).stem


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=plugin_of)
def test_a_plugin_imports_no_other_plugin_and_no_private_name(path: Path) -> None:
    for name in imported_anywhere(path):
        if name.startswith("pianobench_"):
            assert name.partition(".")[0] == plugin_of(path)
        assert not any(part.startswith("_") for part in name.split(".") if part != "__future__")
        assert name.partition(".")[0] not in {"benchmark", "plugins"}


@pytest.mark.parametrize("path", [p for p in PLUGIN_FILES if p.parent.parent.name == "plugins"])
def test_an_entry_point_module_imports_nothing_heavier_than_numpy(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imported_at_top(path)} & HEAVY


@pytest.mark.parametrize("path", CORE_FILES, ids=lambda p: p.name)
def test_the_core_imports_no_plugin(path: Path) -> None:
    assert not [name for name in imported_anywhere(path) if name.startswith("pianobench_")]


@pytest.mark.parametrize("path", CORE_FILES + PLUGIN_FILES, ids=lambda p: p.name)
def test_no_module_is_longer_than_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_every_public_name_exists_and_is_listed_in_order() -> None:
    for name in pianobench.__all__:
        assert hasattr(pianobench, name)
    assert pianobench.__all__ == sorted(pianobench.__all__)


def test_listing_components_imports_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['bench', 'list']\n"
        "from pianobench.cli import main\n"
        "main()\n"
        f"print(sorted({sorted(HEAVY)!r} & sys.modules.keys()), file=sys.stderr)"
    ).replace(f"{sorted(HEAVY)!r} &", f"set({sorted(HEAVY)!r}) &")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "percepiano" in done.stdout
    assert done.stderr.strip() == "[]"
