"""What the documentation shows is run, what it names exists, and what is public is documented."""

import ast
import doctest
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner
from tests.support.digits import write_idx_dataset

import mnist_tracking
import mnist_tracking.embedded
import mnist_tracking.mnist
import mnist_tracking.types
from mnist_tracking._values.names import check_name
from mnist_tracking.cli.app import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("examples/*/README.md"), *DOCS.rglob("*.rst")]
    if not {"_build", "generated"} & {*path.parts}
)
SMALLER = {"epochs=2": "epochs=1", '"hidden_channels": [2, 5]': '"hidden_channels": [2, 3]'}
CPU_TORCH = "https://download.pytorch.org/whl/cpu"  # outside of PyPI, so no test installs from it
README_RUNS_AS = "examples/first_program.py"  # held equal below, and run by test_examples.py


def blocks(page: str, *languages: str) -> list[str]:
    """Return the code of a page of reStructuredText or Markdown, in the order it stands there."""
    text, either = (ROOT / page).read_text(), "|".join(languages)
    if page.endswith(".md"):
        return re.findall(rf"^```(?:{either})\n(.*?)^```", text, re.M | re.S)
    found = re.findall(rf"^\.\. code-block:: (?:{either})\n\n((?:   .*\n|\n)+)", text, re.M)
    return ["".join(line.removeprefix("   ") for line in block.splitlines(keepends=True)) for block in found]


@pytest.mark.documentation
@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".rst") and blocks(page, "python")])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path) -> None:
    """In order, in one process, in a folder that holds the examples, with small data and small networks."""
    code = "\n".join(blocks(page, "python"))
    for shown, small in SMALLER.items():
        code = code.replace(shown, small)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    data = write_idx_dataset(tmp_path / "data", gz=True)
    home = {"MNIST_TRACKING_HOME": str(tmp_path / "home"), "MNIST_DATA_DIR": str(data)}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **home},
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_is_an_example() -> None:
    example = (ROOT / README_RUNS_AS).read_text().split('"""\n\n', 1)[1]

    assert example == blocks("README.md", "python")[-1]  # the one before is run by test_examples.py


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh")])
def test_the_commands_of_a_page_exist(page: str) -> None:
    for line in lines_of_shell("".join(blocks(page, "sh"))):
        match shlex.split(line, comments=True):
            case ["make", target, *_]:
                assert target in make_targets()
            case ["mnist-tracking", *arguments]:
                parse(arguments)
            case ["pip", "install", *packages, "--index-url", index]:
                assert {*packages} <= {"--upgrade", "torch", "torchvision"}
                assert index == CPU_TORCH
            case ["pip", "install", *requirements]:
                assert all(
                    re.fullmatch(r"\.(\[\w+\])?|setuptools<81", name) or name in extras() for name in requirements
                )
            case ["python" | ".venv/bin/python", program, *arguments]:
                source = ((ROOT / page).parent / program).read_text()
                assert all(f'"{option}"' in source for option in arguments if option.startswith("--"))
            case [] as _nothing:
                pass
            case words:
                raise AssertionError(f"nothing checks {words}")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_names_in_passing_exists(page: str) -> None:
    inline = re.findall(r"(?<!`)`{1,2}([^`\n]+)`{1,2}(?!`)", (ROOT / page).read_text())

    for text in inline:
        match text.split():
            case ["make", target, *_]:
                assert target in make_targets()
            case ["mnist-tracking", command, *_] if re.fullmatch("[a-z]+", command):
                assert command in cli.commands
            case [path] if re.match(r"(examples|benchmarks|docs|tests|src)/(?!_build/)\w", path):  # _build: once built
                assert (ROOT / path).exists()


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".rst")])
def test_no_code_is_cut_by_the_width_of_a_page(page: str) -> None:
    """Commands of a shell go on in the next line instead."""
    lines = "".join(blocks(page, "python")).splitlines()

    assert [line for line in lines if len(line) > 90] == []


