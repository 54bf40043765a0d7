"""What was read can be kept: pickled, copied, used as a key, and not changed from outside."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import attrs
import boto3
import pytest

import mnist_tracking
from mnist_tracking import ExperimentRunner, JobSpec, Leaderboard, LineageTracer, SubmittedTrial, Workspace, types
from mnist_tracking._values.settings import Settings
from mnist_tracking.embedded import EmbeddedSageMaker

SNAPSHOTS: dict[str, Callable[[Workspace], Any]] = {
    "leaderboard": lambda workspace: Leaderboard.load(workspace, "churn", objective="accuracy"),
    "lineage": lambda workspace: LineageTracer(workspace).trace("weak"),
    "trial": lambda workspace: workspace.trial("weak"),
    "result": lambda workspace: workspace.trial("weak"),
    "series": lambda workspace: workspace.trial("weak").series()["accuracy"],
    "comparison": lambda workspace: workspace.compare("weak", "strong"),
    "plan": lambda workspace: ExperimentRunner(workspace, "churn").cleanup_plan(),
    "trials": lambda workspace: workspace.trials("churn"),
    "components": lambda workspace: workspace.components(),
    "experiments": lambda workspace: workspace.experiments(),
    "submitted": lambda workspace: SubmittedTrial(workspace, "weak", "churn", "its-job"),
    "settings": lambda workspace: workspace.settings,
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two trials in one experiment; nobody changes it."""
    with Workspace.embedded(tmp_path_factory.mktemp("snapshots"), prefix="mine", tags={"team": "cv"}) as workspace:
        runner = ExperimentRunner(workspace, "churn")
        for name, accuracy in (("weak", 0.8), ("strong", 0.9)):
            with runner.trial({"C": accuracy}, name=name) as trial:
                trial.log_metric("accuracy", accuracy)
        yield workspace


@pytest.mark.parametrize("what", SNAPSHOTS)
@pytest.mark.parametrize("again", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy])
def test_a_snapshot_can_be_pickled_and_copied(filled: Workspace, what: str, again: Callable[[Any], Any]) -> None:
    snapshot = SNAPSHOTS[what](filled)

    other = again(snapshot)
    assert (type(other), str(other)) == (type(snapshot), str(snapshot))
    if attrs.has(type(snapshot)):
        assert (other, hash(other)) == (snapshot, hash(snapshot))


def test_what_is_read_again_from_a_pickle_reads_on(filled: Workspace) -> None:
    trial, board = pickle.loads(pickle.dumps((filled.trial("weak"), Leaderboard.load(filled, "churn"))))

    assert trial.series()["accuracy"].values == (0.8,)
    assert len(board.dataframe(layout="analytics")) == 2
    assert trial._account is board._account


def test_a_plan_from_a_pickle_deletes_what_it_says(tmp_path: Path) -> None:
    with Workspace.embedded(tmp_path / "home") as workspace:
        plan = ExperimentRunner(workspace, "short-lived").cleanup_plan()

        report = pickle.loads(pickle.dumps(plan)).execute()
        assert report.deleted == (("experiment", "short-lived"),)
        assert list(workspace.experiments()) == []


def test_another_process_reads_on_from_a_pickle(filled: Workspace, tmp_path: Path) -> None:
    (tmp_path / "trial").write_bytes(pickle.dumps(filled.trial("strong")))
    program = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).series()['accuracy'].values)"

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "trial"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "(0.9,)\n"


def test_a_workspace_is_made_again_from_its_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = Workspace.embedded("home", python="/usr/bin/python3", prefix="mine", tags={"team": "cv"})
    second = pickle.loads(pickle.dumps(first))

    assert second is not first
    assert second._engine.home == tmp_path / "home"
    assert (second._engine.python, second.settings) == ("/usr/bin/python3", first.settings)
    assert copy.copy(first) is copy.deepcopy([first])[0] is first
    for workspace in (first, second):
        workspace.close()


def test_a_pickle_of_a_workspace_on_aws_holds_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "aws_access_key_id = AKIATOLD\naws_secret_access_key = a-secret"
    (tmp_path / "credentials").write_text(f"[work]\n{keys}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    workspace = Workspace.aws(profile="work", bucket="my-bucket")
    workspace.client("sagemaker")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    kept = pickle.dumps(workspace)
    again = pickle.loads(kept)

    assert not any(secret in kept for secret in (b"AKIATOLD", b"a-secret"))
    assert (again.region, again.boto_session.profile_name, again.settings.bucket) == ("eu-west-1", "work", "my-bucket")


def test_what_cannot_be_described_is_not_pickled(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home")
    session = boto3.Session("key", "secret", region_name="us-east-1")
    for workspace in (Workspace.embedded(engine=engine), Workspace.aws(boto_session=session)):
        with pytest.raises(
            pickle.PicklingError,
            match=r"with a boto3 session or an engine.* Create it with Workspace\.embedded\(home\)",
        ):
            pickle.dumps(workspace)
        assert copy.deepcopy(workspace) is workspace
    engine.close()


def records() -> Iterator[type[Any]]:
    """Yields every public record, and the settings."""
    yield Settings
    for name, module in [*((n, mnist_tracking) for n in mnist_tracking.__all__), *((n, types) for n in dir(types))]:
        found = getattr(module, name)
        if isinstance(found, type) and attrs.has(found):
            yield found


def test_every_record_can_be_hashed_and_copies_its_mappings() -> None:
    mappings = [
        field
        for record in records()
        for field in attrs.fields(record)
        if str(field.type).startswith(("collections.abc.Mapping", "dict"))
    ]

    assert len(mappings) >= 9
    assert [field.name for field in mappings if field.hash is not False or field.converter is None] == []


def test_equal_records_are_one_key_and_do_not_change(filled: Workspace, tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    given = {"lr": 0.1}
    job = JobSpec(tmp_path / "train.py", hyperparameters=given)
    trials = [cast("Any", filled.trial("weak")) for _ in range(2)]
    parameters = dict(trials[0].hyperparameters)
    changed = attrs.evolve(trials[0], hyperparameters=parameters)

    given["lr"] = parameters["C"] = 7
    assert (job.hyperparameters["lr"], changed.hyperparameters["C"]) == (0.1, 0.8)
    assert {job: 1}[JobSpec(tmp_path / "train.py", hyperparameters={"lr": 0.1})] == 1
    assert len({*trials, changed}) == 1
    assert len({*filled.experiments(), *filled.experiments()}) == 1
