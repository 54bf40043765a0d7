"""Files, tables and charts of a step."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.support.recorded import component_of, read_json

from mnist_tracking import (
    ConfigError,
    ExperimentRunner,
    Workspace,
)


def test_files_tables_and_charts_are_uploaded_and_recorded(
    recording: ExperimentRunner, workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "cm.v1.png").write_bytes(b"picture")
    with recording.step("Evaluation") as step:
        step.log_artifact(tmp_path / "cm.v1.png")
        step.log_table({"class": ["a", "b"], "f1": [0.5, 0.25]}, name="per class")
        step.log_confusion_matrix([0, 1, 1], [0, 1, 0])
        step.log_roc_curve([0, 1, 1], [0.1, 0.8, 0.4])
        step.log_precision_recall([0, 1, 1], [0.1, 0.8, 0.4])

    found = {item.name: item for item in component_of(workspace, step).outputs}
    assert sorted(found) == ["cm-v1-png", "confusion-matrix", "per-class", "precision-recall", "roc-curve"]
    assert found["cm-v1-png"].media_type == "image/png"
    bucket, key = found["cm-v1-png"].uri.removeprefix("s3://").split("/", 1)
    assert key.startswith("mnist-tracking/churn/steps/")
    assert workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"picture"


def test_arrays_and_frames_are_recorded_whole(recording: ExperimentRunner, workspace: Workspace) -> None:
    """Also a frame whose index has the same value twice, as one of `pandas.concat` has."""
    labels, wrong = np.array([0, 1, 1]), np.array([2, 5])
    with recording.step("Evaluation") as step:
        step.log_table({"item": wrong, "score": wrong / 2}, name="arrays")
        step.log_table(pd.concat([pd.DataFrame({"item": [number]}) for number in (2, 5)]), name="frame")
        step.log_confusion_matrix(labels, pd.Series([0, 1, 0]))
        step.log_roc_curve(labels, wrong[[0, 1, 1]] / 10)

    found = {item.name: item.uri for item in component_of(workspace, step).outputs}
    assert read_json(workspace, found["arrays"])["data"] == {"item": [2, 5], "score": [1.0, 2.5]}
    assert read_json(workspace, found["frame"])["data"] == {"item": [2, 5]}
    assert read_json(workspace, found["confusion-matrix"])["confusionMatrix"] == [[1, 0], [1, 1]]


def test_a_file_never_replaces_another_one_in_silence(recording: ExperimentRunner, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cm.png").write_text(folder)

    with recording.step("Evaluation") as step:
        step.log_artifact(tmp_path / "a" / "cm.png")
        with pytest.raises(ConfigError, match="would replace"):
            step.log_artifact(tmp_path / "b" / "cm.png", name="other")
        with pytest.raises(ConfigError, match="is not a file"):
            step.log_artifact(tmp_path / "c.png")


def test_a_file_is_read_or_written(recording: ExperimentRunner, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2")
    wrong: Any = "in"
    with recording.step("Cleaning") as step, pytest.raises(ConfigError, match="expected 'input' or 'output'"):
        step.log_artifact(tmp_path / "rows.csv", direction=wrong)
