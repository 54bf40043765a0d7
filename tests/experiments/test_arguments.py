"""How a job's script is called: templates of its arguments, from the specification to the endpoint."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.toy_job import TOY

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, Workspace

SHOWS = "import json, sys\nprint('argv ' + json.dumps(sys.argv))\n"
SHELL = '#!/bin/sh\nfor argument in "$0" "$@"; do echo "argv $argument"; done\n'


def called(workspace: Workspace, job: JobSpec, hyperparameters: dict[str, Any]) -> list[str]:
    """Run a script that shows its arguments, and return what it shows."""
    submitted = ExperimentRunner(workspace, "called", job=job).submit(hyperparameters)

    assert submitted.result().hyperparameters == hyperparameters
    return [line.removeprefix("argv ") for line in submitted.logs() if line.startswith("argv ")]


@pytest.mark.parametrize(
    ("template", "hyperparameters", "arguments"),
    [
        (["{}={}"], {"optimizer.lr": 0.1, "seed": 1}, ["optimizer.lr=0.1", "seed=1"]),
        (["fit", "--lr={lr}", "{amp:--amp}", "{tf32:--tf32}"], {"lr": 1e-05, "amp": True, "tf32": False}, None),
        ([], {"lr": 0.1}, []),
        (None, {"lr": 0.1}, ["--lr", "0.1"]),
    ],
)
def test_script_is_called_as_its_template_says(
    workspace: Workspace,
    tmp_path: Path,
    template: list[str] | None,
    hyperparameters: dict[str, Any],
    arguments: list[str] | None,
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "train.py").write_text(SHOWS)
    job = JobSpec("sub/train.py", source_dir=tmp_path, arguments=template)

    (argv,) = called(workspace, job, hyperparameters)
    assert json.loads(argv) == ["sub/train.py", *(["fit", "--lr=1e-05", "--amp"] if arguments is None else arguments)]


def test_shell_script_alone_gets_the_container_s_folders(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "train.sh").write_text(SHELL)
    job = JobSpec(tmp_path / "train.sh", arguments=["--model", "{SM_MODEL_DIR}", "a b", "{}={}"])

    program, *arguments = called(workspace, job, {"x": "1 2"})
    assert program == "./train.sh"
    assert arguments[1].endswith("/model")
    assert arguments[::2] == ["--model", "a b"]
    assert arguments[3] == "x=1 2"


def test_module_of_a_package_is_called_with_them(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("from setuptools import setup\nsetup(name='own', py_modules=['train'])\n")
    (tmp_path / "train.py").write_text(SHOWS)
    job = JobSpec("train.py", source_dir=tmp_path, arguments=["{}={}"])

    (argv,) = called(workspace, job, {"lr": 1})
    assert json.loads(argv)[1:] == ["lr=1"]


def test_endpoint_runs_the_script_and_not_its_launcher(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    job = toy_job(arguments=["--slope={slope}", "--steps=20", "{note:|}"])
    trial = ExperimentRunner(workspace, "lines", job=job).run({"slope": 2.0, "note": "a"})

    with trial.deploy() as endpoint:
        assert endpoint.predict(np.array([1.0]))[0] == pytest.approx(2.0, abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("fit", r"expected a list of strings, such as \['fit', '\{\}=\{\}'\]"),
        ([1], "is not a string"),
        (["--lr={lr"], "is not allowed: .*braces"),
        (["{lr!r}"], "is not allowed"),
        (["{lr}\0"], "is not allowed: it has a null character"),
        (["x" * 2500], "longer than 2500 characters"),
    ],
)
def test_wrong_template_is_rejected(arguments: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        JobSpec("train.py", source_dir=TOY, arguments=arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate={rate}"], "mention 'rate', which is not a hyperparameter"),
        (["{SM_MODEL_DIR:--model}", "{lr}"], "mention 'SM_MODEL_DIR', which is not"),
        (["fit"], r"'lr' is in none of the arguments.*'\{lr:\|\}' passes nothing"),
        (["{lr:--fast}"], "'lr' is 0.1; its argument, '{lr:--fast}', needs True or False"),
        (["{lr}", "{SM_CHANNEL_TRAIN}"], "The arguments need the input 'train'"),
    ],
)
def test_template_that_does_not_fit_the_trial_is_rejected_before_anything_is_sent(
    workspace: Workspace, toy_job: Callable[..., JobSpec], arguments: list[str], said: str
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job(arguments=arguments))

    with pytest.raises(ConfigError, match=said):
        runner.run({"lr": 0.1})
    assert list(workspace.trials(experiment="lines")) == []


def test_code_in_s3_has_no_place_for_the_launcher() -> None:
    with pytest.raises(ConfigError, match="needs a local source_dir"):
        JobSpec("train.py", source_dir="s3://bucket/code.tar.gz", arguments=["{}={}"])
