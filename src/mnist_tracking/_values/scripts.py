"""What can be seen in a script before it runs: options that get another value, and modules that are not sent."""

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from mnist_tracking._values.records import ParameterValue
from mnist_tracking._values.specs import JobSpec

_FLAG_ACTIONS = ("store_true", "store_false", "store_const", "append_const", "count", "BooleanOptionalAction")
_ABSL = ("DEFINE_bool", "DEFINE_boolean")
_ADVICE = "Pass it as JobSpec(arguments=['{{{0}:{1}}}', ...])"


def mistakes(job: JobSpec, hyperparameters: Mapping[str, ParameterValue]) -> list[str]:
    """
    Return what will go wrong in a job, as far as its script shows it; nothing for code in S3 or other languages.

    Args:
        job: The job.
        hyperparameters: Those of the trial.
    """
    script = Path(job.source_dir or "", job.entry_point)
    if script.suffix != ".py" or (job.source_dir or "").startswith("s3://"):
        return []
    tree = _parsed(os.fspath(script), *_version(script))
    if tree is None:
        return []
    found = [] if job.source_dir is not None else list(_left_behind(script, tree, job))
    return found if job.arguments is not None else [*found, *_lost_values(script.name, tree, hyperparameters)]


def _version(script: Path) -> tuple[int, int]:
    try:
        found = script.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=8)
def _parsed(path: str, _changed: int, _size: int) -> ast.Module | None:
    """Return the syntax tree of a script, once for each version; None if this Python cannot read it."""
    try:
        return ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _left_behind(script: Path, tree: ast.Module, job: JobSpec) -> Iterator[str]:
    """Yield a line for each module next to a script that it imports, but that is not sent."""
    sent = {Path(path).name.removesuffix(".py") for path in job.dependencies}
    for name in sorted(_imported(tree) - sent - sys.stdlib_module_names - {script.stem}):
        file, package = script.with_name(f"{name}.py"), script.with_name(name)
        beside = file if file.is_file() else package if (package / "__init__.py").is_file() else None
        if beside is not None:
            folder, module = os.fspath(script.parent), os.fspath(beside)
            yield (
                f"{script.name!r} imports {name!r}, which is next to it but is not sent. Pass source_dir={folder!r} "
                f"and entry_point={script.name!r}, or dependencies=[{module!r}]."
            )


def _imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def _lost_values(script: str, tree: ast.Module, hyperparameters: Mapping[str, ParameterValue]) -> Iterator[str]:
    """Yield a line for each boolean that an option of the script does not get as it is."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for name, value in hyperparameters.items():
        if isinstance(value, bool):
            for call in calls:
                yield from _lost_value(script, call, name, value)


def _lost_value(script: str, call: ast.Call, name: str, value: bool) -> Iterator[str]:
    function, texts = _name(call.func), [text for argument in call.args if (text := _text(argument))]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    advice = _ADVICE.format(name, f"--{name}")
    if function in _ABSL and texts[:1] == [name]:
        yield (
            f"{script!r} gets '--{name} {value}', but absl reads only '--{name}' or '--{name}={value}', so {name!r} "
            f"will be True. {_ADVICE.format(name, f'--{name}|--no{name}')}."
        )
    elif not {f"--{name}", f"-{name}"}.isdisjoint(part for text in texts for part in text.split("/")):
        if function == "add_argument" and _name(keywords.get("type")) == "bool" and not value:
            yield (
                f"{script!r} converts '--{name} False' with type=bool, which makes any text True. {advice}, with "
                "action='store_true' in the script."
            )
        elif _is_flag(function, texts, keywords):
            yield f"{script!r} gets '--{name} {value}', but its option is a flag, which takes no value. {advice}."


def _is_flag(function: str, texts: list[str], keywords: Mapping[str | None, ast.expr]) -> bool:
    action, is_flag = keywords.get("action"), keywords.get("is_flag")
    if function == "add_argument":
        return (_text(action) or _name(action)) in _FLAG_ACTIONS
    is_clicks = function == "option" and (any("/" in text for text in texts) or is_flag is not None)
    return is_clicks and not (isinstance(is_flag, ast.Constant) and not is_flag.value)


def _name(node: ast.expr | None) -> str:
    """Return the last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
