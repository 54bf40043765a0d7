"""A whole experiment as files: every record and every value, whole or as it was before, in few calls."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.sent import Sent

from mnist_tracking import ConfigError, ExperimentRunner, JobSpec, NotFoundError, ServiceError, Workspace
from mnist_tracking.embedded import EmbeddedSageMaker, Fault, Lag

TABLES = ("trials.csv", "trials.jsonl", "components.jsonl", "metrics.csv", "lineage.json")


@pytest.fixture
def churn(workspace: Workspace, tmp_path: Path) -> ExperimentRunner:
    """Two trials that share a step, with a model each, and one that was never trained."""
    runner = ExperimentRunner(workspace, "churn", description="Who leaves?", tags={"team": "cv"})
    with runner.step("Cleaning") as step:
        step.log_metric("dropped", 12.0)
    (tmp_path / "weights.txt").write_text("0.5")
    for name, rate in (("slow", 0.1), ("fast", 0.5)):
        with runner.trial({"rate": rate, "optimizer": "sgd", "shuffled": True}, name=name) as trial:
            for number, loss in enumerate((0.5, rate)):
                trial.log_metric("loss", loss, step=number)
            trial.log_model(tmp_path / "weights.txt")
    workspace.client("sagemaker").create_trial(TrialName="empty", ExperimentName="churn")
    return runner


def contents(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in TABLES}


def test_pandas_reads_what_was_recorded(workspace: Workspace, churn: ExperimentRunner, tmp_path: Path) -> None:
    found = workspace.download("churn", tmp_path / "got")
    trials = pd.read_csv(tmp_path / "got" / "trials.csv", index_col="trial")
    values = pd.read_csv(tmp_path / "got" / "metrics.csv")

    assert found.rows == {"trials": 3, "components": 3, "metrics": 6, "files": 2}
    assert trials.index.tolist() == ["slow", "fast", "empty"]
    assert trials["param.rate"].dropna().tolist() == trials["metric.loss.last"].dropna().tolist() == [0.1, 0.5]
    assert trials["tag.team"].tolist()[:2] == ["cv", "cv"]
    losses = values[(values["trial"] == "slow") & (values["metric"] == "loss")]
    assert losses[["step", "value"]].to_numpy().tolist() == [[0, 0.5], [1, 0.1]]
    assert values[values["metric"] == "dropped"]["trial"].tolist() == ["slow", "fast"]


def test_the_json_of_a_download_has_a_stable_shape(
    workspace: Workspace, churn: ExperimentRunner, tmp_path: Path
) -> None:
    workspace.download("churn", tmp_path / "got")
    experiment, lineage = (json.loads((tmp_path / "got" / f"{n}.json").read_text()) for n in ("experiment", "lineage"))
    lines = (tmp_path / "got" / "components.jsonl").read_text().splitlines()
    step, training, _ = map(json.loads, lines)
    trial = json.loads((tmp_path / "got" / "trials.jsonl").read_text().splitlines()[0])

    assert set(experiment) == {"schema_version", "written", "region", "experiment", "rows"}
    assert (experiment["schema_version"], experiment["experiment"]["description"]) == (1, "Who leaves?")
    assert step["parents"] == [["slow", "churn"], ["fast", "churn"]]
    assert training["parameters"] == {
        "rate": 0.1,
        "optimizer": "sgd",
        "shuffled": True,
        "mnist-tracking:checked": True,
    }
    assert training["metrics"]["loss"]["min"] == 0.1
    assert (trial["trial"], trial["param.shuffled"], trial["param.rate"]) == ("slow", True, 0.1)
    assert {node["kind"] for node in lineage["nodes"]} == {"step", "model"}
    assert all(set(edge) == {"source", "target", "label"} for edge in lineage["edges"])


def test_files_come_with_an_index_and_only_if_wanted(
    workspace: Workspace, churn: ExperimentRunner, tmp_path: Path
) -> None:
    tables = workspace.download("churn", tmp_path / "got", files=False)
    assert not (tmp_path / "got" / "files").exists()
    assert (tables.fetched, "files" in tables.rows) == (0, False)

    assert workspace.download("churn", tmp_path / "got").fetched == 2
    index = pd.read_csv(tmp_path / "got" / "files.csv")
    assert [(tmp_path / "got" / path / "weights.txt").read_text() for path in index["path"]] == ["0.5", "0.5"]
    assert workspace.download("churn", tmp_path / "got").fetched == 0


def test_what_the_experiment_no_longer_has_goes_and_the_rest_stays(
    workspace: Workspace, churn: ExperimentRunner, tmp_path: Path
) -> None:
    workspace.download("churn", tmp_path / "got")
    (tmp_path / "got" / "notes.txt").write_text("mine")
    churn.cleanup_plan(trials=["slow"]).execute()
    found = workspace.download("churn", tmp_path / "got")

    assert (found.rows["trials"], found.fetched) == (2, 0)
    assert len(list((tmp_path / "got").rglob("weights.txt"))) == 1
    assert (tmp_path / "got" / "notes.txt").read_text() == "mine"


def test_a_download_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home", sleep=lambda seconds: None)
    workspace = Workspace.embedded(engine=engine)
    for name in ("a", "b"):
        with ExperimentRunner(workspace, "churn").trial(name=name) as trial:
            trial.log_metric("loss", 0.5)
        if name == "a":
            workspace.download("churn", tmp_path / "got")
            before = contents(tmp_path / "got")
    with engine.inject(Fault("InternalFailure", operation="BatchGetMetrics", times=None)), pytest.raises(ServiceError):
        workspace.download("churn", tmp_path / "got")

    assert contents(tmp_path / "got") == before
    assert {path.name for path in (tmp_path / "got").iterdir()} >= {*TABLES, "experiment.json"}
    assert not (tmp_path / "got" / ".part").exists()
    assert workspace.download("churn", tmp_path / "got").rows["trials"] == 2
    engine.close()


def test_nothing_is_made_for_an_experiment_that_is_not_there(
    workspace: Workspace, churn: ExperimentRunner, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match=r"No experiment named 'chrn'\. Existing: 'churn'"):
        workspace.download("chrn", tmp_path / "got")
    assert not (tmp_path / "got").exists()
    workspace.trial("slow").download(tmp_path / "slow")
    with pytest.raises(ConfigError, match="contains another download"):
        workspace.download("churn", tmp_path / "slow")


def test_a_page_of_a_hundred_is_a_call(workspace: Workspace, sent: Sent, client: Any, tmp_path: Path) -> None:
    client.create_experiment(ExperimentName="wide")
    for number in range(120):
        names = {"TrialName": f"t-{number}"}
        client.create_trial(**names, ExperimentName="wide")
        client.create_trial_component(TrialComponentName=f"c-{number}", DisplayName="Training")
        client.associate_trial_component(**names, TrialComponentName=f"c-{number}")
    told: list[int] = []
    sent.clear()
    found = workspace.download("wide", tmp_path / "got", on_progress=told.append)

    assert found.rows == {"trials": 120, "components": 120, "metrics": 0, "files": 0}
    assert Counter(operation for operation, _ in sent) == {
        "DescribeExperiment": 1,
        "ListTags": 1,
        "ListTrialComponents": 2,
        "ListTrials": 2,
        "Search": 4,
    }
    assert told == list(range(1, 121))


def test_what_search_does_not_show_yet_is_written_too(workspace: Workspace, tmp_path: Path) -> None:
    runner = ExperimentRunner(workspace, "churn", tags={"team": "cv"})
    with runner.trial(name="late"), runner.step("Cleaning"):
        pass
    before = workspace.download("churn", tmp_path / "before").rows
    workspace._engine.lag = Lag(search_s=3600.0)  # type: ignore[union-attr]

    assert workspace.download("churn", tmp_path / "got").rows == before
    for table in ("trials.csv", "components.jsonl"):
        assert (tmp_path / "got" / table).read_text() == (tmp_path / "before" / table).read_text()


SCRIPT = """
import os
from pathlib import Path
from mnist_tracking.job import log_artifact, log_metric