@pytest.mark.parametrize("picture", sorted((DOCS / "_static").glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_is_small_and_loads_nothing(picture: Path) -> None:
    """Pages show it without a network, and GitHub shows it at all."""
    text = picture.read_text("utf-8")
    root = ElementTree.fromstring(text)

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|@font-face|@import|<script|<foreignObject", text) == []
    assert len(text) < 60_000


def test_the_command_line_page_is_made_from_the_commands() -> None:
    page = (DOCS / "reference" / "cli.rst").read_text()

    assert ".. click:: mnist_tracking.cli.app:cli\n   :prog: mnist-tracking\n   :nested: full\n" in page
    for command in (cli, *cli.commands.values()):
        assert command.help
        for option in (parameter for parameter in command.params if isinstance(parameter, click.Option)):
            assert option.help, f"{command.name}: {option.opts} has no help"


def test_the_page_of_embedded_operations_is_up_to_date() -> None:
    page = DOCS / "reference" / "embedded-coverage.rst"

    assert load_coverage().render() == page.read_text(), "run: python docs/coverage.py --write"


@pytest.mark.parametrize("name", mnist_tracking.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    public = getattr(mnist_tracking, name)

    assert inspect.getdoc(public)
    for attribute, member in vars(public).items() if inspect.isclass(public) else ():
        if not attribute.startswith("_") and isinstance(member, classmethod | property) | inspect.isfunction(member):
            assert inspect.getdoc(member), f"{name}.{attribute} has no docstring"


@pytest.mark.parametrize("name", mnist_tracking.__all__)
def test_every_public_name_has_a_place_in_the_reference(name: str) -> None:
    pages = {page: (DOCS / "reference" / page).read_text() for page in ("api.rst", "errors.rst")}
    has_own_page = re.search(rf"^   {name}$", pages["api.rst"], re.M) and (DOCS / "reference" / f"{name}.rst").exists()

    assert (
        re.search(rf"^   {name}$", pages["api.rst"].split("\nModules\n")[0], re.M)  # autosummary makes a page of it
        or re.search(rf"^\.\. autoexception:: {name}$", pages["errors.rst"], re.M)
        or has_own_page
    )


@pytest.mark.parametrize("module", [mnist_tracking.types, mnist_tracking.mnist, mnist_tracking.embedded])
def test_every_name_of_a_public_module_has_a_place_in_the_reference(module: ModuleType) -> None:
    page = (DOCS / "reference" / f"{module.__name__.rpartition('.')[2]}.rst").read_text()
    names = getattr(module, "__all__", [name for name, value in vars(module).items() if inspect.isclass(value)])

    missing = [name for name in names if not re.search(rf"^\.\. auto\w+:: (\S+\.)?{name}(\(\))?$", page, re.M)]

    assert missing == ["mnist_job"] * (module is mnist_tracking.mnist)  # that one is on a page of its own


def test_the_architecture_page_lists_the_rooms_of_the_package() -> None:
    page = (DOCS / "explanation" / "architecture.rst").read_text()
    listed = re.findall(r"^   \* - ``(\w+)(?:/|\.py)``$", page, re.M)
    package = Path(mnist_tracking.__file__).parent

    rooms = {path.stem for path in package.iterdir() if path.is_dir() or path.suffix == ".py"} - {"__pycache__"}

    assert sorted(listed) == sorted(rooms)


NAMING = {  # an argument of a command or a method: what it names
    "experiment": "experiment",
    "experiments": "experiment",
    "trial": "trial",
    "trials": "trial",
    "name": "trial",
    "target": "trial",
    "endpoint": "endpoint",
}
NAMED_FIRST = {
    **dict.fromkeys(("trial", "submitted", "compare", "trace"), "trial"),
    **dict.fromkeys(("ExperimentRunner", "Leaderboard.load", "trials"), "experiment"),
    "endpoint": "endpoint",
}


def names_in_commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a command line names: the kind and the name."""
    for line in lines_of_shell(text):
        words = shlex.split(re.split(r" [|>]|&&", line)[0], comments=True)
        if words[:1] != ["mnist-tracking"] or "exec" in words or "..." in line:
            continue
        verb = next((word for word in words if word in cli.commands), None)
        if verb is None:
            continue
        command = cli.commands[verb]
        given = command.make_context(verb, words[words.index(verb) + 1 :], resilient_parsing=True).params
        for argument, kind in NAMING.items():
            values = given.get(argument) or ()
            yield from ((kind, value) for value in ([values] if isinstance(values, str) else values))


def names_in_python(code: str) -> Iterator[tuple[str, str]]:
    for call in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)):
        called = (re.search(r"Leaderboard\.load$|\w*$", ast.unparse(call.func)) or [""])[0]
        for argument in call.args if called in NAMED_FIRST else ():
            values = argument.elts if isinstance(argument, ast.List) else [argument]
            yield from (
                (NAMED_FIRST[called], value.value)
                for value in values
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
            )
        if called in ("run", "submit", "trial"):
            yield from (
                ("trial", word.value.value)
                for word in call.keywords
                if word.arg == "name" and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
            )


@pytest.mark.parametrize("page", PAGES)
def test_sagemaker_accepts_the_names_that_a_page_shows(page: str) -> None:
    shown = [
        *names_in_commands("".join(blocks(page, "sh"))),
        *(named for code in blocks(page, "python") for named in names_in_python(code)),
    ]

    for kind, name in shown:
        check_name(kind, name)


@pytest.mark.parametrize("command", cli.commands.values(), ids=str)
def test_sagemaker_accepts_the_names_that_a_help_text_shows(command: click.Command) -> None:
    examples = "\n".join(re.findall(r"^ *(mnist-tracking .*)$", command.help or "", re.M))

    for kind, name in names_in_commands(examples):
        check_name(kind, name)


@pytest.mark.parametrize("path", sorted(Path(mnist_tracking.__file__).parent.rglob("*.py")), ids=lambda path: path.stem)
def test_sagemaker_accepts_the_names_that_a_docstring_shows(path: Path) -> None:
    for code in docstring_examples(path):
        for kind, name in names_in_python(code):
            check_name(kind, name)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: path.stem)
def test_sagemaker_accepts_the_names_that_an_example_uses(path: Path) -> None:
    for kind, name in names_in_python(path.read_text()):
        check_name(kind, name)


def docstring_examples(path: Path) -> Iterator[str]:
    """Yield the code of the examples in the docstrings of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for example in doctest.DocTestParser().get_examples(ast.get_docstring(node) or ""):
                yield example.source


def lines_of_shell(text: str) -> list[str]:
    return text.replace("\\\n", " ").splitlines()


def make_targets() -> set[str]:
    return set(re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.M))


def extras() -> set[str]:
    """Return the packages of the extras, which are installed by their own names: this one is on no index."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    return {re.split(r"[<>=\[]", requirement)[0] for requirements in extra.values() for requirement in requirements} - {
        "mnist-tracking"
    }


def parse(arguments: list[str]) -> None:
    """Parse a command line as the program would, and run nothing."""
    told = CliRunner().invoke(cli, [*arguments, "--help"])
    assert told.exit_code == 0, told.output


def load_coverage() -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_page", DOCS / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
