"""Who imports whom: the parts of the design in their order, and what of other projects each may use."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.imports import import_graph, modules_in_circles

import mnist_tracking

ROOT = Path(mnist_tracking.__file__).parent
PARTS = (  # a part imports only from parts that stand before it
    "errors",
    "_values",
    "job",
    "training",
    "embedded",
    "_aws",
    "reading",
    "upkeep",
    "serving",
    "experiments",
    "mnist",
    "workspace",
    "types",
    "__init__",
    "cli",
)
ASIDE = {  # a part that stands aside: what it may import, and the parts that may import it
    "training": ({"errors", "job", "_values.files"}, {"mnist", "cli"}),
    "embedded": (  # metric_lines: the service and its clients search a log in one way, or their values would differ
        {"errors", "_values.archives", "_values.files", "_values.metric_lines"},
        {"workspace", "cli"},
    ),
}
FOREIGN = {  # a package of others: the parts that may import it
    "attrs": {
        "_values",
        "_aws",
        "reading",
        "upkeep",
        "serving",
        "experiments",
        "mnist",
        "workspace",
        "cli",
        "embedded",
    },
    "boto3": {"job", "_aws", "embedded", "workspace"},
    "botocore": {"job", "_aws", "embedded"},
    "click": {"cli"},
    "IPython": {"experiments"},  # only in a notebook, which has it
    "jsonschema": {"_aws"},
    "matplotlib": {"reading", "mnist", "cli"},
    "numpy": {"_values", "serving", "reading", "mnist", "training", "embedded", "cli"},
    "onnx": {"training"},
    "onnxruntime": {"training"},
    "optuna": {"experiments", "reading"},
    "pandas": {"_values", "_aws", "reading", "upkeep", "experiments", "cli"},
    "PIL": {"training"},
    "pyarrow": {"_values"},
    "regex": {"_values"},
    "rich": {"experiments", "cli"},
    "platformdirs": {"_aws"},
    "sagemaker": {"_aws", "_values"},  # _values: for the type of a job's input
    "sklearn": {"mnist"},
    "smexperiments": {"_aws"},
    "torch": {"training", "embedded"},  # an endpoint turns what it is sent into tensors, as the containers do
    "torchvision": {"mnist"},
    "uvicorn": {"embedded"},
    "yaml": {"_aws", "cli", "experiments"},
    "_typeshed": {"embedded"},
}
TRAVELLING = {  # with every job, or read where torch is not installed: what of others they import, when asked
    "errors": set(),
    "job": {"boto3", "botocore"},  # on AWS, where every container has them
    "training.hyperparameters": set(),
    "training.specification": set(),
    "_values.archives": set(),
    "_values.checks": set(),
    "_values.exact": set(),
    "_values.files": set(),
    "_values.markers": set(),
    "_values.recordable": set(),
    "_values.repository": set(),
    "_values.runtime": set(),
    "_values.text": {"pandas"},  # for types
    "_values.version": set(),
}

GRAPH = {name.removeprefix("mnist_tracking."): found for name, found in import_graph(ROOT).items()}


def part_of(module: str) -> str:
    """Return the part that a module lives in; names of the package itself live in its ``__init__``."""
    inside = module.removeprefix("mnist_tracking").removeprefix(".")
    return inside.split(".")[0] or "__init__"


def arrows() -> set[tuple[str, str]]:
    """Return every import of this package from one of its parts to another."""
    pairs = {(module, found) for module, imported in GRAPH.items() for found in imported}
    return {(module, found) for module, found in pairs if part_of(module) != part_of(found)}


def imported_packages(path: Path) -> set[str]:
    """Return the packages that a file imports, also for type checking only, and inside functions."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in names}


def foreign_packages(part: str) -> set[str]:
    """Return the packages of others that a part imports."""
    paths = [path for path in (ROOT / f"{part}.py", *(ROOT / part).rglob("*.py")) if path.exists()]
    found = set().union(*map(imported_packages, paths))
    return found - sys.stdlib_module_names - {"mnist_tracking"}


def test_every_part_has_its_place() -> None:
    """What is in the folder is in the tuple, and the other way round."""
    found = {path.stem for path in ROOT.iterdir() if path.is_dir() or path.suffix == ".py"}

    assert found - {"__pycache__"} == set(PARTS)


def test_imports_point_only_to_earlier_parts() -> None:
    """Also those under ``TYPE_CHECKING`` and those inside functions."""
    assert [
        f"{module} imports {found}"
        for module, found in sorted(arrows())
        if PARTS.index(part_of(module)) < PARTS.index(part_of(found))
    ] == []


@pytest.mark.parametrize("part", ASIDE)
def test_a_part_that_stands_aside_imports_little_and_is_imported_by_few(part: str) -> None:
    """The program that travels, and the other side of the wire, share next to nothing with the library."""
    may_import, importers = ASIDE[part]

    assert {
        found.removeprefix("mnist_tracking.") for module, found in arrows() if part_of(module) == part
    } <= may_import
    assert {part_of(module) for module, found in arrows() if part_of(found) == part} <= importers


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert sorted(modules_in_circles(ROOT)) == []


@pytest.mark.parametrize("part", PARTS)
def test_package_of_others_is_imported_only_where_it_belongs(part: str) -> None:
    """The SDKs stay in ``_aws``, torch in ``training``, click in ``cli``; a new dependency gets a line."""
    assert foreign_packages(part) - {name for name, parts in FOREIGN.items() if part in parts} == set()


@pytest.mark.parametrize("module", TRAVELLING)
def test_travelling_module_needs_only_the_standard_library(module: str) -> None:
    """Errors travel with every job; hyperparameters are checked without torch."""
    imported = imported_packages(ROOT / f"{module.replace('.', '/')}.py") - sys.stdlib_module_names
    own = {found.removeprefix("mnist_tracking.") for found in GRAPH[module]}

    assert imported - {"mnist_tracking"} == TRAVELLING[module]
    assert own <= {*TRAVELLING, "training"}


def test_travelling_modules_are_imported_where_nothing_is_installed() -> None:
    """``-S`` leaves out the folder that packages are installed in."""
    imports = [f"import mnist_tracking.{module}" for module in TRAVELLING]
    script = "; ".join(["import sys", f"sys.path.insert(0, {str(ROOT.parent)!r})", *imports])

    subprocess.run([sys.executable, "-S", "-c", script], check=True)