for step, score in enumerate((0.5, 0.75)):
    log_metric("score", score, step=step)
Path(os.environ["SM_MODEL_DIR"], "line.txt").write_text("0.75")
Path(os.environ["SM_OUTPUT_DATA_DIR"], "notes.txt").write_text("kept")
Path("roc.png").write_text("curve")
log_artifact("roc.png", name="plots/roc: 100%.png")
"""


def test_a_job_has_a_log_its_output_and_all_that_it_printed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    job = JobSpec(entry_point=tmp_path / "train.py", metrics=["score"])
    ExperimentRunner(workspace, "lines", job=job).run(name="flat")
    found, trial = workspace.download("lines", tmp_path / "got"), workspace.trial("flat").download(tmp_path / "flat")
    index = pd.read_csv(tmp_path / "got" / "files.csv").set_index("kind")["path"]
    values = pd.read_csv(tmp_path / "got" / "metrics.csv")

    assert 'metric "score"=0.75 step=1;' in (tmp_path / "got" / index["log"]).read_text()
    assert (tmp_path / "got" / index["log"]).read_text() == (tmp_path / "flat" / "log.txt").read_text()
    assert (tmp_path / "got" / index["model"] / "line.txt").read_text() == "0.75"
    assert (tmp_path / "got" / index["artifact"]).read_text() == "curve"
    assert (tmp_path / "flat" / "output" / "notes.txt").read_text() == "kept"
    assert values[["metric", "step", "value"]].to_numpy().tolist() == [["score", 0, 0.5], ["score", 1, 0.75]]
    assert values["time"].notna().all()
    assert (found.missing, trial.missing, trial.fetched) == ((), (), 2)
    assert {(file.kind, file.path) for file in trial.files} == {
        ("model", "model"),
        ("output", "output"),
        ("artifact", "output/plots/roc: 100%.png"),
        ("log", "log.txt"),
    }
