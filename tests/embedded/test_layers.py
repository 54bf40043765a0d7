"""The embedded SageMaker has no import circle, and imports nothing of the library but errors and file handling."""

import ast
from pathlib import Path

import pytest
from tests.support.imports import modules_in_circles

import mnist_tracking

ROOT = Path(mnist_tracking.__file__).parent
MODULES = sorted((ROOT / "embedded").rglob("*.py"))
ALLOWED = tuple(
    f"mnist_tracking.{name}"
    for name in ("embedded", "errors", "_values.archives", "_values.files", "_values.metric_lines")
)


def test_embedded_has_no_import_circle() -> None:
    """Imports for type checking and inside functions count."""
    assert modules_in_circles(ROOT / "embedded") == set()


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES])
def test_embedded_module_imports_only_what_it_may(path: Path) -> None:
    """Sharing wire code with the library's own AWS adapter would hide mistakes of both."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]

    assert [name for name in names if name.startswith("mnist_tracking") and not name.startswith(ALLOWED)] == []


def test_circle_is_found_however_it_is_closed(tmp_path: Path) -> None:
    """By an import for the type checker, by one inside a function, and by way of a package's `__init__`."""
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    modules = {
        "__init__": "",
        "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.b import B",
        "b": "def f():\n    import package.a",
        "c": "from package.inner import name",
        "inner/__init__": "from .d import name",
        "inner/d": "from package import c",
        "alone": "from package import a",
    }
    for name, source in modules.items():
        (package / f"{name}.py").write_text(source)

    expected = {"package.a", "package.b", "package.c", "package.inner", "package.inner.d"}
    assert modules_in_circles(package) == expected
