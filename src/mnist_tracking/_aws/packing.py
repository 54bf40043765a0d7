"""What travels with a job beside the user's own code: this package, if a script uses `mnist_tracking.job`."""

import re
from collections.abc import Iterator
from pathlib import Path

from mnist_tracking._values.specs import JobSpec
from mnist_tracking.job import OUTPUT_URI, metric_regex

_PACKAGE = Path(__file__).resolve().parents[1]
_IMPORTS = re.compile(
    rf"^\s*(?:(?:from|import)\s+{_PACKAGE.name}\.job\b|from\s+{_PACKAGE.name}\s+import\b.*\bjob\b)", re.MULTILINE
)


def dependencies_of(spec: JobSpec) -> list[str]:
    """
    Return the folders and files that are sent along with a job's code.

    This package is one of them if a metric is given by its name alone, or if a script that is sent imports
    `mnist_tracking.job`, unless the job's own code brings it.
    """
    given = list(spec.dependencies)
    return given if _brings_package(spec) or not _needs_package(spec) else [*given, str(_PACKAGE)]


def environment_of(spec: JobSpec, dependencies: list[str], output_uri: str) -> dict[str, str]:
    """Return a job's environment variables; a script that has this package is told where its output goes."""
    told = {OUTPUT_URI: f"{output_uri}/output.tar.gz"} if _has_package(dependencies) else {}
    return {**told, **spec.environment}


def _brings_package(spec: JobSpec) -> bool:
    return _has_package(spec.dependencies) or bool(spec.source_dir and Path(spec.source_dir, _PACKAGE.name).is_dir())


def _has_package(paths: list[str] | tuple[str, ...]) -> bool:
    return any(Path(path).name == _PACKAGE.name for path in paths)


def _needs_package(spec: JobSpec) -> bool:
    has_names = any(metric.regex == metric_regex(metric.name) for metric in spec.metrics)
    return has_names or any(_IMPORTS.search(path.read_text("utf-8", errors="replace")) for path in _scripts(spec))


def _scripts(spec: JobSpec) -> Iterator[Path]:
    paths = Path(spec.source_dir).rglob("*.py") if spec.source_dir else (Path(spec.entry_point),)
    return (path for path in paths if path.is_file())  # one that has gone is refused by the SDK
