"""Sweep files: what Weights & Biases accepts is read as it is, and errors name the line and the key."""

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from tests.support.spaces import spaces

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Objective,
    Space,
    StopRules,
    choice,
    fixed,
    integers,
    loguniform,
    uniform,
    when,
)
from mnist_tracking.experiments.sweep.recipe import Recipe

WANDB = """\
program: train.py
method: bayes
project: churn
entity: my-team
name: night
description: Learning rate and depth.
metric:
  name: score
  goal: maximize
  target: 0.99
run_cap: 50
parameters:
  lr:
    distribution: log_uniform_values
    min: 1e-4
    max: 1e-1
  dropout: {min: 0.0, max: 0.5}
  depth: {min: 2, max: 8}
  width:
    distribution: q_uniform
    min: 30
    max: 100
    q: 8
  batch_size:
    distribution: q_log_uniform_values
    q: 1
    min: 8
    max: 256
  epochs:
    value: 10
  optimizer:
    parameters:
      name: {values: [adam, sgd]}
      decay: {values: [0, 1e-3]}
early_terminate:
  type: hyperband
  min_iter: 3
  eta: 2
command:
  - ${env}
  - ${interpreter}
  - ${program}
  - fit
  - ${args_no_hyphens}
"""


def written(folder: Path, text: str, name: str = "sweep.yaml") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def read(text: str, folder: Path = Path()) -> Recipe:
    return Recipe.read(written(folder, text))


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_file_of_weights_and_biases_is_read_as_it_is() -> None:
    recipe = read(WANDB)

    assert recipe.space == Space.of(
        {
            "lr": loguniform(1e-4, 1e-1),
            "dropout": uniform(0, 0.5),
            "depth": integers(2, 8),
            "width": integers(32, 96, step=8),
            "batch_size": integers(8, 256, log=True),
            "epochs": fixed(10),
            "optimizer": {"name": ["adam", "sgd"], "decay": [0, 1e-3]},
        }
    )
    assert (recipe.program, recipe.experiment) == ("train.py", "churn")
    assert recipe.arguments == ("fit", "{}={}")
    assert recipe.options == {
        "strategy": "tpe",
        "pruner": {"type": "asha", "min_iter": 3, "eta": 2},
        "max_trials": 50,
        "name": "night",
    }
    assert recipe.stop == StopRules(target=0.99)


def test_the_keys_of_this_library_are_read() -> None:
    recipe = read(
        """\
        parameters:
          optimizer: {values: [adam, sgd]}
          momentum: {min: 0, max: 0.9, step: 0.1, when: {optimizer: sgd}}
          nested:
            parameters: {a: {min: 1, max: 100, log: true}, b: {values: [1, 2], when: {a: [1, 2]}}}
          "job:instance_type": {values: [ml.m5.large]}
        method: qmc
        metric: {name: score, goal: minimize, statistic: min, regex: "score=(.*)"}
        points_first: [{optimizer: adam, nested.a: 3, "job:instance_type": ml.m5.large}]
        early_terminate: {type: median, min_trials: 3}
        max_parallel: 4
        repeats: 3
        repeat_by: seed
        retries: 0
        seed: 7
        warm_start: [earlier]
        stop: {max_time: 3600, failures: 3}
        """
    )

    assert recipe.space == Space.of(
        {
            "optimizer": ["adam", "sgd"],
            "momentum": when("optimizer", "sgd", uniform(0, 0.9, step=0.1)),
            "nested": {"a": integers(1, 100, log=True), "b": when("a", [1, 2], [1, 2])},
            "job:instance_type": ["ml.m5.large"],
        },
        first=[{"optimizer": "adam", "nested.a": 3, "job:instance_type": "ml.m5.large"}],
    )
    assert recipe.options == {
        "strategy": "qmc",
        "pruner": {"type": "median", "min_trials": 3},
        "max_parallel": 4,
        "repeats": 3,
        "repeat_by": "seed",
        "retries": 0,
        "seed": 7,
        "warm_start": ["earlier"],
    }
    assert recipe.stop == StopRules(max_time=3600, failures=3)
    assert recipe.metric is not None
    assert recipe.metric.as_option() == "score=score=(.*)"


def test_points_stand_in_place_of_parameters() -> None:
    assert read("points: [{lr: 0.1}, {lr: 0.2, depth: 2}]").space == Space.of([{"lr": 0.1}, {"lr": 0.2, "depth": 2}])


