"""What the documentation shows is run, and what is public is documented."""

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from tests.digits import write_idx_dataset

import mnist_tracking

ROOT = Path(__file__).parents[1]


def python_blocks(text: str) -> str:
    """Return the python blocks of a page of reStructuredText or Markdown, one after another."""
    rst = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)
    markdown = re.findall(r"```python\n(.*?)```", text, re.S)
    return "\n".join([*("\n".join(line[3:] for line in block.splitlines()) for block in rst), *markdown])


@pytest.mark.parametrize("page", ["docs/tutorial.rst", "README.md"])
def test_the_python_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    write_idx_dataset(data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_DATA_DIR", str(data))
    code = python_blocks((ROOT / page).read_text())

    if code:
        given = {"home": tmp_path / "home", "data_dir": data, "images": np.zeros((3, 28, 28), np.uint8)}
        exec(compile(code, page, "exec"), given)


@pytest.mark.parametrize("name", mnist_tracking.__all__)
def test_every_public_name_has_a_docstring(name: str) -> None:
    public = getattr(mnist_tracking, name)

    assert inspect.getdoc(public)
    for attribute, member in vars(public).items() if inspect.isclass(public) else ():
        if inspect.isfunction(member) and not attribute.startswith("_"):
            assert inspect.getdoc(member), f"{name}.{attribute} has no docstring"


def test_the_readme_names_targets_that_exist() -> None:
    targets = set(re.findall(r"^(\w+):.*## ", (ROOT / "Makefile").read_text(), re.M))

    assert set(re.findall(r"make (\w+)\b", (ROOT / "README.md").read_text())) <= targets
