"""What a script shows before it runs."""

from pathlib import Path
from typing import Any

import pytest

from mnist_tracking import JobSpec
from mnist_tracking._values.scripts import mistakes


def found(folder: Path, code: str | bytes, hyperparameters: dict[str, Any], **job: Any) -> list[str]:
    path = folder / "train.py"
    path.write_bytes(code.encode() if isinstance(code, str) else code)
    return mistakes(JobSpec(path, **job), hyperparameters)


ARGPARSE_BOOL = "parser.add_argument('--amp', type=bool, default=True)"


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        (ARGPARSE_BOOL, False, "'train.py' converts '--amp False' with type=bool, which makes any text True"),
        ("p.add_argument('-a', '--amp', action='store_true')", True, "gets '--amp True', but its option is a flag"),
        ("p.add_argument('--amp', action=argparse.BooleanOptionalAction)", False, "its option is a flag"),
        ("flags.DEFINE_bool('amp', True, 'Mixed.')", False, "absl reads only '--amp' or '--amp=False'"),
        ("flags.DEFINE_boolean('amp', True, 'Mixed.')", False, "'{amp:--amp|--noamp}'"),
        ("@click.option('--amp/--no-amp')\ndef main(): ...", True, "its option is a flag"),
        ("@click.option('--amp', is_flag=True)\ndef main(): ...", True, "JobSpec(arguments=['{amp:--amp}', ...])"),
    ],
)
def test_boolean_that_does_not_arrive_is_found(tmp_path: Path, code: str, value: bool, said: str) -> None:
    (line,) = found(tmp_path, code, {"amp": value})

    assert said in line
    assert found(tmp_path, code, {"amp": value}, arguments=["{}={}"]) == []


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (ARGPARSE_BOOL, True),
        (ARGPARSE_BOOL, 1),
        ("p.add_argument('--amp', type=str2bool)", False),
        ("p.add_argument('--ampere', action='store_true')", True),
        ("@click.option('--amp', is_flag=False, type=bool)\ndef main(): ...", True),
        ("flags.DEFINE_string('amp', '', 'Text.')", False),
        ("def broken(:", False),
        (b"\xff\xfe", False),
    ],
)
def test_what_arrives_is_not_reported(tmp_path: Path, code: str | bytes, value: Any) -> None:
    assert found(tmp_path, code, {"amp": value}) == []


def test_module_next_to_the_script_that_is_not_sent_is_found(tmp_path: Path) -> None:
    (tmp_path / "utils.py").touch()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    (tmp_path / "data").mkdir()
    code = "import os, utils.deep, numpy, data\nfrom models import net\nfrom . import other\nimport train\n"
    models, utils = found(tmp_path, code, {})

    assert f"imports 'utils', which is next to it but is not sent. Pass source_dir={str(tmp_path)!r}" in utils
    assert f"dependencies=[{str(tmp_path / 'models')!r}]" in models
    assert found(tmp_path, code, {}, dependencies=[tmp_path / "utils.py", tmp_path / "models"]) == []
    assert mistakes(JobSpec("train.py", source_dir=tmp_path), {}) == []
