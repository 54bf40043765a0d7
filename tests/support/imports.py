"""Who imports whom, read from the source: also for type checking only, and inside functions."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path


def modules_in_circles(package_dir: Path) -> set[str]:
    """
    Return the modules of a package that import themselves by way of others.

    Imports under ``TYPE_CHECKING`` and inside functions count. A name that is imported from a package counts as its
    module if it is one, else as the package's ``__init__``.

    Args:
        package_dir: The folder of the package, such as ``src/mnist_tracking/embedded``.
    """
    graph = import_graph(package_dir)
    return {module for module in graph if module in _reachable(graph, module)}


def import_graph(package_dir: Path) -> dict[str, set[str]]:
    """Return the modules of a package, each with the modules of that package that it imports."""
    top = _top(package_dir)
    paths = {_module(path, top): path for path in package_dir.rglob("*.py")}
    return {name: {found for found in _imports(path, top, set(paths)) if found != name} for name, path in paths.items()}


def _top(package_dir: Path) -> Path:
    """Return the folder that holds the outermost package."""
    top = package_dir
    while (top / "__init__.py").exists():
        top = top.parent
    return top


def _module(path: Path, top: Path) -> str:
    parts = path.relative_to(top).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, top: Path, known: set[str]) -> Iterator[str]:
    package = _module(path.parent / "__init__.py", top)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                yield from [name] if name in known else {base} & known


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parts, *filter(None, [node.module])])


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Return what a module imports, directly or by way of others."""
    found: set[str] = set()
    todo = list(graph[start])
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += graph[module]
    return found
