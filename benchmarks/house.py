"""
The shape of the code base in numbers: its parts, import cycles, public names, repeated names, lines, and call depth.

    python -m benchmarks.house

The "executed" figures count the modules of mnist_tracking that run at least one function while a call is in progress,
on a toy job in a temporary embedded workspace: library + AWS adapter + embedded SageMaker. ``sys.setprofile`` observes
every thread that starts during the call. Module and class bodies do not count, nor do the subprocesses of the training
job and of the endpoint. ``Sweep.run`` and ``deploy`` include the constructor; ``deploy`` is called with a finished
trial. A thread of the embedded SageMaker may add or miss one module from run to run.
"""

import ast
import inspect
import sys
import tempfile
import textwrap
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TypeVar

import mnist_tracking as mt
from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Leaderboard,
    Workspace,
)

Result = TypeVar("Result")

PACKAGE = Path(mt.__file__).parent
ADAPTERS = ("_aws", "_sagemaker")
TOP_NAMES = 15
TOY = """
import argparse, json, os
from pathlib import Path

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slope", type=float, default=2.0)
    slope = parser.parse_args().slope
    for step in range(3):
        print(f"score={slope * step!r};")
    Path(os.environ["SM_MODEL_DIR"], "line.json").write_text(json.dumps(slope))

def model_fn(model_dir):
    return json.loads(Path(model_dir, "line.json").read_text())

def predict_fn(data, slope):
    return data * slope

if __name__ == "__main__":
    main()
"""


def main() -> None:
    modules = {_module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules.items()}
    entries = [path for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "py.typed")]
    print(f"top-level entries: {len(entries)}")
    _print_cycles(trees)
    print(f"public names: {len(mt.__all__)}")
    _print_repeated_names(trees)
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules.items()}
    outside = sum(count for name, count in lines.items() if not _is_training(name))
    print(f"lines of src: {sum(lines.values())}; outside training: {outside}")
    _print_executed()


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_training(module: str) -> bool:
    return module.split(".")[1:2] == ["training"]


# --- import cycles ---


def _print_cycles(trees: Mapping[str, ast.Module]) -> None:
    """Print the strongly connected components of the import graph: TYPE_CHECKING and function-level imports count."""
    graph = {name: set(_imports(tree, trees)) - {name} for name, tree in trees.items()}
    cycles = [group for group in _strong_components(graph) if len(group) > 1]
    sizes = ", ".join(str(len(group)) for group in cycles) or "none"
    print(f"modules in import cycles: {sum(map(len, cycles))} of {len(graph)} (sizes of the cycles: {sizes})")


def _imports(tree: ast.Module, known: Mapping[str, ast.Module]) -> Iterator[str]:
    """
    Yield the modules that a module imports, anywhere in its code, those under TYPE_CHECKING included.

    A package counts only where it is imported itself, or a name that is not one of its modules: that Python runs
    ``__init__`` first, whatever is imported from below it, would make one cycle of every package.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.module in known:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in known else node.module


def _strong_components(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that reach each other, the largest first."""
    reached = {name: _reachable(graph, name) for name in graph}
    groups = {frozenset({name, *(other for other in reached[name] if name in reached[other])}) for name in graph}
    return sorted(map(set, groups), key=len, reverse=True)


def _reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


# --- repeated names ---


def _print_repeated_names(trees: Mapping[str, ast.Module]) -> None:
    places = defaultdict(set)
    for module, tree in trees.items():
        if not _is_training(module):
            for name in _definitions(tree):
                places[name].add(module)
    repeated = {name: len(modules) for name, modules in places.items() if len(modules) > 1}
    public = {name: count for name, count in repeated.items() if not name.startswith("_")}
    print(f"names defined in more than one module: {len(repeated)}, {len(public)} of them without an underscore")
    print(_listed("most repeated", repeated))
    print(_listed("without an underscore", public))


def _listed(title: str, counts: Mapping[str, int]) -> str:
    top = ", ".join(f"{name} {count}" for name, count in Counter(counts).most_common(TOP_NAMES))
    return textwrap.fill(f"{title}: {top}", width=110, initial_indent="  ", subsequent_indent="    ")


def _definitions(tree: ast.Module) -> Iterator[str]:
    """Yield the functions, classes and constants that a module defines at its top level, dunder names aside."""
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names = [node.name]
            case ast.Assign():
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("__") and name != "_")


# --- modules executed ---


def _print_executed() -> None:
    with tempfile.TemporaryDirectory() as folder, Workspace.embedded(Path(folder, "home")) as workspace:
        source = Path(folder, "source")
        source.mkdir()
        (source / "train.py").write_text(TOY, encoding="utf-8")
        job = JobSpec(entry_point="train.py", source_dir=source, metrics={"score": r"score=(\S+?);"}, objective="score")
        runner = ExperimentRunner(workspace, "toy", job=job)
        trial = _measured("runner.run", lambda: runner.run({"slope": 3.0}))
        _measured("Sweep.run", lambda: HyperparameterSweep(runner, {"slope": [1.0, 2.0]}, max_parallel=2).run())
        _measured("Leaderboard.load", lambda: Leaderboard.load(workspace, "toy", objective="score"))
        _measured("deploy", lambda: BestModelDeployer(workspace).deploy(trial)).delete()


def _measured(what: str, call: Callable[[], Result]) -> Result:
    """Call, and print how many modules of the package ran a function meanwhile."""
    executed: set[CodeType] = set()

    def observe(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            executed.add(frame.f_code)

    threading.setprofile(observe)
    sys.setprofile(observe)
    try:
        result = call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    counts = Counter(map(_group, _modules_of(tuple(executed))))
    numbers = " + ".join(str(counts[group]) for group in ("library", "adapter", "embedded"))
    print(f"modules executed by {what}: {numbers}")
    return result


def _modules_of(executed: Iterable[CodeType]) -> set[str]:
    return {
        _module_name(path)
        for code in executed
        if code.co_flags & inspect.CO_OPTIMIZED and (path := Path(code.co_filename)).is_relative_to(PACKAGE)
    }


def _group(module: str) -> str:
    part = module.split(".")[1:2]
    if part == ["embedded"]:
        return "embedded"
    return "adapter" if part and part[0] in ADAPTERS else "library"


if __name__ == "__main__":
    main()