def test_json_is_read_as_well() -> None:
    path = written(Path(), json.dumps({"method": "grid", "parameters": {"lr": {"values": [0.1]}}}), "sweep.json")

    assert Recipe.read(path).space == Space.of({"lr": [0.1]})


@pytest.mark.parametrize(
    ("parameter", "dimension"),
    [
        ("{min: 0, max: 1.0}", uniform(0, 1)),
        ("{min: 0, max: 1, distribution: uniform}", uniform(0, 1)),
        ("{min: -3, max: 0, distribution: log_uniform}", loguniform(math.exp(-3), 1)),
        ("{min: 0, max: 1.0, q: 0.25, distribution: q_uniform}", uniform(0, 1, step=0.25)),
        ("{min: 0, max: 5, distribution: q_uniform}", integers(0, 5)),
        ("{min: 0, max: 5, distribution: q_log_uniform}", integers(1, 148, log=True)),
        ("{min: 32, max: 256, q: 8, distribution: q_log_uniform_values}", integers(32, 256, step=8, log=True)),
        ("{min: 3, max: 100, q: 8, distribution: q_log_uniform_values}", integers(8, 96, step=8, log=True)),
        ("{values: [1, two, [3], {four: 4}], distribution: categorical}", choice([1, "two", [3], {"four": 4}])),
        ("{value: null, distribution: constant}", fixed(None)),
        ("{values: [1e3, 1E-3, 1.5e+2, '1e3', 0x10]}", choice([1000.0, 0.001, 150.0, "1e3", 16])),
    ],
)
def test_distributions_are_those_of_weights_and_biases(parameter: str, dimension: object) -> None:
    assert read(f"parameters: {{p: {parameter}}}").space.dimensions == {"p": dimension}


