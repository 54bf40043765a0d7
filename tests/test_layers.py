"""Who may import whom; nothing else is allowed. The table is the one of the design."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mnist_tracking

ROOT = Path(mnist_tracking.__file__).parent
TRAVELLING = [f"_checks.{name}" for name in ("jobs", "keys", "metrics", "parameters", "paths", "shown")]  # in jobs too
BASE = {"_checks", "errors", "filters", "records", "jobs", "settings", "words", "workspace"}
LIBRARY = BASE | {
    "_html",
    "_sagemaker",
    "cleanup",
    "datasets",
    "endpoints",
    "exporting",
    "formats",
    "leaderboard",
    "lineage",
    "recorder",
    "runner",
    "search",
    "shared_steps",
    "steps",
    "submission",
    "sweep",
    "training",
}

ALLOWED = {  # a part of the package: the parts that it may import
    "errors": set(),
    "records": {"_html", "errors", "words"},
    "_checks": {"errors", "workspace"},
    "words": set(),
    "filters": {"_checks", "errors", "records"},
    "digits": {"errors", "formats"},
    "formats": {"errors"},
    "endpoints": {"_sagemaker", "digits", "errors", "formats", "submission"},
    "plots": {"errors"},
    "_digits": {"errors", "training"},
    "_downloads": {"errors", "training"},
    "datasets": {"_digits", "_downloads", "errors", "training"},
    "_html": set(),
    "job": {"_checks", "_job_component", "errors"},
    "training": {"errors", "job"},
    "embedded": {"errors"},
    "jobs": {"_checks", "errors", "job", "records", "training"},
    "_sagemaker": BASE | {"job"},
    "settings": {"errors"},
    "workspace": {"_sagemaker", "embedded", "errors", "handle", "reading", "settings"},
    "handle": set(),
    "results": {"_html", "errors"},
    "search": {"_checks", "_sagemaker", "errors", "filters", "records", "results", "settings"},
    "trials": {"_html", "_sagemaker", "downloads", "lineage", "records", "search", "words"},
    "_plain": set(),
    "downloads": {"_plain", "_sagemaker", "errors", "lineage", "records"},
    "comparison": {"_html", "errors", "records", "trials", "words"},
    "reading": {
        "_checks",
        "cleanup",
        "comparison",
        "downloads",
        "endpoints",
        "records",
        "search",
        "submission",
        "trials",
    },
    "steps": {"_checks", "_sagemaker", "errors", "records"},
    "submission": {"_sagemaker", "errors", "records"},
    "shared_steps": {"_checks", "_sagemaker", "errors", "records", "steps"},
    "exporting": {"errors", "training", "trials"},
    "doctor": {"_html", "_sagemaker", "errors"},
    **dict.fromkeys(("cleanup", "leaderboard", "lineage", "recorder", "runner", "sweep", "deployment"), LIBRARY),
    "cli": LIBRARY | {"_plain", "deployment", "doctor", "embedded", "plots", "search"},
}
FOREIGN = {  # a package of others: the parts that may import it
    "sagemaker": {"_sagemaker"},
    "smexperiments": {"_sagemaker"},
    "torch": {"training", "embedded"},  # an endpoint turns what it is sent into tensors, as the containers do
    "boto3": {"_job_component", "_sagemaker", "embedded", "workspace"},
    "botocore": {"_job_component", "_sagemaker", "cleanup", "embedded", "workspace"},
    "click": {"cli"},
    "rich": {"cli"},
    "matplotlib": {"plots", "cli"},
}


def parts() -> list[str]:
    """Every module and package directly below ours."""
    found = {path.stem for path in ROOT.iterdir() if path.is_dir() or path.suffix == ".py"}
    return sorted(found - {"__init__", "__pycache__", "py"})


def imports(part: str) -> Iterator[str]:
    """Dotted names that a part imports at run time, anywhere in its code."""
    for path in [ROOT / f"{part}.py", *(ROOT / part).rglob("*.py")]:
        if path.exists():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in _running(tree):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{path}: imports are absolute"
                    yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without those that only the type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)


def own(names: Iterator[str]) -> set[str]:
    """The parts of this package among imported names, a public name counting as the part it lives in."""
    inside = [name.split(".")[1] for name in names if name.startswith("mnist_tracking.")]
    return {mnist_tracking._MODULES.get(name, name) for name in inside} - {"__version__"}


@pytest.mark.parametrize("part", parts())
def test_part_imports_only_what_it_may(part: str) -> None:
    """A new part gets a line in the table; a new arrow is a decision."""
    assert own(imports(part)) - {part} <= ALLOWED.get(part, set())


@pytest.mark.parametrize("package", FOREIGN)
def test_package_of_others_is_imported_only_where_it_belongs(package: str) -> None:
    """The SDKs stay in `_sagemaker`, torch in `training`."""
    users = {part for part in parts() if package in {name.split(".")[0] for name in imports(part)}}

    assert users <= FOREIGN[package]


@pytest.mark.parametrize("module", [*TRAVELLING, "errors", "job", "training.hyperparameters"])
def test_module_needs_only_the_standard_library(module: str) -> None:
    """Errors travel with every job; hyperparameters are checked without torch."""
    names = {name.split(".")[0] for name in imports(module.replace(".", "/"))}

    assert names <= sys.stdlib_module_names | {"mnist_tracking"}