@pytest.mark.parametrize(
    ("early_terminate", "pruner"),
    [
        ("{type: hyperband, min_iter: 2}", {"type": "asha", "min_iter": 2, "eta": 3}),
        ("{type: hyperband, max_iter: 27, s: 2}", {"type": "asha", "min_iter": 3, "eta": 3}),
        ("{type: hyperband, max_iter: 5, s: 3, eta: 2}", {"type": "asha", "min_iter": 1, "eta": 2}),
        ("{type: asha, min_iter: 2, eta: 4}", {"type": "asha", "min_iter": 2, "eta": 4}),
        ("{type: patience, patience: 2}", {"type": "patience", "patience": 2}),
    ],
)
def test_early_termination_has_the_same_rungs(early_terminate: str, pruner: dict[str, object]) -> None:
    recipe = read(f"parameters: {{p: {{value: 1}}}}\nearly_terminate: {early_terminate}")

    assert recipe.options["pruner"] == pruner


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parameters: {lr: {min: 1, max: 0}}", "sweep.yaml:1: parameters.lr.min: it is above max, which is 0"),
        ("a: 1\nparamters: {}", "sweep.yaml:1: a: unknown key. Available: 'apiVersion', 'command'"),
        ("\nparamters: {}", "sweep.yaml:2: paramters: unknown key. Did you mean 'parameters'?"),
        ("method: grid", "sweep.yaml: parameters is missing"),
        ("parameters: {}", "sweep.yaml:1: parameters: expected keys and values, not {}"),
        ("parameters:\n  lr: 0.1", "sweep.yaml:2: parameters.lr: expected keys and values, such as value: 0.1"),
        ("parameters:\n  lr: [1, 2]", "parameters.lr: expected keys and values, such as values: [1, 2]"),
        ("parameters:\n  lr:\n    mim: 1\n    max: 2", "sweep.yaml:3: parameters.lr.mim: unknown key. Did"),
        ("parameters: {lr: {max: 2}}", "parameters.lr.min: expected a number, not None"),
        ("parameters: {lr: {max: 2, min: a}}", "parameters.lr.min: expected a number, not 'a'"),
        ("parameters: {lr: {q: 2}}", "parameters.lr: expected value, values, min and max, or parameters"),
        ("parameters: {lr: {values: 2}}", "parameters.lr.values: 2; expected a list of values"),
        ("parameters: {lr: {values: []}}", "parameters.lr.values: There are no values"),
        ("parameters: {lr: {values: [1], probabilities: [1]}}", "lr.probabilities: not supported, since all values"),
        ("parameters: {lr: {distribution: normal, mu: 1}}", "distribution: the distribution 'normal' has no limits"),
        ("parameters: {lr: {distribution: unifrom, min: 0, max: 1}}", "'unifrom'; expected one of .* Did you mean"),
        ("parameters: {lr: {distribution: constant, min: 0, max: 1}}", "'constant'; expected one of int_uniform"),
        ("parameters: {lr: {distribution: int_uniform, min: 0.5, max: 1}}", "lr: low=0.5; expected an integer"),
        ("parameters: {lr: {distribution: log_uniform_values, min: 0, max: 1}}", "min: expected a number > 0"),
        (
            "parameters: {C: {distribution: log_uniform, min: 0.1, max: 1000.0}}",
            "C.distribution: log_uniform takes exp",
        ),
        ("parameters: {lr: {distribution: q_uniform, min: 0, max: 1, q: 0}}", "lr.q: 0; expected a number > 0"),
        (
            "parameters: {lr: {distribution: q_log_uniform_values, min: 1, max: 9, q: 0.5}}",
            "lr.q: 0.5; expected an int",
        ),
        (
            "parameters:\n  lr: {distribution: q_uniform, min: 0, max: 1, q: 0}",
            "sweep.yaml:2: parameters.lr.q: 0; expected a number",
        ),
        ("parameters: {lr: {value: 1, when: {opt: 1}}}", "parameters: 'lr' depends on 'opt', which is not a parameter"),
        ("parameters: {lr: {value: 1, when: opt}}", "parameters.lr.when: expected keys and values, not 'opt'"),
        ("parameters: {lr: {value: 1}}\npoints: [{lr: 1}]", "sweep.yaml:2: points: a sweep has parameters or points"),
        ("points: 1", "points: expected a list of mappings, not 1"),
        ("parameters: {lr: {value: 1}}\npoints_first: [{l: 1}]", "points_first: .* has no parameter 'l'. Did you mean"),
        ("parameters: {lr: {value: 1}}\nmethod: baise", "sweep.yaml:2: method: 'baise'; expected one of 'grid'"),
        ("parameters: {lr: {value: 1}}\nrun_cap: 0", "run_cap: expected an integer >= 1, not 0"),
        ("parameters: {lr: {value: 1}}\nname: my sweep", "name: The sweep name 'my sweep' .* such as 'my-sweep'"),
        ("parameters: {lr: {value: 1}}\nproject: 5", "project: expected a string, not 5"),
        ("parameters: {lr: {value: 1}}\nmetric: {goal: minimize}", "metric: name is missing"),
        (
            "parameters: {lr: {value: 1}}\nmetric: {name: a, goal: maximise}",
            "metric: goal='maximise'; expected one of 'maximize'",
        ),
        ("parameters: {lr: {value: 1}}\nmetric: {name: a, impute: best}", "metric.impute: not supported. Write worst"),
        ("parameters: {lr: {value: 1}}\nwarm_start: [1]", "warm_start: expected names of experiments"),
        ("parameters: {lr: {value: 1}}\nearly_terminate: {type: hyperband}", "early_terminate: min_iter is missing"),
        ("parameters: {lr: {value: 1}}\nearly_terminate: {type: hyperband, min_iter: 1, eta: 2.5}", "2.5; expected an"),
        ("parameters: {lr: {value: 1}}\nearly_terminate: {type: hyperband, min_iter: 1, strict: false}", "strict: not"),
        (
            "parameters: {lr: {value: 1}}\nearly_terminate: {type: medain}",
            "early_terminate.type: 'medain'; .* Did you mean 'median'",
        ),
        ("parameters: {lr: {value: 1}}\nearly_terminate: {min_iter: 1}", "early_terminate: type is missing, such as"),
        (
            "parameters: {lr: {value: 1}}\nstop: {max_tim: 1}",
            "stop.max_tim: unknown key. Did you mean 'max_time'",
        ),
        ("parameters: {lr: {value: 1}}\nstop: {patience: 0}", "sweep.yaml:2: stop: patience=0; expected an integer"),
        ("parameters: {lr: {value: 1}}\nscheduler: {engine: ax}", "scheduler: not supported: pass a sampler"),
        ("parameters: {lr: {value: 1}}\njob: x", "job: not supported: a job of Weights & Biases Launch"),
        ("parameters: {lr: {value: 1}}\ncommand: [bash, run.sh]", "command: .* expected a script that Python runs"),
        ("parameters: {lr: {value: 1}}\ncommand: train.py", "command: 'train.py'; expected a list of strings"),
        ("parameters: {lr: {value: 1}}\ncommand: [python, a.py, '${args_json}']", "'${args_json}' is not supported"),
        ("parameters:\n  lr: {value: 1}\n  lr: {value: 2}", "sweep.yaml:3: the key 'lr' occurs twice"),
        ("parameters: {on: {value: 1}}", "sweep.yaml:1: the key 'on' is not a string; write it in quotes"),
        ("parameters: {[1]: {value: 1}}", "sweep.yaml:1: the key [ScalarNode("),
        ("parameters: &a {lr: *a}", "sweep.yaml:1: the value contains itself"),
        ("parameters: {lr: {value: 2026-13-45}}", "sweep.yaml:1: month must be in 1..12"),
        ("parameters: {lr: {value: 2026-11-24}}", "parameters: .* expected a finite number, a string"),
        ("parameters: {lr: [", "sweep.yaml:1: not valid YAML: expected the node content"),
        ("- lr", "sweep.yaml: expected keys and values, not ['lr']"),
        ("", "sweep.yaml: expected keys and values, not None"),
    ],
)
def test_an_error_names_the_line_and_the_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)

    parts = said.split(" .* ")
    assert all(part in str(caught.value) for part in parts), caught.value
    assert str(caught.value).count("sweep.yaml") == 1


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'missing.yaml' cannot be read: .*No such file"):
        Recipe.read("missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("parameters: {größe: {value: 1}}".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"'latin.yaml' cannot be read: .*utf-8"):
        Recipe.read("latin.yaml")


@given(spaces())
def test_a_space_written_as_yaml_is_read_back_in_any_order(space: Space) -> None:
    """Programs that write YAML often sort the keys."""
    with tempfile.TemporaryDirectory() as folder:
        assert read(yaml.safe_dump({"parameters": space.to_json()["parameters"]}), Path(folder)).space == space


def test_merged_keys_are_resolved() -> None:
    recipe = read("parameters:\n  a: &range {min: 0, max: 1.0}\n  b: {<<: *range, max: 2.0}")

    assert recipe.space == Space.of({"a": uniform(0, 1), "b": uniform(0, 2)})


def test_a_missing_goal_is_that_of_weights_and_biases(toy_job: Callable[..., JobSpec]) -> None:
    """Which is to minimize; a job that maximizes the same metric makes it an error."""
    parameters = "parameters: {slope: {value: 1}}\n"
    job = toy_job(metrics={"score": "score=(.*)", "error": "error=(.*)"}, objective=Objective("score", statistic="max"))

    assert read(f"{parameters}metric: {{name: error}}").objective(job) == Objective("error", goal="minimize")
    assert read(parameters).objective(job) == job.objective
    found = read(f"{parameters}metric: {{name: score, goal: maximize}}").objective(job)
    assert found == Objective("score", statistic="max")
    with pytest.raises(ConfigError, match=r"sweep.yaml:2: metric: the goal is missing: that of the job is 'maximize'"):
        read(f"{parameters}metric: {{name: score}}").objective(job)


def test_keywords_override_the_file(runner: ExperimentRunner) -> None:
    parameters = "parameters: {slope: {values: [1, 2, 3]}}\n"
    path = written(Path(), f"{parameters}run_cap: 2\nmax_parallel: 2\nmetric: {{name: error}}\nname: night")
    sweep = HyperparameterSweep.from_file(runner, path, max_parallel=1)

    assert (sweep.name, len(sweep), sweep.max_parallel) == ("night", 2, 1)
    board = sweep.run()
    assert board.objective == Objective("error", goal="minimize")
    assert [trial.hyperparameters["slope"] for trial in board] == [1, 2]
    with pytest.raises(ConfigError, match="expected an ExperimentRunner with a job"):
        HyperparameterSweep.from_file("lines", path)  # type: ignore[arg-type]


def test_the_job_must_be_that_of_the_file(toy_job: Callable[..., JobSpec]) -> None:
    parameters = "parameters: {slope: {value: 1}}\n"
    job = toy_job()

    with pytest.raises(ConfigError, match=r"program: 'other.py', but the script of the job is"):
        read(f"{parameters}program: src/other.py".replace("src/", "")).keywords(job)
    with pytest.raises(ConfigError, match=r"command: the job needs arguments=\['fit', '\{\}=\{\}'\]"):
        read(f"{parameters}command: [python, '${{program}}', fit, '${{args_no_hyphens}}']").keywords(job)
    with pytest.raises(ConfigError, match=r"sweep.yaml:2: metric.name: The objective is 'scor'.* Did you mean 'score'"):
        read(f"{parameters}metric: {{name: scor}}").keywords(job)
    assert read(f"{parameters}program: {job.entry_point}\nrepeats: 2").keywords(job) == {
        "repeats": 2,
        "stop": StopRules(),
        "objective": job.objective,
    }
